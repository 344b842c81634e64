"""Measurements of data that outgrow one machine; one subcommand a claim, each in a module of its own.

    python benchmarks/cluster.py scale --help

Each subcommand `<name>` is `benchmarks/cluster_<name>.py`, which defines `add_arguments(parser)` and `main(arguments)`. The last
line of its output is JSON.
"""

import argparse
import importlib
import sys
from pathlib import Path


def main() -> None:
    """Run one subcommand."""
    names = [path.stem.removeprefix("cluster_") for path in sorted(Path(__file__).parent.glob("cluster_*.py"))]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=names)
    chosen = parser.parse_args(sys.argv[1:2]).command
    module = importlib.import_module(f"cluster_{chosen}")  # the others may need servers and packages that are absent
    command = argparse.ArgumentParser(
        prog=f"{parser.prog} {chosen}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_arguments(command)
    module.main(command.parse_args(sys.argv[2:]))


if __name__ == "__main__":
    main()

"""Measurements of data that outgrow one machine; one subcommand a claim, each in a module of its own.

    python benchmarks/cluster.py scale --help

Each subcommand `<name>` is `benchmarks/cluster_<name>.py`, which defines `add_arguments(parser)` and `main(arguments)`. The last
line of its output is JSON.
"""

import argparse
import importlib
from pathlib import Path


def main() -> None:
    """Run one subcommand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for path in sorted(Path(__file__).parent.glob("cluster_*.py")):
        module = importlib.import_module(path.stem)
        command = commands.add_parser(
            path.stem.removeprefix("cluster_"), help=(module.__doc__ or "").splitlines()[0], description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        module.add_arguments(command)
        command.set_defaults(main=module.main)
    arguments = parser.parse_args()
    arguments.main(arguments)


if __name__ == "__main__":
    main()

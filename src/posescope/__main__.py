"""`python -m posescope` is `kedro run` for an installed wheel: the same options, outside of any checkout."""

import sys
from pathlib import Path

from kedro.framework.project import configure_project

__all__ = ["main"]


def main() -> None:
    """Configure the package as a Kedro project and run it."""
    configure_project(Path(__file__).parent.name)
    from posescope.cli_run import run  # noqa: PLC0415  Kedro's command reads the configured project when it is imported

    run.main(args=sys.argv[1:], prog_name="python -m posescope", standalone_mode=True)


if __name__ == "__main__":
    main()

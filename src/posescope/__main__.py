"""`python -m posescope`: `kedro run` with the same options for an installed package, outside of any checkout."""

import sys
from pathlib import Path
from typing import Any

import click

from posescope.core.extras import MissingPackageError, translate_missing

__all__ = ["main"]


def main(*args: Any, **kwargs: Any) -> Any:
    """Configure the package as a Kedro project and run it, for schedulers that call a Python function.

    Args:
        *args: Arguments of a click command: a list such as `["--env", "production"]` (default: those of the process).
        **kwargs: Keyword arguments of a click command. `standalone_mode=True` ends the process, as on the command line.

    Returns:
        The outputs of the pipeline that are kept in memory, by name, as Kedro's `run` returns them.

    Raises:
        PosescopeError: for errors that the command line prints as one message. Other errors are not caught.

    Example:
        >>> from posescope.__main__ import main
        >>> main(["--env", "production", "--pipelines", "inference"])  # doctest: +SKIP
    """
    with translate_missing("python -m posescope", "pipelines"):
        from kedro.framework.project import configure_project  # noqa: PLC0415  (of an extra)

        configure_project(Path(__file__).parent.name)
        from posescope.cli.run_command import run  # noqa: PLC0415  Kedro's command reads the configured project when imported

    kwargs.setdefault("standalone_mode", False)
    kwargs.setdefault("prog_name", "python -m posescope")
    try:
        return run(*args, **kwargs)
    except click.ClickException as error:
        raise error.__cause__ or error from None


if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except MissingPackageError as error:
        sys.exit(f"Error: {error}")

"""Parts that all commands share: error handling, printing, paths and options. Imports nothing heavy."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from posescope.core.errors import PosescopeError
from posescope.core.paths import expand_home, find_path_error
from posescope.core.text_escaping import escape_control

__all__ = ["LocalPathType", "PosescopeCommand", "allow_component", "echo", "error_message", "escape_unprintable"]


class PosescopeCommand(click.Command):
    """A command that prints expected errors as one message and ends with exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            message = error_message(error)
            if message is None:
                raise
            raise click.ClickException(escape_unprintable(message)) from error


def error_message(error: BaseException) -> str | None:
    """Return the message of an expected error, None for any other.

    Expected errors are `PosescopeError`, `OSError`, `MemoryError` and `cv2.error`. `BrokenPipeError` is handled by click.
    """
    if isinstance(error, PosescopeError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory."
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        place = "" if error.filename is None else f"{error.filename}: "
        return f"{place}{error.strerror or error}"
    if "cv2" in sys.modules and isinstance(error, sys.modules["cv2"].error):
        return f"OpenCV: {' '.join(str(error).split())}"
    return None


def echo(message: str, *, err: bool = False) -> None:
    """Print a line; unprintable characters of file names are escaped.

    Args:
        message: The line.
        err: Print to stderr.
    """
    click.echo(escape_unprintable(message), err=err)


def escape_unprintable(text: str) -> str:
    """Return text in which control characters, and bytes of file names that are not UTF-8, are escaped."""
    return escape_control(text.encode("utf-8", "backslashreplace").decode("utf-8"), keep_lines=True)


def allow_component(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option `--allow-component`; the command receives a tuple of dotted paths as `allow`."""
    option = click.option(
        "--allow-component",
        "allow",
        multiple=True,
        metavar="PATH",
        help="Allow the model folder to load this component by its dotted path (package.module:attribute). This runs its code.",
    )
    return option(command)


class LocalPathType(click.Path):
    """Click's path with `~` as the home folder, since a shell does not expand `--out=~/poses`. URLs are refused."""

    def __init__(self, **checks: Any) -> None:
        """Args: as `click.Path`; values are `pathlib.Path`."""
        super().__init__(path_type=Path, **checks)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the validated path."""
        text = expand_home(os.fspath(value))
        fault = None if Path(text).exists() else find_path_error(text)
        if fault is not None:
            self.fail(fault, param, ctx)
        return super().convert(text, param, ctx)

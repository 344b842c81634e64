"""Commands whose foreseen errors end in one line; imported by every command, so it imports nothing heavy."""

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

__all__ = ["PosescopeCommand", "error_message", "escape_unprintable", "echo", "allow_component", "LocalPathType"]


class PosescopeCommand(click.Command):
    """A command that ends with exit code 1 and one clear message where it meets an error of ours, or the machine's limits."""

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
    """Return the message of a foreseen error: one of ours, or one of the machine's limits; None for any other.

    Args:
        error: what was raised. A closed pipe is not foreseen here: click ends quietly then.
    """
    if isinstance(error, PosescopeError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory."
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        place = "" if error.filename is None else f"{error.filename}: "
        return f"{place}{error.strerror or error}"
    if isinstance(error, _errors_of_opencv()):
        return f"OpenCV: {' '.join(str(error).split())}"
    return None


def echo(message: str, *, err: bool = False) -> None:
    """Print a line, whatever file names it holds."""
    click.echo(escape_unprintable(message), err=err)


def escape_unprintable(text: str) -> str:
    r"""Return text that can be printed: bytes of a file name that are no UTF-8, and control characters, are written out."""
    return escape_control(text.encode("utf-8", "backslashreplace").decode("utf-8"), keep_lines=True)


def _errors_of_opencv() -> tuple[type[Exception], ...]:
    """None where the command did not load OpenCV."""
    return (sys.modules["cv2"].error,) if "cv2" in sys.modules else ()


# MERGED from cli_options: Options that several commands share; imports nothing heavy.


def allow_component(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--allow-component`, which the command gets as `allow`, a tuple of dotted paths."""
    option = click.option(
        "--allow-component",
        "allow",
        multiple=True,
        metavar="PATH",
        help="Let the model folder name this component by its dotted path (package.module:attribute); its code will run.",
    )
    return option(command)


# MERGED from cli_paths: The type of paths on the command line.


class LocalPathType(click.Path):
    """click's path with `~` as the home folder: a shell leaves `--out=~/poses` as it is. Addresses are refused."""

    def __init__(self, **checks: Any) -> None:
        """Args: as `click.Path` has them; values are `pathlib.Path`."""
        super().__init__(path_type=Path, **checks)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, checked."""
        text = expand_home(os.fspath(value))
        fault = None if Path(text).exists() else find_path_error(text)
        if fault is not None:
            self.fail(fault, param, ctx)
        return super().convert(text, param, ctx)

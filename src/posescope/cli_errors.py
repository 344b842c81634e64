"""Commands whose foreseen errors end in one line; imported by every command, so it imports nothing heavy."""

import errno
import sys
from typing import Any

import click

from posescope.errors import PosescopeError
from posescope.foreign_text import escape_control

__all__ = ["OneLineErrors", "message_of", "printable", "say"]


class OneLineErrors(click.Command):
    """A command that ends with exit code 1 and one clear message where it meets an error of ours, or the machine's limits."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            message = message_of(error)
            if message is None:
                raise
            raise click.ClickException(printable(message)) from error


def message_of(error: BaseException) -> str | None:
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


def say(message: str, *, err: bool = False) -> None:
    """Print a line, whatever file names it holds."""
    click.echo(printable(message), err=err)


def printable(text: str) -> str:
    r"""Return text that can be printed: bytes of a file name that are no UTF-8, and control characters, are written out."""
    return escape_control(text.encode("utf-8", "backslashreplace").decode("utf-8"), keep_lines=True)


def _errors_of_opencv() -> tuple[type[Exception], ...]:
    """None where the command did not load OpenCV."""
    return (sys.modules["cv2"].error,) if "cv2" in sys.modules else ()

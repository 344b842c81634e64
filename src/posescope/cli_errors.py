"""Commands whose foreseen errors are told in one line; imported by every command, so it imports nothing heavy."""

import errno
import sys
from typing import Any

import click

from posescope.errors import PosescopeError

__all__ = ["OneLineErrors"]


class OneLineErrors(click.Command):
    """A command that ends with exit code 1 and one clear message where it meets an error of ours, or the machine's limits."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except PosescopeError as error:
            raise click.ClickException(str(error)) from error
        except MemoryError as error:
            raise click.ClickException("There is not enough memory.") from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read our output has seen enough: click ends quietly
                raise
            place = "" if error.filename is None else f"{error.filename}: "
            raise click.ClickException(f"{place}{error.strerror or error}") from error
        except _errors_of_opencv() as error:
            raise click.ClickException(f"OpenCV: {' '.join(str(error).split())}") from error


def _errors_of_opencv() -> tuple[type[Exception], ...]:
    """None where the command did not load OpenCV."""
    return (sys.modules["cv2"].error,) if "cv2" in sys.modules else ()

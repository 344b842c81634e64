"""Base classes of all errors of the package.

Each package defines its errors beside the code that raises them, and all derive from `PosescopeError`. The command line and the
Kedro hooks print these errors as one message; any other exception keeps its traceback.
"""

from collections.abc import Iterator
from typing import ClassVar

__all__ = ["DataError", "OptionsError", "PosescopeError", "causes_of", "pluralise"]


class PosescopeError(Exception):
    """Base of all errors that are expected in use. The message says where, what was expected, what was found and what to do.

    Attributes:
        may_pass: Whether the same command may succeed later, so that a scheduler may repeat it.
    """

    may_pass: ClassVar[bool] = False


class DataError(PosescopeError):
    """Data on disk (annotations, images, shards, models) are missing, malformed or inconsistent."""


class OptionsError(PosescopeError):
    """A parameter, an option or the name of a component is wrong."""


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its explicit causes (`raise ... from`), the outermost first.

    Implicit contexts are not followed: an error that occurs while another one is handled may be a bug in the handler.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__


def pluralise(number: int, noun: str) -> str:
    """Return a number with its noun.

    Args:
        number: Number of things.
        noun: Their name in the singular; the plural ends in s.

    Example:
        >>> pluralise(1, "person"), pluralise(1000, "image")
        ('1 person', '1,000 images')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"

"""The root of the project's named errors.

Every room defines its own errors beside the code that raises them; all derive from `PosescopeError`, so that a face of the
project (the command line, the hooks) can turn them into one clear line while programming errors still show a traceback.
"""

from collections.abc import Iterator

__all__ = ["DataError", "OptionsError", "PosescopeError", "causes_of", "pluralise"]


class PosescopeError(Exception):
    """An error that the project foresees: its message names the culprit, what was expected, what was found, what to do."""


class DataError(PosescopeError):
    """Data on disk (annotations, images, shards, models) is missing, malformed or does not belong together."""


class OptionsError(PosescopeError):
    """A parameter, an option or the name of a component is wrong."""


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and the errors that caused it, the outermost first.

    Only stated causes (`raise ... from`) count: an error that occurs while another one is handled has not been caused by it, and
    may be a mistake in the code.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__


def pluralise(number: int, thing: str) -> str:
    """A number of things in words, for messages: "1 person", "2 persons", "1,000 images"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"

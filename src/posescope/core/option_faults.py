"""Faults of options: one line per wrong value of a pydantic model, in the words of the project."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from posescope.core.errors import OptionsError
from posescope.core.parameters import describe_unknown_parameter

__all__ = ["WrongOptionsError", "describe_validation_error"]

# The last step of the path of an error in a field that accepts several types: the type that was tried.
_ALTERNATIVE = re.compile(r"(constrained-)?(int|float|str)|(literal|tuple)\[.*\]|none|bool")


class WrongOptionsError(OptionsError):
    """Wrong options of one component.

    Attributes:
        faults: One line per wrong option.
    """

    def __init__(self, group: str, name: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"posescope.{group}: options of '{name}': {'; '.join(faults)}")
        self.faults = tuple(f"options of '{name}': {fault}" for fault in faults)
        self._made_of = (group, name, faults)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the arguments: a worker process sends its error to the main process."""
        return type(self), self._made_of


def describe_validation_error(
    error: ValidationError, describe_unknown: Callable[[str], str] = describe_unknown_parameter
) -> tuple[str, ...]:
    """Return one line per fault of a pydantic error: path of the field, what was wrong, what was found.

    Each wrong option of a component is a fault of its own, under the path of that component.

    Args:
        error: The error of an options model.
        describe_unknown: Returns what is wrong with an unknown field, by its path.
    """
    items = _join_alternatives(error.errors(include_url=False))
    return tuple(fault for item in items for fault in _faults_of(item, describe_unknown))


def _join_alternatives(items: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Join the errors of a field that accepts several types: pydantic gives one per type, this function one per field."""
    fields = Counter(item["loc"][:-1] for item in items if _is_alternative(item))
    joined: dict[tuple[int | str, ...], ErrorDetails] = {}
    for item in items:
        field = item["loc"][:-1]
        if not (_is_alternative(item) and fields[field] > 1):
            joined[(*item["loc"], len(joined))] = item
        elif field in joined:
            joined[field] = {**joined[field], "msg": f"{joined[field]['msg']}, or {item['msg'][:1].lower()}{item['msg'][1:]}"}
        else:
            joined[field] = {**item, "loc": field}
    return list(joined.values())


def _is_alternative(item: ErrorDetails) -> bool:
    return bool(item["loc"]) and _ALTERNATIVE.fullmatch(str(item["loc"][-1])) is not None


def _faults_of(item: ErrorDetails, describe_unknown: Callable[[str], str]) -> tuple[str, ...]:
    path = ".".join(str(step) for step in item["loc"]) or "(whole)"
    if item["type"] == "extra_forbidden":
        return (f"{path}: {describe_unknown(path)}",)
    cause = getattr(item.get("ctx", {}).get("error"), "__cause__", None)
    if isinstance(cause, WrongOptionsError):
        return tuple(f"{path}: {fault}" for fault in cause.faults)
    found = "" if isinstance(item["input"], dict | list | tuple) else f" (found {item['input']!r})"
    return (f"{path}: {str(item['msg']).removeprefix('Value error, ')}{found}",)

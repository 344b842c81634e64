"""Parameters under flat names: every value by its dotted path, and the values in which two sets of parameters differ.

modelling: {model: {name: hourglass}, augmentations: [{name: flip}]}
modelling.model.name = hourglass,  modelling.augmentations.0.name = flip
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["NOT_SET", "ParameterDifference", "differing_parameters", "flatten_parameters"]

NOT_SET = "not set"


@dataclass(frozen=True)
class ParameterDifference:
    """A parameter with different values in two runs.

    Attributes:
        name: dotted path.
        a, b: values of the first and of the second run; None also where the parameter is not set.
        set_a, set_b: whether the run has the parameter.
    """

    name: str
    a: Any
    b: Any
    set_a: bool
    set_b: bool


def flatten_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return every value by its dotted path, in the order of the parameters.

    A list that contains mappings is split by position; any other list, and an empty mapping, is one value.

    Args:
        parameters: nested parameters, as in the record of a run.

    Example:
        >>> flatten_parameters({"crop": {"size_px": [96, 72]}, "filters": [{"name": "box_size"}]})
        {'crop.size_px': [96, 72], 'filters.0.name': 'box_size'}
    """
    flat: dict[str, Any] = {}
    _flatten("", parameters, flat)
    return flat


def differing_parameters(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[ParameterDifference, ...]:
    """Return the parameters in which two sets differ, ordered by name.

    Args:
        first, second: nested parameters.

    Example:
        >>> [(one.name, one.a, one.b) for one in differing_parameters({"seed": 0}, {"seed": 1})]
        [('seed', 0, 1)]
    """
    a, b = flatten_parameters(first), flatten_parameters(second)
    return tuple(
        ParameterDifference(name, a.get(name), b.get(name), name in a, name in b)
        for name in sorted({**a, **b})
        if (name in a) != (name in b) or a[name] != b[name] or isinstance(a[name], bool) != isinstance(b[name], bool)
    )


def _flatten(path: str, value: Any, flat: dict[str, Any]) -> None:
    inner: dict[str, Any] = {}
    if isinstance(value, Mapping):
        inner = {str(key): entry for key, entry in value.items()}
    elif isinstance(value, Sequence) and any(isinstance(entry, Mapping) for entry in value):
        inner = {str(place): entry for place, entry in enumerate(value)}
    if not inner and path:
        flat[path] = value
    for key, entry in inner.items():
        _flatten(f"{path}.{key}" if path else key, entry, flat)

"""Merging parameters: environments and `--params` name only what differs, and a swapped component starts with its own options.

A plain deep merge would leave the options of the component that was swapped out, which the new one does not know:

    base      codec: {name: gaussian, options: {sigma_cells: 1.0}}
    --params  data_engineering.codec.name=thesis
    deep      codec: {name: thesis, options: {sigma_cells: 1.0}}      <- refused: `thesis` has no sigma_cells
    here      codec: {name: thesis}                                   <- thesis with its defaults
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["merge_parameters"]

# Where a component is named, and where its options stand beside the name.
_COMPONENT_KEYS = (("name", "options"), ("rule", "rule_options"))


def merge_parameters(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` wins, key by key; where it names another component, the options below are forgotten. Lists are replaced."""
    result = dict(below)
    for name, options in _COMPONENT_KEYS:
        if name in above and name in below and above[name] != below[name]:
            result.pop(options, None)
    for key, value in above.items():
        lower = result.get(key)
        if isinstance(lower, Mapping) and isinstance(value, Mapping):
            result[key] = merge_parameters(lower, value)
        else:
            result[key] = value
    return result

"""Nodes that are named like their function."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from kedro.pipeline import node
from kedro.pipeline.node import Node

__all__ = ["named_outputs", "step", "with_prefix"]


T = TypeVar("T")


def step(
    function: Callable[..., Any],
    inputs: str | Sequence[str] | Mapping[str, str],
    outputs: str | Mapping[str, str],
    of: str | None = None,
) -> Node:
    """Return a node that is named like its function, and like the split or the analysis that it is of.

    The log, Kedro-Viz and `kedro run --nodes` show these names.
    """
    ordered = inputs if isinstance(inputs, str) else dict(inputs) if isinstance(inputs, Mapping) else list(inputs)
    name = function.__name__ if of is None else f"{function.__name__}_{of}"
    return node(function, ordered, outputs if isinstance(outputs, str) else dict(outputs), name=name)


def named_outputs(*names: str) -> dict[str, str]:
    """The outputs of a function that returns a dictionary with these keys, under the same names in the catalog."""
    return {name: name for name in names}


def with_prefix(prefix: str, named: Mapping[str, T]) -> dict[str, T]:
    """Those whose name has a prefix, under their names without it.

    Data sets that a node takes by `**` keep a prefix until here, so that none is called like another of its inputs.
    """
    return {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}

"""Nodes with explicit names, and stages: groups of nodes under a namespace."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kedro.pipeline import Pipeline, node
from kedro.pipeline.node import Node

__all__ = ["PHOTOGRAPHS", "collect_results", "named_outputs", "stage", "step"]

PHOTOGRAPHS = "params:reporting.photographs"  # read by every stage that draws persons


def step(
    function: Callable[..., Any],
    inputs: str | Sequence[str] | Mapping[str, str],
    outputs: str | Mapping[str, str] | None,
    name: str | None = None,
) -> Node:
    """Return a node that is named after its function, or as given.

    Args:
        function: top-level function or bound method of a picklable object, for runners with several processes.
        inputs: datasets and parameters, by position or by argument.
        outputs: dataset of the returned value, or datasets by key of the returned dictionary. None: nothing is saved.
        name: name of the node in logs, in Kedro-Viz and in `kedro run --nodes`, after the namespace of its stage.
    """
    ordered = inputs if isinstance(inputs, str) else dict(inputs) if isinstance(inputs, Mapping) else list(inputs)
    return node(function, ordered, dict(outputs) if isinstance(outputs, Mapping) else outputs, name=name or function.__name__)


def stage(namespace: str, nodes: Iterable[Node], tags: Sequence[str] = ()) -> Pipeline:
    """Return nodes as a stage: `kedro run --namespaces` runs it, and Kedro-Viz draws it as one box that opens.

    Dataset and parameter names keep their form: only node names get the namespace as a prefix.

    Args:
        namespace: name of the stage, such as `modelling`, or of a part of it, such as `evaluation.scoring`.
        nodes: the nodes of the stage.
        tags: tags besides the name of the stage.
    """
    all_tags = {namespace.partition(".")[0], *tags}
    return Pipeline(nodes, namespace=namespace, prefix_datasets_with_namespace=False, tags=all_tags)


def named_outputs(*names: str) -> dict[str, str]:
    """Return the outputs of a function whose keys are the names of the datasets."""
    return {name: name for name in names}


def collect_results(**results: Any) -> dict[str, Any]:
    """Return all results of a stage that the report and the model card show, as one dataset."""
    return results

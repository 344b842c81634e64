"""The part of a run on other nodes than the main one of a training: `kedro run` there takes part in the training only.

node 0: data engineering ─> training ─> evaluation ─> ...    lock, checksums and record of the run
node 1:             waits ─> training ─> end                 reads the inputs of the training, writes nothing
"""

import logging
from collections.abc import Mapping
from typing import Any

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pluggy import PluginManager

from posescope.kedro_support.dataset_paths import is_parameter
from posescope.kedro_support.remote_folders import fetch_dataset
from posescope.pipelines.modelling.nodes import train_model
from posescope.training.distributed.placement import NoResultError, find_placement, may_take_part, wait_for_main
from posescope.training.options import TrainingOptions

__all__ = ["take_part"]

log = logging.getLogger(__name__)

# Argument of the session -> argument of `Pipeline.filter`.
_FILTERS = {
    "tags": "tags", "from_nodes": "from_nodes", "to_nodes": "to_nodes", "node_names": "node_names", "from_inputs": "from_inputs",
    "to_outputs": "to_outputs", "namespaces": "node_namespaces",
}  # fmt: skip


def take_part(session: KedroSession, hooks: PluginManager, request: Mapping[str, Any]) -> bool:
    """Take part in the training of a run whose main process is on another node.

    Args:
        session: the session of this process.
        hooks: hooks of the session; those of a whole run are not called.
        request: arguments of `KedroSession.run`.

    Returns:
        False if this process runs the pipeline itself; nothing was done then.

    Raises:
        PosescopeError: As the training.
    """
    if not may_take_part():
        return False
    names = request.get("pipeline_names") or None
    pipelines.set_requested(names)
    context = session.load_context()
    options = TrainingOptions.model_validate(context.params.get("modelling", {}).get("training", {}))
    placement = find_placement(options)
    if placement.is_main:
        return False
    step = _training_step(names or ["__default__"], request)
    if step is None:
        log.info("This run trains no model, so this node has nothing to do: the main process runs it.")
        return True
    catalog = context._get_catalog(load_versions=request.get("load_versions"))
    if request.get("only_missing_outputs") and _has_outputs(step, catalog):
        log.info("The outputs of the training exist (--only-missing-outputs), so this node has nothing to do.")
        return True
    wait_for_main(placement, options)
    inputs = [_load(name, step, catalog, hooks) for name in step.inputs]
    try:
        step.func(*inputs)
    except NoResultError as done:
        log.info("%s", done)
    return True


def _training_step(names: list[str], request: Mapping[str, Any]) -> Node | None:
    """Return the node of the requested pipelines that trains, None without one."""
    requested = sum((pipelines[name] for name in names), Pipeline([]))
    chosen = {ours: request[theirs] for theirs, ours in _FILTERS.items() if request.get(theirs)}
    return next((one for one in requested.filter(**chosen).nodes if one.func is train_model), None)


def _has_outputs(step: Node, catalog: CatalogProtocol[Any, Any]) -> bool:
    """Return whether all outputs of the training exist, in which case Kedro skips it in the main process.

    They are saved after the training, so this node has the same answer as the main process.
    """
    for name in step.outputs:
        fetch_dataset(catalog.get(name))
    return all(catalog.exists(name) for name in step.outputs)


def _load(name: str, step: Node, catalog: CatalogProtocol[Any, Any], hooks: PluginManager) -> Any:
    """Load an input as Kedro's runners do, with the hooks of a dataset, after a copy from object storage was fetched."""
    if not is_parameter(name):
        fetch_dataset(catalog.get(name))
    hooks.hook.before_dataset_loaded(dataset_name=name, node=step)
    value = catalog.load(name)
    hooks.hook.after_dataset_loaded(dataset_name=name, data=value, node=step)
    return value

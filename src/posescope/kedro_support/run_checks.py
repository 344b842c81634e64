"""Hooks that check a run before its first node: parameters, allowed components, inputs."""

from collections.abc import Iterator, Mapping
from typing import Any

from kedro.config import AbstractConfigLoader, MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import AbstractVersionedDataset, DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline

from posescope.core.errors import PosescopeError
from posescope.core.parameters import renamed_parameter
from posescope.core.plugins import is_dotted_path
from posescope.datasets import ModelDataset, RecordDataset
from posescope.kedro_support.dataset_paths import is_parameter, load_path, makers_of
from posescope.kedro_support.parameter_checks import PATH_PARAMETERS, check_parameters
from posescope.pipeline_registry import parameter_models
from posescope.pipelines.modelling.nodes import train_model
from posescope.training.distributed.placement import find_placement
from posescope.training.options import TrainingOptions

__all__ = ["AllowDottedPaths", "InputsCheck", "MissingInputError", "NodeRankCheck", "ParametersCheck", "dotted_paths_in"]

# Inputs whose path is a parameter.
_PATH_PARAMETER_OF = {"inference_model": "model", "inference_images": "images", "raw_source": "raw_dir"}
_TRAINING = "params:modelling.training"
# Two names of the same files.
_MADE_AS = {"inference_model": "model"}
# Inputs that are not needed if a parameter is set: nodes that read both use the parameter.
_NOT_NEEDED_WITH = {"model": "params:evaluation.results"}
# Inputs that a node can do without: models of earlier versions have no uncertainty.
_OPTIONAL = frozenset({"uncertainty"})
# Datasets whose files may name components.
_FILES_WITH_COMPONENTS = {f"{kind.__module__}.{kind.__qualname__}" for kind in (ModelDataset, RecordDataset)}


class MissingInputError(PosescopeError):
    """An input of the run does not exist."""


class ParametersCheck:
    """Check every namespace and every key of the parameters, whichever pipelines run."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check the merged parameters.

        Raises:
            OptionsError: with one line per wrong parameter.
        """
        loader = context.config_loader
        parameters = {**_parameters_in_globals(loader), **loader["parameters"]}
        check_parameters(parameters, parameter_models(), env=context.env or "base")


class AllowDottedPaths:
    """Allow the models and records of the catalog the dotted paths that the parameters of the same run name."""

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog, parameters: dict[str, Any]) -> None:
        """Add the dotted paths of the parameters to the allowed ones of each dataset."""
        named = dotted_paths_in(parameters)
        if not named:
            return
        for name in catalog.keys():  # noqa: SIM118 (a catalog is no dictionary)
            dataset = catalog.get(name) if catalog.get_type(name) in _FILES_WITH_COMPONENTS else None
            if isinstance(dataset, ModelDataset | RecordDataset):
                dataset.allow = (*dataset.allow, *named)


class InputsCheck:
    """Check that all inputs of a run exist before its first node."""

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Check the free inputs of the pipeline. A missing input that is optional, or replaced by a parameter, is loaded as None.

        Raises:
            MissingInputError: with each missing version, or each missing input and the pipeline that makes it.
        """
        _check_versions(catalog, run_params.get("load_versions") or {})
        inputs = [name for name in sorted(pipeline.inputs()) if not is_parameter(name)]
        absent = [name for name in inputs if name not in catalog or not catalog.exists(name)]
        missing = [name for name in absent if name not in _OPTIONAL and not _is_replaced(name, pipeline, catalog)]
        if missing:
            lines = "\n".join(
                f"  {name} ({load_path(catalog.get(name)) or 'not in the catalog'}): {_remedy(name)}" for name in missing
            )
            raise MissingInputError(f"{len(missing)} inputs of this run are missing:\n{lines}")
        for name in absent:
            catalog[name] = MemoryDataset(None)


class NodeRankCheck:
    """Check that the rank of this node is known before the first node of a run that trains on several ones."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Find the place of this process among the nodes.

        Raises:
            OptionsError: if the environment does not name the rank.
        """
        if any(node.func is train_model for node in pipeline.nodes) and _TRAINING in catalog:
            find_placement(TrainingOptions.model_validate(catalog.load(_TRAINING)))


def dotted_paths_in(parameters: Any) -> tuple[str, ...]:
    """Return all values of the parameters that are dotted paths (`package.module:attribute`), at any depth, each once."""
    return tuple(dict.fromkeys(text for text in _texts_in(parameters) if is_dotted_path(text)))


def _texts_in(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        yield from (text for value in content.values() for text in _texts_in(value))
    elif isinstance(content, list | tuple):
        yield from (text for value in content for text in _texts_in(value))


def _parameters_in_globals(loader: AbstractConfigLoader) -> dict[str, Any]:
    """Path parameters in the globals, also those under old names, which would have no effect."""
    try:
        found = loader["globals"]
    except (KeyError, MissingConfigException):  # a project need not have any
        return {}
    return {key: value for key, value in found.items() if key in PATH_PARAMETERS or renamed_parameter(key)}


def _check_versions(catalog: DataCatalog, requested: Mapping[str, str]) -> None:
    """Check that all versions of --load-versions exist; Kedro ignores a version of a dataset without versions."""
    for name, version in requested.items():
        dataset = catalog.get(name)
        if not isinstance(dataset, AbstractVersionedDataset) or dataset._version is None:
            raise MissingInputError(f"--load-versions {name}:{version}: {name} has no versions.")
        found = dataset.list_versions(full_path=False)
        if version not in found:
            raise MissingInputError(
                f"--load-versions {name}:{version}: {dataset._filepath} has no such version. Found: {', '.join(found) or 'none'}."
            )


def _is_replaced(name: str, pipeline: Pipeline, catalog: DataCatalog) -> bool:
    """Return whether a parameter replaces an input in every node that reads it."""
    parameter = _NOT_NEEDED_WITH.get(name)
    if parameter is None or parameter not in pipeline.inputs() or catalog.load(parameter) is None:
        return False
    return all(parameter in node.inputs for node in pipeline.nodes if name in node.inputs)


def _remedy(name: str) -> str:
    makers = makers_of(_MADE_AS.get(name, name))
    maker = f"run the pipeline {' or '.join(makers)} first" if makers else "no pipeline makes it"
    parameter = _PATH_PARAMETER_OF.get(name)
    return f"{maker}, or give its path: --params {parameter}=FOLDER" if parameter else maker

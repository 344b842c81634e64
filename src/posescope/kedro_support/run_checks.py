"""What happens before every run: its parameters and its inputs are checked."""

from collections.abc import Iterator, Mapping
from typing import Any

from kedro.config import AbstractConfigLoader, MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import AbstractVersionedDataset, DataCatalog
from kedro.pipeline import Pipeline

from posescope.core.errors import PosescopeError
from posescope.core.plugins import is_dotted_path
from posescope.datasets import ModelDataset, NoneDataset, RecordDataset
from posescope.kedro_support.dataset_paths import is_parameter, load_path
from posescope.kedro_support.parameter_checks import check_parameters
from posescope.kedro_support.path_parameters import PATH_PARAMETERS
from posescope.pipeline_registry import parameter_models

__all__ = ["InputsCheck", "MissingInputError", "ParametersCheck", "AllowDottedPaths", "dotted_paths_in"]

# What lies where its reader says, rather than where a pipeline writes it.
_PARAMETER_OF_PLACE = {"inference_model": "model", "inference_images": "images", "raw_source": "raw_dir"}
# The same files under two names.
_MADE_AS = {"inference_model": "model"}

# What nobody needs once a parameter is set: nodes that read both take the parameter in its place.
_NEEDLESS_WITH = {"model": "params:evaluation.results"}


class MissingInputError(PosescopeError):
    """A pipeline reads something that is not there."""


class ParametersCheck:
    """Every namespace and every key of the parameters is checked, whichever pipelines run."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check the merged parameters.

        Raises:
            OptionsError: naming every parameter that is wrong.
        """
        loader = context.config_loader
        parameters = {**_places_in_globals(loader), **loader["parameters"]}
        check_parameters(parameters, parameter_models(), env=context.env or "base")


class InputsCheck:
    """What a pipeline reads must be there before its first node runs."""

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Check the free inputs of the pipeline. One that is missing, and that a parameter makes needless, is loaded as None.

        Raises:
            MissingInputError: naming each missing version, or each missing input and the pipeline that makes it.
        """
        _check_versions(catalog, run_params.get("load_versions") or {})
        absent = [name for name in sorted(pipeline.inputs()) if not is_parameter(name) and not _exists(catalog, name)]
        missing = [name for name in absent if not _is_needless(name, pipeline, catalog)]
        if not missing:
            for name in absent:
                catalog[name] = NoneDataset()
        else:
            lines = "\n".join(
                f"  {name} ({load_path(catalog, name) or 'not in the catalog'}): {_where_from(name)}" for name in missing
            )
            raise MissingInputError(f"{len(missing)} inputs of this run are missing:\n{lines}")


def _places_in_globals(loader: AbstractConfigLoader) -> dict[str, Any]:
    try:
        found = loader["globals"]
    except (KeyError, MissingConfigException):  # a project need not have any
        return {}
    return {key: value for key, value in found.items() if key in PATH_PARAMETERS}


def _check_versions(catalog: DataCatalog, asked: Mapping[str, str]) -> None:
    """See that every version of --load-versions is there; Kedro ignores one of a dataset without versions."""
    for name, version in asked.items():
        dataset = catalog.get(name)
        if not isinstance(dataset, AbstractVersionedDataset) or dataset._version is None:
            raise MissingInputError(f"--load-versions {name}:{version}: {name} keeps no versions.")
        found = dataset.list_versions(full_path=False)
        if version not in found:
            there = f"found {', '.join(found)}" if found else "there is none yet"
            raise MissingInputError(
                f"--load-versions {name}:{version}: there is no such version in {dataset._filepath} ({there})."
            )


def _exists(catalog: DataCatalog, name: str) -> bool:
    return name in catalog and bool(catalog.exists(name))


def _is_needless(name: str, pipeline: Pipeline, catalog: DataCatalog) -> bool:
    """Whether a parameter stands in for an input at every node that reads it."""
    parameter = _NEEDLESS_WITH.get(name)
    if parameter is None or parameter not in pipeline.inputs() or catalog.load(parameter) is None:
        return False
    return all(parameter in node.inputs for node in pipeline.nodes if name in node.inputs)


def _where_from(name: str) -> str:
    made = _MADE_AS.get(name, name)
    makers = [key for key, flow in pipelines.items() if key != "__default__" and made in flow.all_outputs()]
    maker = f"run the pipeline {' or '.join(makers)} first" if makers else "no pipeline makes it"
    parameter = _PARAMETER_OF_PLACE.get(name)
    return f"{maker}, or say where it lies: --params {parameter}=FOLDER" if parameter else maker


# MERGED from named_components: Components that the parameters of a run name by a dotted path: the files that the run
# reads may name the same ones.

# Datasets whose files may name components.
_TYPES = {f"{kind.__module__}.{kind.__qualname__}" for kind in (ModelDataset, RecordDataset)}


def dotted_paths_in(parameters: Any) -> tuple[str, ...]:
    """Return all dotted paths (`package.module:attribute`) that stand as a value in parameters, at any depth, each once."""
    return tuple(dict.fromkeys(text for text in _texts_in(parameters) if is_dotted_path(text)))


class AllowDottedPaths:
    """Allow models and records of the catalog the dotted paths that the parameters of the same run name."""

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog, parameters: dict[str, Any]) -> None:
        """Add the dotted paths of the parameters to what each dataset may name."""
        named = dotted_paths_in(parameters)
        if not named:
            return
        for name in catalog.keys():  # noqa: SIM118 (a catalog is no dictionary)
            dataset = catalog.get(name) if catalog.get_type(name) in _TYPES else None
            if isinstance(dataset, ModelDataset | RecordDataset):
                dataset.allow = (*dataset.allow, *named)


def _texts_in(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        yield from (text for value in content.values() for text in _texts_in(value))
    elif isinstance(content, list | tuple):
        yield from (text for value in content for text in _texts_in(value))

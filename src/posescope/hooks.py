"""What happens around every run: parameters and inputs are checked before it, its record is written after it."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from posescope.errors import PosescopeError
from posescope.pipeline_registry import parameter_models
from posescope.run_parameters import check_parameters
from posescope.run_record import RunRecord, describe_versions, write_run_record

__all__ = ["InputsCheck", "MissingInputError", "ParametersCheck", "RunRecorder"]

logger = logging.getLogger(__name__)


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
        check_parameters(context.config_loader["parameters"], parameter_models(), env=context.env or "base")


class InputsCheck:
    """What a pipeline reads must be there before its first node runs."""

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Check the free inputs of the pipeline.

        Raises:
            MissingInputError: naming each missing input and the pipeline that makes it.
        """
        missing = [name for name in sorted(pipeline.inputs()) if not _is_parameter(name) and not _exists(catalog, name)]
        if missing:
            lines = "\n".join(f"  {name}: {_where_from(name)} ({catalog.get(name)})" for name in missing)
            raise MissingInputError(f"{len(missing)} inputs of this run are missing:\n{lines}")


class RunRecorder:
    """Leaves `runs/<run_id>/run.json` behind, and says where to look."""

    def __init__(self) -> None:
        self._parameters: Mapping[str, Any] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the merged parameters as they stood in the files and on the command line."""
        self._parameters = context.config_loader["parameters"]
        self._project_path = context.project_path

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Write the record of the run and name what was made."""
        made = {name: _path_of(catalog, name) for name in sorted(pipeline.all_outputs())}
        kept = {name: path for name, path in made.items() if path}
        if "run_records" not in catalog:
            return
        record = RunRecord(
            run_id=str(run_params["run_id"]),
            pipelines=tuple(run_params.get("pipeline_names") or [run_params.get("pipeline_name") or "__default__"]),
            env=run_params.get("env") or "base",
            parameters=self._parameters,
            versions=describe_versions(self._project_path),
            outputs=kept,
            data_fingerprint=_load_or_none(catalog, "crop_statistics", "data_fingerprint"),
            metrics=_load_if_exists(catalog, "metrics") if "metrics" in made else None,
        )
        path = write_run_record(catalog.load("run_records").root, record)
        logger.info("Made:")
        for name, place in kept.items():
            logger.info("  %-24s %s", name, place)
        logger.info("Record of this run: %s", path)
        if "report" in kept:
            logger.info("Look at the report first: %s", kept["report"])


def _is_parameter(name: str) -> bool:
    return name == "parameters" or name.startswith("params:")


def _exists(catalog: CatalogProtocol, name: str) -> bool:
    return name in catalog and bool(catalog.exists(name))


def _where_from(name: str) -> str:
    makers = [key for key, flow in pipelines.items() if key != "__default__" and name in flow.all_outputs()]
    return f"run the pipeline {' or '.join(makers)} first" if makers else "no pipeline makes it; see the catalog"


def _path_of(catalog: CatalogProtocol, name: str) -> str | None:
    dataset = catalog.get(name)
    description = dataset._describe() if dataset is not None else {}
    version = getattr(dataset, "resolve_load_version", None)
    path = description.get("filepath")
    if path is None:
        return None
    return str(dataset._get_load_path()) if version and getattr(dataset, "_version", None) else str(path)


def _load_if_exists(catalog: CatalogProtocol, name: str) -> Any:
    return catalog.load(name) if _exists(catalog, name) else None


def _load_or_none(catalog: CatalogProtocol, name: str, attribute: str) -> Any:
    record = _load_if_exists(catalog, name)
    return getattr(record, attribute, None)


def unwrap(error: BaseException) -> PosescopeError | None:
    """The foreseen error behind an exception, if there is one (Kedro wraps what datasets raise)."""
    seen: Iterable[BaseException | None] = (error, error.__cause__, error.__context__)
    return next((item for item in seen if isinstance(item, PosescopeError)), None)



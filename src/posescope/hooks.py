"""What happens around every run: parameters and inputs are checked before it, its record is written after it."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kedro.config import AbstractConfigLoader, MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import AbstractVersionedDataset, DataCatalog
from kedro.pipeline import Pipeline

from posescope.datasets import ModelDataset, NothingDataset
from posescope.errors import PosescopeError, causes_of
from posescope.pipeline_registry import parameter_models
from posescope.run_parameters import check_parameters
from posescope.run_places import PLACES
from posescope.run_record import RunRecord, describe_versions, write_run_record

__all__ = ["InputsCheck", "MissingInputError", "ParametersCheck", "RunRecorder"]

logger = logging.getLogger(__name__)

# What lies where its reader says, rather than where a pipeline writes it.
_PARAMETER_OF_PLACE = {"inference_model": "model", "inference_images": "images", "raw_source": "raw_dir"}
# The same files under two names.
_MADE_AS = {"inference_model": "model"}

# What nobody needs once a parameter is set: nodes that read both take the parameter in its place.
_NEEDLESS_WITH = {"model": "params:evaluation.results"}

_LAYERS_TO_SHOW = ("06_models", "07_model_output", "08_reporting")


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
        absent = [name for name in sorted(pipeline.inputs()) if not _is_parameter(name) and not _exists(catalog, name)]
        missing = [name for name in absent if not _is_needless(name, pipeline, catalog)]
        if not missing:
            for name in absent:
                catalog[name] = NothingDataset()
        else:
            lines = "\n".join(
                f"  {name} ({_place_of(catalog, name) or 'not in the catalog'}): {_where_from(name)}" for name in missing
            )
            raise MissingInputError(f"{len(missing)} inputs of this run are missing:\n{lines}")


class RunRecorder:
    """Leaves `runs/<run_id>/run.json` behind, and says where to look."""

    def __init__(self) -> None:
        self._parameters: Mapping[str, Any] = {}
        self._project = Path()
        self._saved: set[str] = set()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the merged parameters as they stand in the files and on the command line, and forget an earlier run."""
        self._saved = set()
        self._parameters = context.config_loader["parameters"]
        self._project = context.project_path

    @hook_impl
    def after_dataset_saved(self, dataset_name: str) -> None:
        """Remember what was made: a failed run leaves some of its outputs unmade."""
        self._saved.add(dataset_name)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Write the record of the run and name what was made."""
        outputs = _places_of(catalog, pipeline.all_outputs())
        self._say(outputs, self._record(run_params, pipeline, catalog, outputs, error=None))

    @hook_impl
    def on_pipeline_error(self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Write the record of a run that failed."""
        path = self._record(run_params, pipeline, catalog, _places_of(catalog, self._saved), error)
        logger.info("Record of this failed run: %s", self._relative(str(path)))

    def _record(
        self,
        run_params: Mapping[str, Any],
        pipeline: Pipeline,
        catalog: DataCatalog,
        outputs: Mapping[str, str],
        error: Exception | None,
    ) -> Path:
        inputs = _places_of(catalog, pipeline.inputs())
        record = RunRecord(
            status="completed" if error is None else "failed",
            error=None if error is None else _in_one_line(unwrap(error) or error),
            run_id=str(run_params["run_id"]),
            pipelines=tuple(run_params.get("pipeline_names") or ["__default__"]),
            env=run_params.get("env") or "local",
            parameters=self._parameters,
            versions=describe_versions(self._project),
            inputs=inputs,
            outputs=outputs,
            data_fingerprint=_data_fingerprint(catalog, inputs, outputs),
            metrics=catalog.load("metrics") if "metrics" in outputs else None,
        )
        return write_run_record(catalog.load("run_records").root, record)

    def _say(self, outputs: Mapping[str, str], record: Path) -> None:
        shown = {name: place for name, place in outputs.items() if any(layer in place for layer in _LAYERS_TO_SHOW)}
        width = max(map(len, shown), default=0)
        lines = [f"  {name:<{width}} {self._relative(place)}" for name, place in sorted(shown.items(), key=lambda item: item[1])]
        if lines:
            logger.info("Made, among other things:\n%s", "\n".join(lines))
        logger.info("Record of this run: %s", self._relative(str(record)))
        if "report" in outputs:
            logger.info("Look here first: %s", self._relative(outputs["report"]))

    def _relative(self, place: str) -> str:
        path = Path(place)
        return str(path.relative_to(self._project)) if path.is_relative_to(self._project) else place


def unwrap(error: BaseException) -> PosescopeError | None:
    """Return the foreseen error behind an exception, the outermost of several; None where there is none.

    Kedro wraps what datasets raise, and a dataset may wrap what it calls.
    """
    return next((item for item in causes_of(error) if isinstance(item, PosescopeError)), None)


def _places_in_globals(loader: AbstractConfigLoader) -> dict[str, Any]:
    try:
        found = loader["globals"]
    except (KeyError, MissingConfigException):  # a project need not have any
        return {}
    return {key: value for key, value in found.items() if key in PLACES}


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


def _is_parameter(name: str) -> bool:
    return name == "parameters" or name.startswith("params:")


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


def _in_one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _places_of(catalog: DataCatalog, names: Iterable[str]) -> dict[str, str]:
    """Places of all that do not stay in memory."""
    return {name: place for name in sorted(names) if not _is_parameter(name) and (place := _place_of(catalog, name))}


def _place_of(catalog: DataCatalog, name: str) -> str | None:
    """Path of the file or folder of a dataset, with its version; None for what stays in memory."""
    dataset = catalog.get(name)
    if isinstance(dataset, ModelDataset) and dataset.takes_newest:
        return str(dataset.newest_folder())
    # Where there is no version yet, Kedro cannot name one: the place of all of them is what can be said.
    if isinstance(dataset, AbstractVersionedDataset) and dataset.exists():
        return str(dataset._get_load_path())
    path = getattr(dataset, "_filepath", None)
    return str(path) if path else None


def _data_fingerprint(catalog: DataCatalog, inputs: Iterable[str], outputs: Iterable[str]) -> str | None:
    """Of the crops, joints and splits that a run has read or measured; a run that cut them and failed has measured nothing."""
    if not {"crops", "crop_statistics"} & set(inputs) and "crop_statistics" not in set(outputs):
        return None
    return str(catalog.load("crop_statistics").data_fingerprint) if _exists(catalog, "crop_statistics") else None

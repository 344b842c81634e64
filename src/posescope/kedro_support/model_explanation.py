"""Explanation of a model on annotated photographs by the pipelines, without a project: no configuration, no data folder.

The pipelines `data_engineering`, `evaluation`, `explainability` and `reporting` run with the crops and the codec of the model.
What they pass on stays in memory, except crops and features, which are in a working folder; results are written into the output
folder. `keep_inputs` keeps what interactive pages need to run the network (`explorer.opened_run`):

    <output>/results/explorer/    persons.parquet; with keep_inputs also model/, crops/, features/, annotations/, targets.npz,
                                  components.npz and crop_statistics.json
"""

import logging
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.markers import HOOK_NAMESPACE
from kedro.framework.hooks.specs import DatasetSpecs, NodeSpecs
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from pluggy import PluginManager
from pydantic import Field

from posescope.artifacts.model_folder import fingerprint_of_model, load_model
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import read_uncertainty
from posescope.core.errors import PosescopeError, causes_of
from posescope.core.hardware import DEVICE_PATTERN
from posescope.core.plugins import ComponentSpec, Options, installed
from posescope.data.coco.failure_limits import FailureLimits
from posescope.data.coco.folder import SourceOptions
from posescope.data.coco.study_folder import StudyFolder
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.options import CropOptions, SplitOptions
from posescope.drawing.photographs import PhotographMode
from posescope.explainability.base import AnalysisResult
from posescope.explainability.features.feature_store import FeatureStore
from posescope.explainability.findings_file import list_findings
from posescope.explorer.run_places import RunPlaces
from posescope.explorer.table_file import ExplorerStore
from posescope.pipeline_registry import register_pipelines
from posescope.pipelines.data_engineering.options import DataEngineeringOptions
from posescope.pipelines.evaluation.options import EvaluationOptions
from posescope.pipelines.explainability.options import AnalysesOptions, ExplainabilityOptions, PersonsOptions
from posescope.pipelines.reporting.options import PageOptions, ReportingOptions
from posescope.pipelines.stage_results import collect_training
from posescope.pipelines.steps import stage, step
from posescope.prediction.options import PredictionOptions

__all__ = ["ExplanationOptions", "explain_model"]

_PIPELINES = ("data_engineering", "evaluation", "explainability", "reporting")
_LEFT_OUT = ("attribution",)  # takes minutes, and needs the extra `explain`
_FEW_PERSONS = 500  # processes take longer to start than to crop so few
_PAGES = {"summary": "summary.html", "report": "report.html"}
_JSON, _CSV, _PARQUET = (f"posescope.datasets.{name}Dataset" for name in ("Json", "CsvTable", "ParquetTable"))


class ExplanationOptions(Options):
    """How a model is explained."""

    max_persons: int = Field(2000, ge=3, description="maximum number of fitted and of judged persons")
    seed: int = Field(0, ge=0, description="seed of the halves, of the sampled persons and of all analyses")
    device: str = Field("auto", pattern=DEVICE_PATTERN, description="auto, cpu, cuda or cuda:N")
    layer: str | None = Field(None, description="layer whose features are explained; null: the bottleneck of the network")
    photographs: PhotographMode = Field("full", description="how the pages show photographs")
    analyses: tuple[str, ...] = Field((), description="names of the analyses; empty: all installed ones except attribution")
    keep_inputs: bool = Field(False, description="keep crops, features and a copy of the model, for interactive pages")

    @property
    def selected(self) -> tuple[str, ...]:
        """Names of the analyses that run."""
        return self.analyses or tuple(row.name for row in installed("analyses") if row.name not in _LEFT_OUT)


def explain_model(
    folder: Path,
    study: tuple[StudyFolder, SourceOptions],
    work: Path,
    output: Path,
    options: ExplanationOptions,
    report_step: Callable[[str], None],
    allow: Collection[str] = (),
) -> tuple[Path, ...]:
    """Write the pages that explain a model.

    Args:
        folder: model folder.
        study: the data set and the names of its files (`make_study_folder`).
        work: folder for crops and features.
        output: folder for pages and results.
        options: how the model is explained.
        report_step: is called with a description before each step.
        allow: dotted paths of components that the model folder may name.

    Returns:
        The written pages, the one to read first in front.

    Raises:
        PosescopeError: of any step, or if a file cannot be written.
    """
    model = load_model(folder, allow=allow)
    places = RunPlaces.of_output(output)
    _remove_inputs(places)
    pipelines = register_pipelines()
    pipeline = sum((pipelines[name] for name in _PIPELINES), Pipeline([])) - collect_training()
    pipeline = _with_commands(pipeline, options)
    given = {
        "model": model,
        "uncertainty": read_uncertainty(folder, fingerprint_of_model(model), model.skeleton.joints),
        "training_results": {},
        "raw_workspace": study[0],
        "crops_workspace": CropStore(places.crops if options.keep_inputs else work / "crops"),
        "features_workspace": FeatureStore(places.features if options.keep_inputs else work / "features"),
        "explorer_workspace": ExplorerStore(places.table.parent),
        **_parameters(pipeline, _options_of(model, study, options, folder.name)),
    }
    catalog = _make_catalog(pipeline, output, given, _kept_entries(places) if options.keep_inputs else {})
    try:
        with _quiet_logs():
            SequentialRunner().run(pipeline, catalog, _hooks(report_step, options.selected))
    except DatasetError as error:
        cause = next((cause for cause in causes_of(error) if isinstance(cause, PosescopeError | OSError)), None)
        if cause is None:
            raise
        raise cause from error
    if options.keep_inputs:
        shutil.copytree(folder, places.models)
    return tuple(output / name for page, name in _PAGES.items() if page in pipeline.outputs())


def _with_commands(pipeline: Pipeline, options: ExplanationOptions) -> Pipeline:
    """Return the pipeline with findings whose commands need no project; paths are left out, since pages are passed on."""
    command = f"posescope explain MODEL --data DATA --output OUTPUT --max-persons {options.max_persons} --seed {options.seed}"
    command += f" --layer {quote(options.layer)}" if options.layer else ""

    def list_own_findings(**results: AnalysisResult) -> list[dict[str, Any]]:
        return [{**found, "command": f"{command} --analysis {found['analysis']}"} for found in list_findings(**results)]

    (listing,) = (node for node in pipeline.nodes if "findings" in node.outputs)
    inputs = {row.name: f"analysis_{row.name}" for row in installed("analyses")}
    own = stage(str(listing.namespace), [step(list_own_findings, inputs, "findings")])
    return pipeline - Pipeline([listing]) + own


def _options_of(
    model: PoseModel, study: tuple[StudyFolder, SourceOptions], options: ExplanationOptions, title: str
) -> dict[str, Options]:
    """Return the parameters of the pipelines by namespace."""
    source = study[1].model_copy(
        update={"oks_sigmas": dict(zip(model.skeleton.joints, model.skeleton.oks_sigmas, strict=True))}
    )  # fmt: skip
    prediction = PredictionOptions(batch_size=64, device=options.device)
    rule, padding = model.crop.rule, model.crop.padding_rgb
    workers = 1 if options.max_persons <= _FEW_PERSONS else 0
    return {
        "data_engineering": DataEngineeringOptions(
            source=source,
            failures=FailureLimits(max_fraction=1, max_implausible_fraction=1),
            crop=CropOptions(
                rule=rule.name, rule_options=rule.options, size_px=model.crop_size, padding_rgb=padding, workers=workers
            ),
            split=SplitOptions(max_test_fraction=0, max_calibration_fraction=0),
            codec=model.codec_spec,
        ),
        "evaluation": EvaluationOptions(prediction=prediction),
        "explainability": ExplainabilityOptions(
            persons=PersonsOptions(max_persons=options.max_persons, seed=options.seed, layer=options.layer),
            prediction=prediction,
            reducer=ComponentSpec(name="pca", options={"device": options.device}),
            analyses=AnalysesOptions(selected=tuple(ComponentSpec(name=name) for name in options.selected), seed=options.seed),
        ),
        "reporting": ReportingOptions(photographs=options.photographs, page=PageOptions(title=f"posescope: {title}")),
    }


def _parameters(pipeline: Pipeline, namespaces: Mapping[str, Options]) -> dict[str, Any]:
    """Return the value of each `params:a.b` that the pipeline reads."""
    found = {}
    for name in sorted(pipeline.inputs()):
        if name.startswith("params:"):
            namespace, _, option = name.removeprefix("params:").partition(".")
            found[name] = getattr(namespaces[namespace], option)
    return found


def _remove_inputs(places: RunPlaces) -> None:
    """Remove what an earlier explanation kept in the same output: it is of other persons or of another model."""
    folders = (places.models, places.crops, places.features, places.persons.parent)
    for path in (*folders, places.table, places.targets, places.statistics, places.components):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _kept_entries(places: RunPlaces) -> dict[str, Any]:
    """Return the catalog entries of datasets that are kept as files."""
    tables = {"persons": ("Persons", places.persons), "keypoints": ("Keypoints", places.keypoints)}
    records = {
        "targets": ("ArraysDataset", "posescope.core.records.PoseTargets", places.targets),
        "components": ("ArraysDataset", "posescope.explainability.components.pca.Components", places.components),
        "crop_statistics": ("RecordDataset", "posescope.data.crops.crop_statistics.CropStatistics", places.statistics),
        "skeleton": ("RecordDataset", "posescope.core.skeleton.Skeleton", places.skeleton),
    }
    return {
        name: {"type": f"posescope.datasets.{kind}", "record": record, "filepath": str(path)}
        for name, (kind, record, path) in records.items()
    } | {
        name: {"type": _PARQUET, "filepath": str(path), "validator": f"posescope.core.tables.{schema}"}
        for name, (schema, path) in tables.items()
    }


def _make_catalog(pipeline: Pipeline, output: Path, given: Mapping[str, Any], kept: Mapping[str, Any]) -> DataCatalog:
    """Return the datasets: results as files, everything else in memory and without copies."""
    results = output / "results"
    tables = ("suspicious_annotations", "issues", "data_quality", "joint_scores_val")
    entries: dict[str, Any] = {
        "analysis_{name}": {"type": "posescope.datasets.AnalysisDataset", "filepath": str(results / "explainability/{name}")},
        "findings": {"type": _JSON, "filepath": str(results / "findings.json"), "save_args": {"indent": 2, "sort_keys": True}},
        "metrics": {"type": _JSON, "filepath": str(results / "metrics.json"), "save_args": {"indent": 2}},
        "suspicious_annotations_{split}": {"type": _JSON, "filepath": str(results / "suspicious_annotations_{split}.json")},
        **{
            name: {"type": _CSV, "filepath": str(results / f"{name}.csv"), "save_args": {"index": False}}
            for name in tables
            if name in pipeline.datasets()
        },
        **{page: {"type": "text.TextDataset", "filepath": str(output / name)} for page, name in _PAGES.items()},
        **kept,
    }
    catalog = DataCatalog.from_config(entries)
    for name in pipeline.datasets():
        if name in given:
            catalog[name] = MemoryDataset(given[name], copy_mode="assign")
        elif name not in catalog:
            catalog[name] = MemoryDataset(copy_mode="assign")
    return catalog


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Silence the logs: Kedro's name every node, and ours name parameters of a project; the pages state what matters."""
    loggers = [logging.getLogger(name) for name in ("kedro", "posescope")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _hooks(report_step: Callable[[str], None], analyses: Collection[str]) -> PluginManager:
    manager = PluginManager(HOOK_NAMESPACE)
    for specs in (NodeSpecs, DatasetSpecs):
        manager.add_hookspecs(specs)
    manager.register(_Progress(report_step, analyses))
    return manager


class _Progress:
    """Describe each step once, when its first node starts."""

    def __init__(self, report_step: Callable[[str], None], analyses: Collection[str]) -> None:
        self._report, self._analyses, self._known = report_step, analyses, set[str]()

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Report the step of a node."""
        step = _describe_step(node, self._analyses)
        if step and step not in self._known:
            self._known.add(step)
            self._report(step)


def _describe_step(node: Node, analyses: Collection[str]) -> str:
    """Return a description, '' for a node that does nothing here."""
    stage = (node.namespace or "").partition(".")[0]
    analysis = node.name.rpartition(".")[2]
    if analysis.startswith("analyse_"):
        analysis = analysis.removeprefix("analyse_")
        return f"analysis: {analysis.replace('_', ' ')}" if analysis in analyses else ""
    return {
        "data_engineering": "cropping the persons",
        "evaluation": "measuring the errors",
        "explainability": "reading the features",
        "reporting": "writing the pages",
    }.get(stage, stage)

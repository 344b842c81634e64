"""Hooks that write the record of a run (`runs.run_record`), for every runner, for partial runs, and after failures."""

import atexit
import logging
import os
import platform
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import settings
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from posescope.core.errors import PosescopeError, causes_of
from posescope.core.files import write_json
from posescope.core.mirrors import place_of
from posescope.kedro_support.dataset_paths import load_paths, save_path
from posescope.kedro_support.other_nodes import take_part
from posescope.kedro_support.parameter_checks import PATH_PARAMETERS
from posescope.kedro_support.run_journal import RunJournal
from posescope.kedro_support.tracking_hooks import ExperimentTracking
from posescope.runs.run_record import RunRecord, begin_record, describe_versions

__all__ = ["RecordedSession", "RunRecorder", "unwrap"]

logger = logging.getLogger(__name__)

_LAYERS_TO_SHOW = ("06_models", "07_model_output", "08_reporting")
_JOURNAL = "journal.jsonl"
_ASKED = (
    "tags", "node_names", "from_nodes", "to_nodes", "from_inputs", "to_outputs", "namespaces", "load_versions",
    "only_missing_outputs",
)  # fmt: skip


@dataclass(frozen=True)
class _OpenRun:
    """A run that has started and not ended."""

    path: Path
    project: Path
    pipeline: Pipeline
    catalog: DataCatalog
    record: RunRecord
    pid: int

    @property
    def journal(self) -> RunJournal:
        return RunJournal(self.path.with_name(_JOURNAL))


class RunRecorder:
    """Writes `runs/<run_id>/run.json`, and logs the paths of the outputs.

    A process may have several runs at once, in threads of Kedro's HTTP server, so the state of a run is kept by its id.
    """

    def __init__(self) -> None:
        self._open: dict[str, _OpenRun] = {}
        self._thread = threading.local()  # parameters of the run that starts in this thread, journal of its current node

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the merged parameters for the run that starts in this thread."""
        self._thread.parameters = context.config_loader["parameters"]

    @hook_impl(trylast=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Start the record after all checks: a run that is refused before its first node has none.

        Raises:
            DataError: if a record of that run exists.
        """
        record = _begin(run_params, getattr(self._thread, "parameters", {}))
        path = begin_record(catalog.load("run_records").folder_of(record.run_id), record)
        project = Path(run_params.get("project_path") or Path.cwd())
        if not self._open:
            atexit.register(self.interrupt_all)
        self._open[record.run_id] = _OpenRun(path, project, pipeline, catalog, record, os.getpid())

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog, run_id: str) -> None:
        """Record the inputs of the node. This may be a worker process, without any open run."""
        journal = RunJournal(catalog.load("run_records").folder_of(run_id) / _JOURNAL)
        self._thread.journal = journal
        journal.append(node.name, "started", read=load_paths(catalog, node.inputs))

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Record that its function has returned."""
        self._thread.journal.append(node.name, "computed")

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Record an output; Kedro saves it in the thread of the node."""
        self._thread.journal.append(node.name, "saved", dataset=dataset_name)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Write the record of the run, and log its outputs."""
        run = self._open.pop(str(run_params["run_id"]))
        _log_outputs(run, _finish(run, "completed", None))

    @hook_impl
    def on_pipeline_error(self, error: Exception, run_params: dict[str, Any]) -> None:
        """Write the record of a run that failed."""
        run = self._open.pop(str(run_params["run_id"]))
        _finish(run, "failed", error)
        logger.info("Record of this failed run: %s", _relative(place_of(run.path), run.project))

    def interrupt(self, run_id: str, error: BaseException | None = None) -> None:
        """Write the record of an interrupted run, unless it has ended or not started.

        Args:
            run_id: The run.
            error: The interruption.
        """
        run = self._open.pop(run_id, None)
        if run is not None and run.pid == os.getpid():
            _finish(run, "interrupted", error)
            logger.info("Record of this interrupted run: %s", _relative(place_of(run.path), run.project))

    def interrupt_all(self) -> None:
        """Write the records of all open runs at the end of the process."""
        for run_id in list(self._open):
            self.interrupt(run_id)


class RecordedSession(KedroSession):
    """Kedro's session, which calls the recorder and the tracking on Ctrl-C: Kedro has no hook for it.

    On another node than the main one of a training it runs the training only (`other_nodes`), and returns no output.
    """

    def run(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Run as Kedro does."""
        if take_part(self, self._hook_manager, options):
            return {}
        try:
            return dict(super().run(*arguments, **options))
        except (KeyboardInterrupt, SystemExit) as error:
            plugins = self._hook_manager.get_plugins()
            for kind in (RunRecorder, ExperimentTracking):  # the tracking reads the record
                for plugin in plugins:
                    if isinstance(plugin, kind):
                        plugin.interrupt(self.session_id, error)
            raise


def unwrap(error: BaseException) -> PosescopeError | None:
    """Return the outermost `PosescopeError` among an exception and its causes, None if there is none.

    Kedro wraps the errors of datasets, and a dataset may wrap other errors.
    """
    return next((item for item in causes_of(error) if isinstance(item, PosescopeError)), None)


def _begin(run_params: Mapping[str, Any], parameters: Mapping[str, Any]) -> RunRecord:
    return RunRecord(
        status="running",
        error=None,
        run_id=str(run_params["run_id"]),
        started_utc=_now(),
        ended_utc=None,
        process={"pid": os.getpid(), "host": platform.node()},
        pipelines=tuple(run_params.get("pipeline_names") or ["__default__"]),
        selection={name: _as_json(run_params[name]) for name in _ASKED if run_params.get(name)},
        nodes=(),
        unfinished_nodes=(),
        # Kedro passes the text of the object, such as <kedro.runner.sequential_runner.SequentialRunner object at 0x7f...>.
        runner=str(run_params.get("runner") or "SequentialRunner").partition(" object at ")[0].rpartition(".")[2].lstrip("<"),
        env=run_params.get("env") or str(settings.CONFIG_LOADER_ARGS.get("default_run_env") or "base"),
        parameters={name: place_of(value) if name in PATH_PARAMETERS else value for name, value in parameters.items()},
        versions=describe_versions(),
        inputs={},
        outputs={},
        data_fingerprint=None,
        metrics=None,
    )


def _finish(run: _OpenRun, status: Literal["completed", "failed", "interrupted"], error: BaseException | None) -> RunRecord:
    lines, catalog = run.journal.read(), run.catalog
    started = list(dict.fromkeys(line["node"] for line in lines if line["event"] == "started"))
    saved = {line["dataset"] for line in lines if line["event"] == "saved"}
    read = {name: place for line in lines if line["event"] == "started" for name, place in line["read"].items()}
    ran = _nodes_that_ran(run.pipeline, lines)
    outputs = {name: place_of(place) for name in sorted(saved) if (place := save_path(catalog.get(name)))}
    inputs = {name: place_of(place) for name, place in sorted(read.items()) if name not in saved}
    record = replace(
        run.record,
        status=status,
        error=None if error is None else _in_one_line(unwrap(error) or error),
        ended_utc=_now(),
        nodes=tuple(name for name in started if name in ran),
        unfinished_nodes=tuple(name for name in started if name not in ran),
        inputs=inputs,
        outputs=outputs,
        data_fingerprint=_data_fingerprint(catalog, inputs, outputs),
        metrics=catalog.load("metrics") if "metrics" in outputs else None,
    )
    write_json(run.path, asdict(record))
    run.journal.remove()
    return record


def _log_outputs(run: _OpenRun, record: RunRecord) -> None:
    shown = {name: place for name, place in record.outputs.items() if any(layer in place for layer in _LAYERS_TO_SHOW)}
    width = max(map(len, shown), default=0)
    ordered = sorted(shown.items(), key=lambda item: item[1])
    if lines := [f"  {name:<{width}} {_relative(place, run.project)}" for name, place in ordered]:
        logger.info("Outputs:\n%s", "\n".join(lines))
    logger.info("Record of this run: %s", _relative(place_of(run.path), run.project))
    if "report" in record.outputs:
        logger.info("Report: %s", _relative(record.outputs["report"], run.project))


def _nodes_that_ran(pipeline: Pipeline, lines: list[dict[str, Any]]) -> set[str]:
    """Return the names of the nodes that have saved all outputs."""
    computed = {line["node"] for line in lines if line["event"] == "computed"}
    saved = {(line["node"], line["dataset"]) for line in lines if line["event"] == "saved"}
    return {
        node.name
        for node in pipeline.nodes
        if node.name in computed and all((node.name, output) in saved for output in node.outputs)
    }


def _data_fingerprint(catalog: DataCatalog, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> str | None:
    """Return the fingerprint of the crops, joints and splits that a run has read or computed, None if there are none."""
    if not {"crops", "crop_statistics"} & set(inputs) and "crop_statistics" not in outputs:
        return None
    known = "crop_statistics" in catalog and catalog.exists("crop_statistics")
    return str(catalog.load("crop_statistics").data_fingerprint) if known else None


def _as_json(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value if isinstance(value, bool | str) else list(value)


def _in_one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _relative(place: str, project: Path) -> str:
    path = Path(place)
    return str(path.relative_to(project)) if path.is_relative_to(project) else place

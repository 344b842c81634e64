"""Hook that passes a run to its experiment loggers (parameters `tracking`): observers for its trainings, and its end."""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog

from posescope.core.files import read_json
from posescope.kedro_support.dataset_paths import save_path
from posescope.tracking.base import check_installed
from posescope.tracking.final_metrics import gather_final_metrics
from posescope.tracking.options import TrackingOptions
from posescope.tracking.records import Outcome, RunStatus
from posescope.tracking.run_tracking import RunTracking, use_tracking

__all__ = ["ExperimentTracking"]

log = logging.getLogger(__name__)

_PARAMETERS, _RECORDS = "params:tracking", "run_records"
_FILES = ("model", "report", "findings", "metrics", "model_card")


@dataclass(frozen=True)
class _TrackedRun:
    """A run with experiment loggers that has started and not ended."""

    record: Path
    catalog: DataCatalog


class ExperimentTracking:
    """Opens the loggers when a training begins, or, in a run without training, at its end. A failing logger is one warning."""

    def __init__(self) -> None:
        self._open: dict[str, _TrackedRun] = {}  # by the id of the run; Kedro's HTTP server may have several
        self._thread = threading.local()  # what is undone after the node of this thread

    @hook_impl
    def before_pipeline_run(self, run_params: Mapping[str, Any], catalog: DataCatalog) -> None:
        """Check that the loggers are installed.

        Raises:
            MissingPackageError: the packages of a logger are missing.
        """
        options = _options_of(catalog)
        if options.loggers:
            check_installed(options.loggers)
            run_id = str(run_params["run_id"])
            self._open[run_id] = _TrackedRun(_record_of(catalog, run_id), catalog)

    @hook_impl
    def before_node_run(self, catalog: DataCatalog, run_id: str) -> None:
        """Run the node with the tracking. This may be a worker process, without any open run."""
        self._end_node()
        if _options_of(catalog).loggers:
            path = _record_of(catalog, str(run_id))
            self._thread.node = ExitStack()
            self._thread.node.enter_context(use_tracking(RunTracking.of_record(read_json(path), _reports_of(path))))

    @hook_impl
    def after_node_run(self) -> None:
        """Run what follows without the tracking."""
        self._end_node()

    @hook_impl
    def on_node_error(self) -> None:
        """Run what follows without the tracking."""
        self._end_node()

    @hook_impl(trylast=True)  # after the record of the run is written
    def after_pipeline_run(self, run_params: Mapping[str, Any]) -> None:
        """Log the end of the run."""
        self._finish(str(run_params["run_id"]), "completed")

    @hook_impl(trylast=True)
    def on_pipeline_error(self, run_params: Mapping[str, Any]) -> None:
        """Log the end of a run that failed."""
        self._finish(str(run_params["run_id"]), "failed")

    def interrupt(self, run_id: str, error: BaseException | None = None) -> None:
        """Log the end of an interrupted run, unless it has ended or not started.

        Args:
            run_id: the run.
            error: the interruption.
        """
        self._finish(run_id, "interrupted")

    def _finish(self, run_id: str, status: RunStatus) -> None:
        run = self._open.pop(run_id, None)
        if run is None:
            return
        try:
            record = read_json(run.record)
            outcome = Outcome(
                status,
                record["error"],
                gather_final_metrics(record["metrics"]),
                {name: path for name, path in _paths_of(record["outputs"], run.catalog) if name in _FILES},
                {name: path for name, path in _paths_of(record["outputs"], run.catalog) if path.suffix == ".png"},
            )
            RunTracking.of_record(record, _reports_of(run.record)).finish(outcome)
        except Exception as error:  # the run is complete; its loggers must not make it fail
            log.warning("The end of the run could not be passed to its experiment loggers: %s: %s", type(error).__name__, error)

    def _end_node(self) -> None:
        node = getattr(self._thread, "node", None)
        if node is not None:
            self._thread.node = None
            node.close()


def _options_of(catalog: DataCatalog) -> TrackingOptions:
    if _PARAMETERS not in catalog:
        return TrackingOptions()
    found = catalog.load(_PARAMETERS)
    return found if isinstance(found, TrackingOptions) else TrackingOptions.model_validate(found)


def _record_of(catalog: DataCatalog, run_id: str) -> Path:
    """Return the path of the record of a run, which may not be written yet."""
    return Path(catalog.load(_RECORDS).folder_of(run_id)) / "run.json"


def _reports_of(record: Path) -> Path:
    """Return the folder of the reports of a data folder, given the record of a run in it."""
    return record.parents[2]


def _paths_of(names: Mapping[str, str], catalog: DataCatalog) -> Iterator[tuple[str, Path]]:
    """Yield the local paths of the outputs of a run that exist."""
    for name in names:
        path = save_path(catalog.get(name))
        if path is not None and Path(path).exists():
            yield name, Path(path)

"""Experiment logger for MLflow: a run in a tracking server, or in an SQLite file of the data folder."""

import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from PIL import Image
from pydantic import Field, field_validator

from posescope.core.errors import OptionsError
from posescope.core.mirrors import remote_of
from posescope.core.plugins import Options
from posescope.tracking.records import Epoch, EpochImage, Outcome, TrackedRun

if TYPE_CHECKING:
    from mlflow.entities import Run

__all__ = ["MlflowLogger", "MlflowOptions", "shorten"]

_RUN_TAG, _PARENT_TAG = "posescope.run", "mlflow.parentRunId"
_STATUS = {"completed": "FINISHED", "failed": "FAILED", "interrupted": "KILLED", "pruned": "KILLED"}
_STATUS_TAG, _ERROR_TAG = "posescope.status", "posescope.error"
_IMAGE = "validation_persons"
# Limits of MLflow.
_MAX_NAME, _MAX_VALUE, _MAX_TAG, _MAX_PARAMETERS, _MAX_METRICS = 250, 6000, 8000, 100, 1000
# An MLflow client tries for minutes to reach a server that is gone, with a warning each time. The next epoch is the next attempt.
_HTTP = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class MlflowOptions(Options):
    """Options of the logger `mlflow`."""

    uri: str | None = Field(
        None,
        description="Address of a tracking server (http://host:5000) or of a database (sqlite:////path/mlflow.db); null: "
        "08_reporting/mlflow/mlflow.db of data_dir",
    )
    experiment: str = Field(
        "posescope", min_length=1, max_length=250, description="Name of the experiment, which is created if it is missing"
    )
    model: bool = Field(True, description="Whether the folder of the trained model is uploaded")

    @field_validator("uri")
    @classmethod
    def _check_uri(cls, uri: str | None) -> str | None:
        parts = urlsplit(uri or "")
        is_token = parts.scheme in ("http", "https") and parts.username is not None
        if parts.password is not None or is_token:
            raise ValueError(
                "expected an address without a password or token, which the record of the run would contain, found one; set "
                "the "
                "environment variables MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_TOKEN of a "
                "server, and for a database those of its client, such as PGPASSWORD"
            )
        return uri


class MlflowLogger:
    """Log the parameters, metrics and files of a run to MLflow."""

    Options = MlflowOptions
    requires = ("mlflow", "sqlalchemy", "alembic")

    def __init__(self, options: MlflowOptions, run: TrackedRun) -> None:
        """Open the run of MLflow that has the name of the tracked run, or create it.

        Raises:
            OptionsError: if `data_dir` is in object storage and no `uri` is given: the database of this machine would replace the
                stored one.
        """
        if options.uri is None and remote_of(run.folder) is not None:
            raise OptionsError(
                "tracking.loggers: mlflow: expected an uri, since data_dir is in object storage, where the database of this "
                "machine would replace that of earlier runs; found none. Set uri to a tracking server or to a database."
            )
        for name, value in _HTTP.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient  # noqa: PLC0415 (extra `track`)

        for name in ("mlflow", "alembic"):  # they log every step of the creation of a database
            logging.getLogger(name).setLevel(logging.WARNING)
        self._options, self._run = options, run
        self._local = None if options.uri else run.folder / "mlflow"  # on this machine
        self._client = MlflowClient(options.uri or self._create_local(run.folder / "mlflow"))
        experiment = self._find_experiment()
        parent = self._find_or_create(experiment, run.parent) if run.parent else None
        found = self._find_or_create(experiment, run, parent and parent.info.run_id)
        self._id, self._last_epoch = found.info.run_id, 0
        if found.info.status != "RUNNING":
            self._client.update_run(self._id, status="RUNNING")
            for tag in {_STATUS_TAG, _ERROR_TAG} & set(found.data.tags):  # of its former end
                self._client.delete_tag(self._id, tag)

    def logged_epochs(self) -> frozenset[int]:
        """Return the epochs whose validation loss MLflow has."""
        steps = frozenset(metric.step for metric in self._client.get_metric_history(self._id, "val_loss"))
        self._last_epoch = max(steps, default=0)
        return steps

    def log_epochs(self, epochs: Sequence[Epoch]) -> None:
        """Log the metrics; the step is the epoch."""
        self._log_metrics((name, value, epoch.number) for epoch in epochs for name, value in epoch.values.items())
        self._last_epoch = max([self._last_epoch, *(epoch.number for epoch in epochs)])

    def log_image(self, image: EpochImage) -> None:
        """Log an image grid; the step is the epoch."""
        with Image.open(image.path) as content:
            self._client.log_image(self._id, content.convert("RGB"), key=_IMAGE, step=image.epoch)

    def finish(self, outcome: Outcome) -> None:
        """Log final metrics with `_low` and `_high`, files and the status, and end the run."""
        self._log_metrics(
            (name + end, value, self._last_epoch)
            for metric in outcome.metrics
            for name in (metric.name.replace("/", "."),)
            for end, value in (("", metric.value), ("_low", metric.low), ("_high", metric.high))
            if value is not None
        )
        self._client.set_tag(self._id, _STATUS_TAG, outcome.status)
        if outcome.error:
            self._client.set_tag(self._id, _ERROR_TAG, shorten(outcome.error, _MAX_TAG))
        for path in outcome.images.values():
            self._client.log_artifact(self._id, str(path), "images")
        for name, path in outcome.files.items():
            if path.is_dir():
                if self._options.model:
                    self._client.log_artifacts(self._id, str(path), name)
            else:
                self._client.log_artifact(self._id, str(path))
        self._client.set_terminated(self._id, _STATUS[outcome.status])

    def close(self) -> None:
        """Do nothing: MLflow keeps no connection."""

    def _create_local(self, folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{folder.absolute()}/mlflow.db"

    def _find_experiment(self) -> str:
        name = self._options.experiment
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        place = (self._local / "artifacts").absolute().as_uri() if self._local else None
        return str(self._client.create_experiment(name, artifact_location=place))

    def _find_or_create(self, experiment: str, run: TrackedRun, parent: str | None = None) -> "Run":
        """Return the run with the tag of a tracked run; if there is none, create it with its parameters."""
        found: Sequence[Run] = self._client.search_runs([experiment], f"tags.`{_RUN_TAG}` = '{run.name}'", max_results=1)
        if found:
            self._log_parameters(found[0].info.run_id, run, found[0].data.params)
            return found[0]
        facts = {f"posescope.{name}": shorten(value, _MAX_TAG) for name, value in run.facts.items()}
        tags = {_RUN_TAG: run.name, **facts, **({_PARENT_TAG: parent} if parent else {})}
        created: Run = self._client.create_run(experiment, tags=tags, run_name=run.name)
        self._log_parameters(created.info.run_id, run, {})
        return created

    def _log_parameters(self, run_id: str, run: TrackedRun, known: Mapping[str, str]) -> None:
        """Log the parameters that the run lacks.

        MLflow does not change a parameter: a tag names those that differ in a later process.
        """
        from mlflow.entities import Param, RunTag  # noqa: PLC0415

        flat = {shorten(_valid_name(name), _MAX_NAME): _as_text(value) for name, value in run.parameters.items()}
        long = [name for name, value in flat.items() if len(value) > _MAX_VALUE]
        flat = {name: shorten(value, _MAX_VALUE) for name, value in flat.items()}
        for part in _batches([Param(name, value) for name, value in flat.items() if name not in known], _MAX_PARAMETERS):
            self._client.log_batch(run_id, params=part)
        changed = [name for name, value in flat.items() if name in known and known[name] != value]
        notes = {"posescope.shortened_parameters": long, "posescope.changed_parameters": changed}
        tags = [RunTag(name, shorten(", ".join(names), _MAX_TAG)) for name, names in notes.items() if names]
        if tags:
            self._client.log_batch(run_id, tags=tags)

    def _log_metrics(self, metrics: Iterator[tuple[str, float, int]]) -> None:
        from mlflow.entities import Metric  # noqa: PLC0415

        now_ms = int(time.time() * 1000)
        rows = [Metric(shorten(_valid_name(name), _MAX_NAME), value, now_ms, step) for name, value, step in metrics]
        for part in _batches(rows, _MAX_METRICS):
            self._client.log_batch(self._id, metrics=part)


def shorten(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters; a longer one ends with `...`.

    Example:
        >>> shorten("abcdef", 5)
        'ab...'
    """
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _batches(rows: Sequence[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def _valid_name(name: str) -> str:
    """Return a name with the characters that MLflow allows: `pck@0.2` is `pck_at_0.2`."""
    return re.sub(r"[^\w\-. /]", "_", name.replace("@", "_at_"), flags=re.ASCII)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

"""Finished runs, found by their id or their folder, with their scores per person and per joint.

    <data_dir>/08_reporting/runs/<id>/run.json          the record: parameters, and the places of the outputs
               07_model_output/val/person_scores.parquet/<version>/person_scores.parquet

A data_dir may have been moved: outputs are looked for below its current place first, then at the recorded place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from posescope.artifacts.description import DESCRIPTION, ModelFolderError, model_fingerprint
from posescope.core.errors import DataError, pluralise
from posescope.core.files import read_json
from posescope.core.mirrors import fetch_address, local_path_of
from posescope.core.origin import Origin, check_origins, origin_of_table
from posescope.core.paths import expand_home, is_address
from posescope.evaluation.table_schemas import JointHits, PersonScores
from posescope.runs.project_models import find_model
from posescope.runs.run_record import RunFolder

__all__ = ["FinishedRun", "find_run", "find_trained_model"]

_RUNS = PurePath("08_reporting", "runs")
_SCORES, _HITS = "person_scores_val", "joint_hits_val"
_REMEDY = "Run the pipeline evaluation."


@dataclass(frozen=True)
class FinishedRun:
    """A run with its record.

    Attributes:
        data_dir: current place of its outputs.
        record: content of its `run.json`.
        selection_reason: why this run was selected from a folder of several runs, as a sentence; '' otherwise.
    """

    data_dir: Path
    record: Mapping[str, Any]
    selection_reason: str = ""

    @property
    def run_id(self) -> str:
        """The id given by Kedro."""
        return str(self.record["run_id"])

    @property
    def has_scores(self) -> bool:
        """Whether the run completed and scored the validation persons."""
        return self.record["status"] == "completed" and _SCORES in self.record["outputs"]

    @property
    def flip_test(self) -> bool | None:
        """Whether the model averaged with the mirrored crop; None if unknown, or if another system's results were scored."""
        found = self.parameter("evaluation", "prediction", "flip_test")
        return None if found is None or self.results else bool(found)

    @property
    def results(self) -> str | None:
        """Path of another system's results, if these were scored in place of a model."""
        found = self.parameter("evaluation", "results")
        return None if found is None else str(found)

    @property
    def raw_dir(self) -> str | None:
        """Folder of the data set; None if unknown."""
        recorded = self._places.get("raw_source")
        return None if recorded is None else local_path_of(recorded)

    @property
    def has_joints(self) -> bool:
        """Whether the run has a table of joints."""
        return _HITS in self.record["outputs"]

    def parameter(self, *keys: str) -> Any:
        """Return one of its parameters; None if the record does not hold it.

        Args:
            keys: the path of the parameter, for example "evaluation", "scoring", "protocol".
        """
        content: Any = self.record["parameters"]
        for key in keys:
            content = content.get(key) if isinstance(content, Mapping) else None
        return content

    @cached_property
    def origin(self) -> Origin | None:
        """Model, data and results that the table of persons states; None for a table of an older version.

        Raises:
            DataError: if the run has no such table, if its rows state different origins, or if table and record disagree on
                whether a model or another system's results were scored.
        """
        table = pd.read_parquet(self.path_of(_SCORES))
        found = origin_of_table(table)
        if found is None and len(table) and {"model", "data"} & set(table):
            raise DataError(f"Run {self.run_id}: the rows of {_SCORES} are of different models or data. {_REMEDY}")
        if found is not None and found.results is not None and bool(found.results) != (self.results is not None):
            kinds = ("a model", f"the results {self.results}")
            raise DataError(
                f"Run {self.run_id}: according to its record {kinds[self.results is not None]} was scored, but its table "
                f"{_SCORES} disagrees (results: {found.results or 'none'}). They are of different runs. {_REMEDY}"
            )
        return found

    @property
    def model_folder(self) -> Path | None:
        """Folder of the model that the run made or read, at its current place; None if it has none."""
        recorded = self._places.get("model")
        return None if recorded is None else self._current_path(recorded)

    def model_fingerprint(self) -> str | None:
        """Return the fingerprint of the scored model, as the table of persons states it.

        For a table of an older version it is that of the recorded model folder. None if that folder is gone, or if another
        system's results were scored.
        """
        if self.origin is not None and self.origin.model is not None:
            return self.origin.model or None
        return self._fingerprint_of_recorded_model()

    def data_fingerprint(self) -> str | None:
        """Return the fingerprint of the data, as the table of persons states it; for a table of an older version, as recorded."""
        stated = None if self.origin is None else self.origin.data
        return stated if stated is not None else self.record["data_fingerprint"]

    def differences(self) -> list[str]:
        """Return the contradictions between the record, the model folder and the tables of this run, one sentence each."""
        found, recorded, sentences = self.origin, self.record["data_fingerprint"], []
        if found is not None and None not in (found.data, recorded) and found.data != recorded:
            sentences.append(f"Run {self.run_id}: its scores are of the data {found.data}, its record states {recorded}.")
        current = self._fingerprint_of_recorded_model() if found is not None and found.model else None
        if found is not None and current is not None and current != found.model:
            sentences.append(
                f"Run {self.run_id}: its scores are of the model {found.model}, but the recorded folder now holds another model "
                f"({current})."
            )
        return sentences

    def person_scores(self) -> pd.DataFrame:
        """Return its `PersonScores` table. A table of an older version holds found persons only.

        Raises:
            DataError: if the run has no such table, or the file is gone; as for `origin`.
        """
        table = pd.read_parquet(self.path_of(_SCORES))
        return pd.DataFrame(PersonScores.validate(table if "found" in table else table.assign(found=True)))

    def joint_hits(self) -> pd.DataFrame | None:
        """Return its `JointHits` table; None if the run is older than this table.

        Raises:
            DataError: if the file is gone, or is of another model or other data than the table of persons.
        """
        if not self.has_joints:
            return None
        table = pd.read_parquet(self.path_of(_HITS))
        if len(table):
            check_origins(self.origin, {f"{_HITS} of run {self.run_id}": origin_of_table(table)}, "evaluation")
        return pd.DataFrame(JointHits.validate(table))

    def path_of(self, dataset: str) -> Path:
        """Return the current path of a dataset that the run read or wrote, by its name in the catalog.

        Raises:
            DataError: if the run neither read nor wrote it, or it is gone.
        """
        if dataset not in self._places:
            raise DataError(f"Run {self.run_id} neither read nor wrote {dataset}. {_REMEDY}")
        if not (path := self._current_path(self._places[dataset])).exists():
            raise DataError(f"{path}: not found; run {self.run_id} had its {dataset} there.")
        return path

    def describe(self) -> dict[str, Any]:
        """Return the run, its model and its data for JSON."""
        return {
            "run_id": self.run_id,
            "data_dir": str(self.data_dir),
            "model_fingerprint": self.model_fingerprint(),
            "results": self.results,
            "results_fingerprint": None if self.origin is None else self.origin.results or None,
            "data_fingerprint": self.data_fingerprint(),
            "flip_test": self.flip_test,
            "protocol": self.parameter("evaluation", "scoring", "protocol"),
            "raw_dir": self.raw_dir,
        }

    @property
    def _places(self) -> dict[str, str]:
        return {**self.record["inputs"], **self.record["outputs"]}

    def _fingerprint_of_recorded_model(self) -> str | None:
        recorded = None if self.results else self._places.get("model")
        try:
            return None if recorded is None else model_fingerprint(self._current_path(recorded))
        except ModelFolderError:
            return None

    def _current_path(self, recorded: str) -> Path:
        """Return the path below the current data_dir, from the folder of its layer on, or the recorded path."""
        parts = PurePath(recorded).parts
        layers = [place for place, part in enumerate(parts) if part[:2].isdigit() and part[2:3] == "_"]
        below = next((path for place in layers if (path := self.data_dir.joinpath(*parts[place:])).exists()), None)
        return below or Path(recorded)


def find_run(name: str, data_dir: Path) -> FinishedRun:
    """Return the run with scores that a name refers to.

    Args:
        name: id of a run below `data_dir`, folder of a run (`.../08_reporting/runs/<id>`), or any data_dir. Of a data_dir the
            newest run that scored a model is returned, or, if all runs scored files of results, the newest of them.
        data_dir: where runs are looked for by id.

    Raises:
        DataError: if there is no such run (the message lists the existing ones), or it has no scores.
    """
    folder = fetch_address(name) if is_address(name) else Path(name)
    if (folder / "run.json").is_file():
        return _with_scores(_read_run(folder.resolve()))
    if (folder / _RUNS).is_dir():
        return _newest_with_scores(folder)
    place = RunFolder(data_dir / _RUNS).folder_of(name)
    if not (place / "run.json").is_file():
        raise DataError(
            f"No run '{name}' in {data_dir / _RUNS}, and no folder of this name with runs. Runs with scores: "
            f"{', '.join(run.run_id for run in _runs_below(data_dir) if run.has_scores) or 'none'}. Name another place by "
            "--data-dir."
        )
    return _with_scores(_read_run(place))


def find_trained_model(name: str, data_dir: Path) -> Path:
    """Return the folder of the model that a run trained, or that a path leads to.

    Args:
        name: id of a run below `data_dir`, folder of a run, or a path as for `project_models.find_model`.
        data_dir: where runs are looked for by id.

    Raises:
        DataError: if there is no such run or folder, or the run has no model.
    """
    path = Path(expand_home(name))
    records = (path, RunFolder(data_dir / _RUNS).folder_of(name))
    folder = next((folder for folder in records if (folder / "run.json").is_file()), None)
    if folder is not None:
        run = _read_run(folder.resolve())
        model = run.model_folder
        if model is None or not (model / DESCRIPTION).is_file():
            raise DataError(f"Run {run.run_id} ({folder}): expected a run with a trained model, found none ({model}).")
        return model
    if path.exists():
        return find_model(path)
    with_model = [run.run_id for run in _runs_below(data_dir) if (found := run.model_folder) and found.is_dir()]
    raise DataError(
        f"Expected a model folder, a data_dir, or a run of {data_dir / _RUNS}, found no '{name}'. Runs with a model: "
        f"{', '.join(with_model) or 'none'}."
    )


def _read_run(folder: Path) -> FinishedRun:
    path = folder / "run.json"
    record = read_json(path)
    missing = {"run_id", "status", "parameters", "inputs", "outputs", "data_fingerprint"} - set(record)
    if missing:
        raise DataError(f"{path}: expected the record of a run; it lacks {', '.join(sorted(missing))}.")
    return FinishedRun(folder.parents[2], record)


def _runs_below(data_dir: Path) -> list[FinishedRun]:
    """Return all runs, the oldest first: ids are times."""
    return [_read_run(path.parent) for path in sorted((data_dir / _RUNS).glob("*/run.json"))]


def _newest_with_scores(folder: Path) -> FinishedRun:
    scored = [run for run in _runs_below(folder) if run.has_scores]
    if not scored:
        raise DataError(f"{folder / _RUNS}: no run completed with scores of persons. {_REMEDY}")
    of_models = [run for run in scored if not run.results]
    selected, newest = (of_models or scored)[-1], scored[-1]
    reason = f"{folder}: selected {selected.run_id}, the newest of {pluralise(len(scored), 'run')} with scores."
    if selected is not newest:
        reason = (
            f"{folder}: selected {selected.run_id}, the newest run of a model. The newest run, {newest.run_id}, scored the "
            f"results {newest.results}: name it by its id to compare it."
        )
    return replace(selected, selection_reason=reason)


def _with_scores(run: FinishedRun) -> FinishedRun:
    if not run.has_scores:
        pipelines = ", ".join(run.record.get("pipelines", ()))
        raise DataError(f"Run {run.run_id} ({run.record['status']}: {pipelines}) has no scores of persons. {_REMEDY}")
    return run

"""Finished runs, found again by their id or their folder: what they scored, person by person.

    <data_dir>/08_reporting/runs/<id>/run.json          the record: what was asked, where the outputs lie
               07_model_output/val/person_scores.parquet/<version>/person_scores.parquet

A data_dir may have been moved since: what lies below it is looked for there first, and then where the record says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from posescope.artifacts.description import ModelFolderError, model_fingerprint
from posescope.core.errors import DataError, pluralise
from posescope.core.files import read_json
from posescope.core.origin import Origin, check_origins, origin_of_table
from posescope.evaluation.table_schemas import JointHits, PersonScores

__all__ = ["FinishedRun", "check_comparable", "find_run", "describe_differences"]

_RUNS = PurePath("08_reporting", "runs")
_SCORES, _HITS = "person_scores_val", "joint_hits_val"


@dataclass(frozen=True)
class FinishedRun:
    """A run with its record.

    Attributes:
        data_dir: where its outputs lie now.
        record: content of its `run.json`.
        selection_reason: in words, why it was taken where somebody named a folder of several runs.
    """

    data_dir: Path
    record: Mapping[str, Any]
    selection_reason: str = ""

    @property
    def run_id(self) -> str:
        """As Kedro gave it."""
        return str(self.record["run_id"])

    @property
    def has_scores(self) -> bool:
        """Whether it came to its end and has scored the validation persons."""
        return self.record["status"] == "completed" and _SCORES in self.record["outputs"]

    @property
    def flip_test(self) -> bool | None:
        """Whether it averaged with the mirrored image; None where its record does not say."""
        found = self.parameter("evaluation", "prediction", "flip_test")
        return None if found is None or self.results else bool(found)

    @property
    def results(self) -> str | None:
        """The file of another system's results, if it is those that were scored, and not a model."""
        found = self.parameter("evaluation", "results")
        return None if found is None else str(found)

    @property
    def raw_dir(self) -> str | None:
        """The folder of the data set that it was scored on; None where its record does not say."""
        return self._places.get("raw_source")

    @property
    def has_joints(self) -> bool:
        """Whether it has kept the table of joints."""
        return _HITS in self.record["outputs"]

    def parameter(self, *keys: str) -> Any:
        """What one of its parameters was; None if it is not in its record."""
        return _below(self.record["parameters"], *keys)

    @cached_property
    def origin(self) -> Origin | None:
        """Which model, data and results its table of persons says that it is of; None for a table of an older version.

        Raises:
            DataError: if the run has no such table, if its rows say different things, or if it says that a model was scored
                where the record says that a file of results was, or the reverse.
        """
        table = self._read(_SCORES)
        found = origin_of_table(table)
        if found is None and len(table) and {"model", "data"} & set(table):
            raise DataError(f"The run {self.run_id}: the rows of {_SCORES} are of different models or data. {_MEND}")
        if found is not None and found.results is not None and bool(found.results) != (self.results is not None):
            kinds = ("a model", f"the results {self.results}")
            raise DataError(
                f"The run {self.run_id}: its record says that {kinds[self.results is not None]} was scored; its table {_SCORES} "
                f"is of another kind (results: {found.results or 'none'}). They are of different runs. {_MEND}"
            )
        return found

    def model_fingerprint(self) -> str | None:
        """Return the fingerprint of the model that was scored, as the table of persons says.

        For an older table it is that of the model folder in the record; None if there is none any more, or if another system's
        results were scored.
        """
        if self.origin is not None and self.origin.model is not None:
            return self.origin.model or None
        return self._model_at_its_place()

    def data_fingerprint(self) -> str | None:
        """Return the fingerprint of the data, as the table of persons says; for an older table, as the record says."""
        told = None if self.origin is None else self.origin.data
        return told if told is not None else self.record["data_fingerprint"]

    def differences(self) -> list[str]:
        """Return in what the record, the model folder and the tables of this run contradict each other, a sentence each."""
        found, recorded, said = self.origin, self.record["data_fingerprint"], []
        if found is not None and None not in (found.data, recorded) and found.data != recorded:
            said.append(f"The run {self.run_id}: its scores are of the data {found.data}; its record says {recorded}.")
        there = self._model_at_its_place() if found is not None and found.model else None
        if found is not None and there is not None and there != found.model:
            said.append(
                f"The run {self.run_id}: its scores are of the model {found.model}; in the folder that its record names is "
                f"another model now ({there})."
            )
        return said

    def _model_at_its_place(self) -> str | None:
        place = None if self.results else self._places.get("model")
        try:
            return None if place is None else model_fingerprint(self._place(place))
        except ModelFolderError:
            return None

    def person_scores(self) -> pd.DataFrame:
        """Its `PersonScores` table. One of an older run does not know whom it has missed: it holds the found alone.

        Raises:
            DataError: if the run has none, or the file is gone; as for `origin`.
        """
        table = self._read(_SCORES)
        return pd.DataFrame(PersonScores.validate(table if "found" in table else table.assign(found=True)))

    def joint_hits(self) -> pd.DataFrame | None:
        """Its `JointHits` table; None if the run is older than this table.

        Raises:
            DataError: if the run made one, and the file is gone; if it is of another model or other data than the table of
                persons.
        """
        if not self.has_joints:
            return None
        table = self._read(_HITS)
        if len(table):
            check_origins(self.origin, {f"{_HITS} of the run {self.run_id}": origin_of_table(table)}, "evaluation")
        return pd.DataFrame(JointHits.validate(table))

    def describe(self) -> dict[str, Any]:
        """As JSON: which run, which model, which data."""
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

    def _read(self, name: str) -> pd.DataFrame:
        path = self._place(self.record["outputs"][name])
        if not path.is_file():
            raise DataError(f"{path}: there is no such file; the run {self.run_id} wrote its {name} there.")
        return pd.read_parquet(path)

    def _place(self, recorded: str) -> Path:
        """Where an output lies now: below the data_dir, from the layer's folder on (`07_model_output/...`), or as recorded."""
        parts = PurePath(recorded).parts
        layers = [place for place, part in enumerate(parts) if part[:2].isdigit() and part[2:3] == "_"]
        below = next((path for place in layers if (path := self.data_dir.joinpath(*parts[place:])).exists()), None)
        return below or Path(recorded)


def find_run(name: str, data_dir: Path) -> FinishedRun:
    """The run that somebody means.

    Args:
        name: an id of a run below `data_dir`; or a folder: of a run (`.../08_reporting/runs/<id>`), or any data_dir, of which
            the newest run that has scored a model is taken, or, if all have scored files of results, the newest of them.
        data_dir: where runs with an id are looked for.

    Raises:
        DataError: if there is no such run (the message lists those that there are), or it has no scores of persons.
    """
    folder = Path(name)
    if (folder / "run.json").is_file():
        return _with_scores(_read_run(folder.resolve()))
    if (folder / _RUNS).is_dir():
        return _newest_of_a_model(folder)
    place = data_dir / _RUNS / name.replace(":", ".")
    if not (place / "run.json").is_file():
        raise DataError(
            f"There is no run '{name}' in {data_dir / _RUNS}, and no folder of this name that holds runs. Runs with scores: "
            f"{', '.join(run.run_id for run in _runs_below(data_dir) if run.has_scores) or 'none'}. "
            "--data-dir names another place."
        )
    return _with_scores(_read_run(place))


def check_comparable(first: FinishedRun, second: FinishedRun) -> None:
    """See that two runs were asked about the same validation set.

    Raises:
        DataError: if they read other files, or their data was generated in another way.
    """
    for key in ("source", "sample"):
        parameter = [run.parameter("data_engineering", key) for run in (first, second)]
        values = [{**value, "workers": None} if isinstance(value, Mapping) else value for value in parameter]
        if values[0] != values[1]:
            raise DataError(
                f"The runs were scored on different persons: data_engineering.{key} is {parameter[0]} in A, {parameter[1]} in B. "
                f"Only "
                "runs on the same validation set can be compared."
            )


def describe_differences(first: FinishedRun, second: FinishedRun) -> list[str]:
    """In what two comparable runs differ that whoever reads the comparison has to know, a sentence each.

    Whether the same persons have the same labels is seen in their tables; these sentences are about what the tables do not show.
    """
    runs = (first, second)
    said = list(dict.fromkeys(sentence for run in runs for sentence in run.differences()))
    folders = [run.raw_dir for run in runs]
    if None not in folders and folders[0] != folders[1]:
        known = all(run.has_joints for run in runs)
        checked = "the labels of all persons in common are the same" if known else "whether the people are the same is not known"
        said.append(f"The data were read from other folders (raw_dir: A {folders[0]}, B {folders[1]}); {checked}.")
    prints = [run.data_fingerprint() for run in runs]
    if None in prints:
        said.append("Whether the runs had the same crops, joints and splits is not known: a run has no data fingerprint.")
    elif prints[0] != prints[1]:
        said.append("The runs had other crops, joints or splits (their data fingerprints differ).")
    protocols = [run.parameter("evaluation", "scoring", "protocol") for run in runs]
    if protocols[0] != protocols[1]:
        said.append(f"Other people count (evaluation.scoring.protocol): in A {protocols[0]}, in B {protocols[1]}.")
    metrics = [run.parameter("evaluation", "scoring", "metrics") for run in runs]
    if metrics[0] != metrics[1]:
        said.append(
            f"The runs were scored by other metrics (evaluation.scoring.metrics): A {metrics[0]}, B {metrics[1]}. A figure of "
            "one name may have been made in two ways."
        )
    return said


_MEND = "Run the pipeline evaluation."


def _read_run(folder: Path) -> FinishedRun:
    path = folder / "run.json"
    record = read_json(path)
    missing = {"run_id", "status", "parameters", "inputs", "outputs", "data_fingerprint"} - set(record)
    if missing:
        raise DataError(f"{path}: this is no record of a run: it lacks {', '.join(sorted(missing))}.")
    return FinishedRun(folder.parents[2], record)


def _runs_below(data_dir: Path) -> list[FinishedRun]:
    """The first one first: ids are times."""
    return [_read_run(path.parent) for path in sorted((data_dir / _RUNS).glob("*/run.json"))]


def _newest_of_a_model(folder: Path) -> FinishedRun:
    scored = [run for run in _runs_below(folder) if run.has_scores]
    if not scored:
        raise DataError(f"{folder / _RUNS}: no run here came to its end and has scored persons. {_MEND}")
    of_models = [run for run in scored if not run.results]
    taken, newest = (of_models or scored)[-1], scored[-1]
    selection_reason = f"{folder}: of {pluralise(len(scored), 'run')} with scores the newest is taken, {taken.run_id}."
    if taken is not newest:
        selection_reason = (
            f"{folder}: the newest run of a model is taken, {taken.run_id}; the newest of all, {newest.run_id}, has scored the "
            f"results {newest.results}: name it by its id to compare it."
        )
    return replace(taken, selection_reason=selection_reason)


def _with_scores(run: FinishedRun) -> FinishedRun:
    if not run.has_scores:
        pipelines = ", ".join(run.record.get("pipelines", ()))
        raise DataError(f"The run {run.run_id} ({run.record['status']}: {pipelines}) has no scores of persons. {_MEND}")
    return run


def _below(content: Any, *keys: str) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content

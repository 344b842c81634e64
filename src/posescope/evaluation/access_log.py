"""Access log of the test set: scoring several models on it and keeping the best would be a choice by the test set.

    first        none of the test persons has been scored before
    repetition   the same model on the same persons as before: nothing can be chosen by it
    override     anything else: refused, unless `final_test.allow_repeated_access` is set, and logged as such

An access is logged before the first prediction, so a run that is killed counts. A project has one log for all its `data_dir`s.
Persons are identified by keys that are the same in every `data_dir` and differ between data sets (see `person_keys`).
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError, PosescopeError, pluralise
from posescope.core.files import locked, read_json, write_json
from posescope.core.tables import crop_boxes_fingerprint, ids_of, joints_of, split_fingerprint
from posescope.evaluation.metric_values import MetricValues

__all__ = [
    "AccessError", "AccessLog", "AccessRecord", "FinalTest", "check_unseen", "describe_final_test", "may_know_test_persons",
    "person_keys",
]  # fmt: skip

Kind = Literal["first", "repetition", "override"]

_KEY_DIGITS = 10  # of 16: among twice 5,000 persons, two different ones share a key in one of 40,000 test sets
_OLD_NAME = "test_ledger.json"  # of earlier versions, as are the fields and kinds below
_OLD_FIELDS, _OLD_KINDS = {"figures": "metric_values"}, {"unsealed again": "override"}

_log = logging.getLogger(__name__)


class AccessError(PosescopeError):
    """The test set was scored before with another model or other persons, or the model may have been trained on it."""


@dataclass(frozen=True)
class FinalTest:
    """A model and the test persons on which it is about to be scored.

    Attributes:
        model_fingerprint: fingerprint of weights, architecture, codec and skeleton; independent of the place of the model.
        data_fingerprint: fingerprint of the test persons, their annotations and their crop boxes.
        person_keys: of the test persons, ascending (see `person_keys`), separated by blanks, since one line per key would make
            the log unreadable.
        persons, images: their numbers.
        flip_test: whether the model averages with the mirrored crop.
    """

    model_fingerprint: str
    data_fingerprint: str
    person_keys: str
    persons: int
    images: int
    flip_test: bool

    def is_same(self, other: "FinalTest") -> bool:
        """Whether both are of the same model and persons."""
        return (self.model_fingerprint, self.data_fingerprint) == (other.model_fingerprint, other.data_fingerprint)

    def shared_with(self, other: "FinalTest") -> set[str]:
        """Return the keys of the persons that both have."""
        return set(self.person_keys.split()).intersection(other.person_keys.split())


@dataclass(frozen=True)
class AccessRecord(FinalTest):
    """One access to the test set.

    Attributes:
        number: 1-based.
        kind: "first", "repetition" or "override".
        state: "opened" until the metric values are known, then "completed". A run that was killed stays opened.
        opened_utc, completed_utc: ISO 8601, to the second; completed_utc is None while opened.
        run_id, data_dir: id and data folder of the run, if known.
        seen_before: number of these persons that earlier accesses had, of any model.
        metric_values: {name: {value, low, high, persons, protocol}}; None while opened.
    """

    number: int
    kind: Kind
    state: Literal["opened", "completed"]
    opened_utc: str
    completed_utc: str | None
    run_id: str | None
    data_dir: str | None
    seen_before: int
    metric_values: Mapping[str, Mapping[str, Any]] | None


@dataclass(frozen=True)
class AccessLog:
    """The file of accesses, a JSON list. Records are appended; a record is updated once, when its access is completed.

    Attributes:
        root: path of the file. If it is missing, a file `test_ledger.json` beside it, written by an earlier version, is read
            in its place.
        run_id: id of the current run, if known.
        data_dir: data folder of the current run, if known.
    """

    root: Path
    run_id: str | None = None
    data_dir: str | None = None

    def accesses(self) -> tuple[AccessRecord, ...]:
        """Return all accesses, the first one first.

        Raises:
            DataError: if the file is no access log. It is never treated as an empty one.
        """
        path = self.root if self.root.exists() else self.root.with_name(_OLD_NAME)
        if not path.exists():
            return ()
        content = read_json(path)
        rows = [_with_new_names(row) for row in content if isinstance(row, dict)] if isinstance(content, list) else []
        expected = {field.name for field in fields(AccessRecord)}
        if not isinstance(content, list) or len(rows) != len(content) or any(set(row) != expected for row in rows):
            raise DataError(
                f"{path}: expected an access log of the test set, a list of records with the fields {sorted(expected)}."
            )
        return tuple(AccessRecord(**row) for row in rows)

    def is_finished(self) -> bool:
        """Whether the access of this run, or the last one if it has none, is completed."""
        accesses = self.accesses()
        own = [access for access in accesses if self.run_id is not None and access.run_id == self.run_id] or list(accesses)
        return bool(own) and own[-1].state == "completed"

    def open(self, test: FinalTest, allow_repeated_access: bool) -> AccessRecord:
        """Log the start of an access. Runs that do so at the same time wait for each other.

        Args:
            test: model and persons to be scored.
            allow_repeated_access: allow another model, or other persons, after an earlier access.

        Raises:
            AccessError: if earlier accesses had some of these persons, none was of this model on all of them, and
                `allow_repeated_access` is False.
        """
        with locked(self.root.parent):
            accesses = self.accesses()
            seen = set[str]().union(*(access.shared_with(test) for access in accesses))
            access = AccessRecord(
                **vars(test), number=len(accesses) + 1, kind=self._kind_of(test, accesses, allow_repeated_access), state="opened",
                opened_utc=_now(), completed_utc=None, run_id=self.run_id, data_dir=self.data_dir, seen_before=len(seen),
                metric_values=None,
            )  # fmt: skip
            self._write((*accesses, access))
        _log.log(
            logging.WARNING if access.kind == "override" else logging.INFO,
            "Access %d to the test set (%s): model %s, %s. Logged in %s.",
            access.number, access.kind, access.model_fingerprint, pluralise(access.persons, "person"), self.root,
        )  # fmt: skip
        return access

    def complete(self, access: AccessRecord, *parts: MetricValues) -> "AccessLog":
        """Log the metric values of an access.

        Args:
            access: result of `open`.
            parts: the metric values.

        Raises:
            DataError: if the log no longer holds this access as opened.
        """
        with locked(self.root.parent):
            accesses = list(self.accesses())
            if accesses[access.number - 1 : access.number] != [access]:
                raise DataError(
                    f"{self.root}: expected access {access.number}, opened at {access.opened_utc}, but it is missing or was "
                    "changed."
                )
            content = {name: value for part in parts for name, value in part.to_dict().items()}
            accesses[access.number - 1] = replace(access, state="completed", completed_utc=_now(), metric_values=content)
            self._write(tuple(accesses))
        return self

    def _kind_of(self, test: FinalTest, accesses: tuple[AccessRecord, ...], allow_repeated_access: bool) -> Kind:
        earlier = [access for access in accesses if access.shared_with(test)]
        if not earlier:
            return "first"
        if any(access.is_same(test) for access in earlier):
            return "repetition"
        if not allow_repeated_access:
            raise AccessError(f"{self.root}: {_describe_refusal(test, earlier)}")
        return "override"

    def _write(self, accesses: tuple[AccessRecord, ...]) -> None:
        write_json(self.root, [asdict(access) for access in accesses])


def check_unseen(provenance: Mapping[str, Any], persons: pd.DataFrame, trained_elsewhere: bool) -> None:
    """Check that the model was trained while the current test persons were held out.

    Args:
        provenance: of the model; `test_set_fingerprint` states the persons that were held out. If it is missing, a warning is
            logged.
        persons: current `Persons` table of all splits.
        trained_elsewhere: skip the check, since the model is known to come from other data.

    Raises:
        AccessError: if other persons were held out: the split was drawn again, or the model comes from other data.
    """
    then, now = provenance.get("test_set_fingerprint"), split_fingerprint(persons, "test")
    if then == now:
        if may_know_test_persons(provenance):
            _log.warning("The training started from a model that held out another test set: it may have seen test persons.")
        return
    if then is None:
        _log.warning("The model does not state its test set: it may have been trained on the test persons.")
    elif not trained_elsewhere:
        raise AccessError(
            f"Expected a model that was trained with the current test set ({now}) held out, found one with another test set "
            f"({then}): it may have been trained on test persons. Train again (pipeline modelling), or restore the split. If the "
            "model comes from other data without these persons: --params final_test.trained_elsewhere=true."
        )


def may_know_test_persons(provenance: Mapping[str, Any]) -> bool:
    """Return whether the training started from a model that was trained while another test set was held out.

    Args:
        provenance: of the model.
    """
    start, key = provenance.get("start"), "test_set_fingerprint"
    return isinstance(start, Mapping) and "model" in start and start.get(key) != provenance.get(key)


def describe_final_test(
    persons: pd.DataFrame, keypoints: pd.DataFrame, crop_boxes: pd.DataFrame, model_fingerprint: str, flip_test: bool
) -> FinalTest:
    """Return the test set and the model that is about to be scored on it.

    Args:
        persons, keypoints, crop_boxes: tables of all splits.
        model_fingerprint: fingerprint of the model.
        flip_test: whether the model averages with the mirrored crop.

    Raises:
        DataError: if the test set is empty.
    """
    ids = ids_of(persons, "test")
    if not len(ids):
        raise DataError(
            "The test set is empty: there is nothing to score. data_engineering.split.max_test_fraction sets its size (0: no "
            "test set)."
        )
    rows, keys = persons.set_index("person_id").loc[ids], person_keys(persons, keypoints, ids)
    digest = hashlib.sha256()
    for values in (keys, rows["source_split"], rows["image_id"]):
        digest.update(";".join(map(str, values)).encode())
    digest.update(_bytes_of(rows[["bbox_x", "bbox_y", "bbox_w", "bbox_h", "area"]].to_numpy()))
    digest.update(crop_boxes_fingerprint(crop_boxes[crop_boxes["person_id"].isin(ids)]).encode())
    return FinalTest(
        model_fingerprint=model_fingerprint,
        data_fingerprint=digest.hexdigest()[:16],
        person_keys=" ".join(sorted(keys)),
        persons=len(ids),
        images=int(rows["file_name"].nunique()),
        flip_test=flip_test,
    )


def person_keys(persons: pd.DataFrame, keypoints: pd.DataFrame, person_ids: NDArray[np.int64]) -> list[str]:
    """Return a key for each person that is the same in every `data_dir`.

    Args:
        persons: a `Persons` table that holds them; the name of the image file and the id of the annotation enter the key.
        keypoints: a `Keypoints` table that holds them; all joints enter the key, so a corrected annotation has another key.
        person_ids: (N,).
    """
    rows, joints = persons.set_index("person_id").loc[person_ids], joints_of(keypoints, person_ids)
    named = zip(rows["file_name"], rows["annotation_id"], joints, strict=True)
    return [
        hashlib.sha256(f"{name} {annotation} ".encode() + _bytes_of(one)).hexdigest()[:_KEY_DIGITS]
        for name, annotation, one in named
    ]


def _bytes_of(array: NDArray[np.floating]) -> bytes:
    # NaN has many bit patterns: a number that is no coordinate replaces them.
    return np.ascontiguousarray(np.nan_to_num(array, nan=-1e9)).tobytes()


def _describe_refusal(test: FinalTest, earlier: Sequence[AccessRecord]) -> str:
    last, shared = earlier[-1], len(set[str]().union(*(access.shared_with(test) for access in earlier)))
    same_model = any(access.model_fingerprint == test.model_fingerprint for access in earlier)
    difference = "with this model, but other persons" if same_model else f"with another model than {test.model_fingerprint}"
    place = f" in {last.data_dir}" if last.data_dir else ""
    return (
        f"the test set was scored before {difference} (earlier accesses: {len(earlier)}, the last at {last.opened_utc}{place}; "
        f"persons in common: {shared:,} of {test.persons:,}). Choosing between models by the test set makes its metrics too "
        "optimistic: compare models on the validation set. To score it all the same: --params "
        "final_test.allow_repeated_access=true, which is logged."
    )


def _with_new_names(row: dict[str, Any]) -> dict[str, Any]:
    renamed = {_OLD_FIELDS.get(name, name): value for name, value in row.items()}
    return {name: _OLD_KINDS.get(value, value) if name == "kind" else value for name, value in renamed.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

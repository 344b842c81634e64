"""What the seal is about: the model that shall be scored, the test persons, and whether it can have seen them.

A test person has a key, of the file that shows the person and of the annotated joints. It is the same in every `data_dir`, and
other data have other keys, so that one ledger can tell for a whole project which persons have been scored before.
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

__all__ = ["AccessError", "FinalTest", "check_unseen", "describe_final_test", "person_keys", "AccessLog", "AccessRecord"]

_KEY_DIGITS = 10  # of 16: among 5,000 persons twice, two that differ share a key once in 40,000 test sets

_log = logging.getLogger(__name__)


class AccessError(PosescopeError):
    """The test set was used before, with another model or on other persons."""


@dataclass(frozen=True)
class FinalTest:
    """What is about to be scored.

    Attributes:
        model_fingerprint: of weights, architecture, codec and skeleton; wherever the model lies.
        data_fingerprint: of the test persons, their annotations and their squares.
        person_keys: of each test person, ascending; see `person_keys`.
        persons, images: how many.
        flip_test: whether the model averages with the mirrored image.
    """

    model_fingerprint: str
    data_fingerprint: str
    person_keys: tuple[str, ...]
    persons: int
    images: int
    flip_test: bool


def check_unseen(provenance: Mapping[str, Any], persons: pd.DataFrame, trained_elsewhere: bool) -> None:
    """See that the model was trained while these test persons were set aside, and so has learned from none of them.

    Args:
        provenance: of the model; `test_set_fingerprint` tells who was set aside. An older model does not say, which is warned of.
        persons: table of all splits, as they are now.
        trained_elsewhere: the user knows better.

    Raises:
        SealError: if other persons were set aside then: the split was drawn anew, or the model comes from other data.
    """
    then, now = provenance.get("test_set_fingerprint"), split_fingerprint(persons, "test")
    if then == now:
        return
    if then is None:
        _log.warning("The model does not say who was set aside when it was trained: it may have seen the test persons.")
    elif not trained_elsewhere:
        raise AccessError(
            f"The model was trained beside another test set ({then}) than that of the split now ({now}): it may have learned "
            "from test persons. Train again (the pipeline modelling), or bring the split back. If you know that it has seen "
            "none of them, because it comes from other data: --params final_test.trained_elsewhere=true."
        )


def describe_final_test(
    persons: pd.DataFrame, keypoints: pd.DataFrame, crop_boxes: pd.DataFrame, model_fingerprint: str, flip_test: bool
) -> FinalTest:
    """The test set and the model that shall be scored on it.

    Args:
        persons, keypoints, crop_boxes: tables of all splits.
        model_fingerprint: of the model.
        flip_test: whether the model averages with the mirrored image.

    Raises:
        DataError: if nobody is in the test set.
    """
    ids = ids_of(persons, "test")
    if not len(ids):
        raise DataError(
            "The test set is empty: there is nothing to score. Its size: data_engineering.split.max_test_fraction (0: no test set)."
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
        person_keys=tuple(sorted(keys)),
        persons=len(ids),
        images=int(rows["file_name"].nunique()),
        flip_test=flip_test,
    )


def person_keys(persons: pd.DataFrame, keypoints: pd.DataFrame, person_ids: NDArray[np.int64]) -> list[str]:
    """A key for each of (N,) persons, in their order: who they are, wherever their tables lie.

    Args:
        persons: a `Persons` table that has them; the name of the image's file and the id of the annotation count.
        keypoints: a `Keypoints` table that has them; all joints count, so that a corrected annotation is somebody else.
        person_ids: whom.
    """
    rows, joints = persons.set_index("person_id").loc[person_ids], joints_of(keypoints, person_ids)
    named = zip(rows["file_name"], rows["annotation_id"], joints, strict=True)
    return [
        hashlib.sha256(f"{name} {annotation} ".encode() + _bytes_of(one)).hexdigest()[:_KEY_DIGITS]
        for name, annotation, one in named
    ]


def _bytes_of(array: NDArray[np.floating]) -> bytes:
    # What is missing has many bit patterns; a number that no coordinate has stands for all of them.
    return np.ascontiguousarray(np.nan_to_num(array, nan=-1e9)).tobytes()


# MERGED from seal: The seal of the test set: whoever looks at it twice, with two models, has begun to choose by it. A
# ledger keeps every use.
#
#     first            nobody has looked at any of these persons yet: free
#     repetition       a model that has been scored before, on the same persons: nothing new can be chosen by it
#     unsealed again   anything else: refused, unless it is asked for in so many words; then it is kept as such
#
# A use begins when the seal is opened, before anything is predicted: a run that is killed on the way has counted. A
# project has one
# ledger, whatever the `data_dir`: uses know their persons by keys, so that those of other data do not disturb one
# another.

Kind = Literal["first", "repetition", "override"]


@dataclass(frozen=True)
class AccessRecord:
    """One use of the test set: a row of the ledger.

    Attributes:
        number: 1-based.
        kind: "first", "repetition" or "unsealed again".
        state: "opened" until its figures are known; "completed" then. A run that was killed stays opened.
        opened_utc, completed_utc: ISO 8601, to the second; None while it is not completed.
        run_id, data_dir: of the run, if they are known.
        model_fingerprint, data_fingerprint, persons, images, flip_test: as in `FinalTest`.
        seen_before: how many of these persons an earlier use had, of whatever model.
        person_keys: as in `FinalTest`, with blanks between them: thousands of lines would bury the rest.
        metric_values: {name: {value, low, high, persons, protocol}} once it is completed.
    """

    number: int
    kind: Kind
    state: Literal["opened", "completed"]
    opened_utc: str
    completed_utc: str | None
    run_id: str | None
    data_dir: str | None
    model_fingerprint: str
    data_fingerprint: str
    persons: int
    images: int
    flip_test: bool
    seen_before: int
    person_keys: str
    metric_values: Mapping[str, Mapping[str, Any]] | None

    def is_of(self, test: FinalTest) -> bool:
        """Whether it was of this model on these persons."""
        return (self.model_fingerprint, self.data_fingerprint) == (test.model_fingerprint, test.data_fingerprint)

    def shared_with(self, test: FinalTest) -> set[str]:
        """Keys of the persons that it had, and that this test has too."""
        return set(self.person_keys.split()).intersection(test.person_keys)


@dataclass(frozen=True)
class AccessLog:
    """Owns the file of uses: a JSON list to which rows are only ever added; a row changes once, when its use is completed.

    Attributes:
        root: the file.
        run_id: of the run that holds this ledger, if it is known.
        data_dir: where that run's data lie, if it is known.
    """

    root: Path
    run_id: str | None = None
    data_dir: str | None = None

    def accesses(self) -> tuple[AccessRecord, ...]:
        """All uses, the first one first.

        Raises:
            DataError: if the file is no ledger. It is never taken for an empty one.
        """
        if not self.root.exists():
            return ()
        content = read_json(self.root)
        expected = {field.name for field in fields(AccessRecord)}
        if not isinstance(content, list) or not all(isinstance(row, dict) and set(row) == expected for row in content):
            raise DataError(
                f"{self.root}: this is no ledger of the test set: expected a list of uses, each with {sorted(expected)}."
            )
        return tuple(AccessRecord(**row) for row in content)

    def is_finished(self) -> bool:
        """True once the use of this run, or the last one if it has none, is completed."""
        accesses = self.accesses()
        own = [use for use in accesses if self.run_id is not None and use.run_id == self.run_id] or list(accesses)
        return bool(own) and own[-1].state == "completed"

    def open(self, test: FinalTest, allow_repeated_access: bool) -> AccessRecord:
        """Begin a use, and write it down. Runs that do so at the same time wait for each other.

        Args:
            test: what shall be scored.
            allow_repeated_access: allow another model, or other persons, after an earlier use.

        Raises:
            SealError: if an earlier use had some of these persons, none was of this model on all of them, and `allow_repeated_access` is
                not set.
        """
        with locked(self.root.parent):
            accesses = self.accesses()
            seen = set[str]().union(*(use.shared_with(test) for use in accesses))
            told = {name: value for name, value in vars(test).items() if name != "person_keys"}
            use = AccessRecord(
                number=len(accesses) + 1, kind=self._kind_of(test, accesses, allow_repeated_access), state="opened", opened_utc=_now(),
                completed_utc=None, run_id=self.run_id, data_dir=self.data_dir, seen_before=len(seen),
                person_keys=" ".join(test.person_keys), metric_values=None, **told,
            )  # fmt: skip
            self._write((*accesses, use))
        _log.log(
            logging.WARNING if use.kind == "override" else logging.INFO,
            "The test set is opened: use %d (%s), model %s, %s. Kept in %s.",
            use.number, use.kind, use.model_fingerprint, pluralise(use.persons, "person"), self.root,
        )  # fmt: skip
        return use

    def complete(self, use: AccessRecord, *metric_values: MetricValues) -> "AccessLog":
        """Write down what came out.

        Args:
            use: as `open` gave it.
            metric_values: all of them, in as many parts as there are.

        Raises:
            DataError: if the ledger no longer has this use, opened.
        """
        with locked(self.root.parent):
            accesses = list(self.accesses())
            if accesses[use.number - 1 : use.number] != [use]:
                raise DataError(
                    f"{self.root}: use {use.number}, opened at {use.opened_utc}, is gone: the file was changed meanwhile."
                )
            content = {name: figure for part in metric_values for name, figure in part.to_dict().items()}
            accesses[use.number - 1] = replace(use, state="completed", completed_utc=_now(), metric_values=content)
            self._write(tuple(accesses))
        return self

    def _kind_of(self, test: FinalTest, accesses: tuple[AccessRecord, ...], allow_repeated_access: bool) -> Kind:
        touching = [use for use in accesses if use.shared_with(test)]
        if not touching:
            return "first"
        if any(use.is_of(test) for use in touching):
            return "repetition"
        if not allow_repeated_access:
            raise AccessError(f"{self.root}: {_say_refused(test, touching)}")
        return "override"

    def _write(self, accesses: tuple[AccessRecord, ...]) -> None:
        write_json(self.root, [asdict(use) for use in accesses])


def _say_refused(test: FinalTest, touching: Sequence[AccessRecord]) -> str:
    last, shared = touching[-1], len(set[str]().union(*(use.shared_with(test) for use in touching)))
    same_model = any(use.model_fingerprint == test.model_fingerprint for use in touching)
    changed = f"with another model than {test.model_fingerprint}"
    other = "with this model, but on other persons" if same_model else changed
    place = f" in {last.data_dir}" if last.data_dir else ""
    return (
        f"the test set was used before, {other} (uses so far: {len(touching)}, the last at {last.opened_utc}{place}; they had "
        f"{shared:,} of its {pluralise(test.persons, 'person')}). Choosing between models by it would make its figures too good; "
        "compare them on the validation set. To look again all the same: --params final_test.allow_repeated_access=true, which is kept in "
        "the ledger."
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

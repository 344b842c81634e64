"""The seal of the test set: whoever looks at it twice, with two models, has begun to choose by it. A ledger keeps every use.

    first            nobody has looked yet: free
    repetition       a model that has been scored before, on the same persons: nothing new can be chosen by it
    unsealed again   anything else: refused, unless it is asked for in so many words; then it is kept as such

A use begins when the seal is opened, before anything is predicted: a run that is killed on the way has counted.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from posescope.errors import DataError, PosescopeError
from posescope.files import read_json, write_json
from posescope.metrics.figures import Figures
from posescope.tables import ids_of, joints_of, people_fingerprint, squares_fingerprint

__all__ = ["SealError", "SealLedger", "SealUse", "SealedTest", "check_unseen", "describe_test"]

Kind = Literal["first", "repetition", "unsealed again"]

_log = logging.getLogger(__name__)


class SealError(PosescopeError):
    """The test set was used before, with another model or on other persons."""


@dataclass(frozen=True)
class SealedTest:
    """What is about to be scored.

    Attributes:
        model_fingerprint: of weights, architecture, codec and skeleton; wherever the model lies.
        data_fingerprint: of the test persons, their annotations and their squares.
        persons, images: how many.
        flip_test: whether the model averages with the mirrored image.
    """

    model_fingerprint: str
    data_fingerprint: str
    persons: int
    images: int
    flip_test: bool

    def is_that_of(self, use: "SealUse") -> bool:
        """Whether an earlier use was of this model on these persons."""
        return (self.model_fingerprint, self.data_fingerprint) == (use.model_fingerprint, use.data_fingerprint)


@dataclass(frozen=True)
class SealUse:
    """One use of the test set: a row of the ledger.

    Attributes:
        number: 1-based.
        kind: "first", "repetition" or "unsealed again".
        state: "opened" until its figures are known; "completed" then. A run that was killed stays opened.
        opened_utc, completed_utc: ISO 8601, to the second; None while it is not completed.
        run_id: of the run, if it is known.
        model_fingerprint, data_fingerprint, persons, images, flip_test: as in `SealedTest`.
        figures: {name: {value, low, high, persons, protocol}} once it is completed.
    """

    number: int
    kind: Kind
    state: Literal["opened", "completed"]
    opened_utc: str
    completed_utc: str | None
    run_id: str | None
    model_fingerprint: str
    data_fingerprint: str
    persons: int
    images: int
    flip_test: bool
    figures: Mapping[str, Mapping[str, Any]] | None


@dataclass(frozen=True)
class SealLedger:
    """Owns the file of uses: a JSON list to which rows are only ever added; a row changes once, when its use is completed.

    Attributes:
        root: the file.
        run_id: of the run that holds this ledger, if it is known.
    """

    root: Path
    run_id: str | None = None

    def uses(self) -> tuple[SealUse, ...]:
        """All uses, the first one first.

        Raises:
            DataError: if the file is no ledger. It is never taken for an empty one.
        """
        if not self.root.exists():
            return ()
        content = read_json(self.root)
        expected = {field.name for field in fields(SealUse)}
        if not isinstance(content, list) or not all(isinstance(row, dict) and set(row) == expected for row in content):
            raise DataError(
                f"{self.root}: this is no ledger of the test set: expected a list of uses, each with {sorted(expected)}."
            )
        return tuple(SealUse(**row) for row in content)

    def is_finished(self) -> bool:
        """True once there is a use and the last one is completed."""
        uses = self.uses()
        return bool(uses) and uses[-1].state == "completed"

    def open(self, test: SealedTest, unseal_again: bool) -> SealUse:
        """Begin a use, and write it down.

        Args:
            test: what shall be scored.
            unseal_again: allow another model, or other persons, after an earlier use.

        Raises:
            SealError: if there was an earlier use, none of this model on these persons, and `unseal_again` is not set.
        """
        uses = self.uses()
        use = SealUse(
            number=len(uses) + 1, kind=self._kind_of(test, uses, unseal_again), state="opened", opened_utc=_now(),
            completed_utc=None, run_id=self.run_id, figures=None, **asdict(test),
        )  # fmt: skip
        self._write((*uses, use))
        _log.log(
            logging.WARNING if use.kind == "unsealed again" else logging.INFO,
            "The test set is opened: use %d (%s), model %s, %d persons. Kept in %s.",
            use.number, use.kind, use.model_fingerprint, use.persons, self.root,
        )  # fmt: skip
        return use

    def complete(self, use: SealUse, figures: Figures, precision: Figures) -> "SealLedger":
        """Write down what came out.

        Raises:
            DataError: if the ledger no longer has this use, opened.
        """
        uses = list(self.uses())
        if uses[use.number - 1 : use.number] != [use]:
            raise DataError(
                f"{self.root}: use {use.number}, opened at {use.opened_utc}, is gone: the file was changed meanwhile."
            )
        content = Figures({**figures.by_name, **precision.by_name}).to_dict()
        uses[use.number - 1] = replace(use, state="completed", completed_utc=_now(), figures=content)
        self._write(tuple(uses))
        return self

    def _kind_of(self, test: SealedTest, uses: tuple[SealUse, ...], unseal_again: bool) -> Kind:
        if not uses:
            return "first"
        if any(test.is_that_of(use) for use in uses):
            return "repetition"
        if not unseal_again:
            last = uses[-1]
            same_model = any(use.model_fingerprint == test.model_fingerprint for use in uses)
            changed = f"with another model than {test.model_fingerprint}"
            other = "with this model, but on other persons" if same_model else changed
            raise SealError(
                f"{self.root}: the test set was used before, {other} (uses so far: {len(uses)}, the last at {last.opened_utc}). "
                "Choosing between models by it would make its figures too good; compare them on the validation set. "
                "To look again all the same: --params final_test.unseal_again=true, which is kept in the ledger."
            )
        return "unsealed again"

    def _write(self, uses: tuple[SealUse, ...]) -> None:
        write_json(self.root, [asdict(use) for use in uses])


def check_unseen(provenance: Mapping[str, Any], persons: pd.DataFrame, trained_elsewhere: bool) -> None:
    """See that the model was trained while these test persons were set aside, and so has learned from none of them.

    Args:
        provenance: of the model; `test_people` tells who was set aside. An older model does not say, which is warned of.
        persons: table of all splits, as they are now.
        trained_elsewhere: the user knows better.

    Raises:
        SealError: if other persons were set aside then: the split was drawn anew, or the model comes from other data.
    """
    then, now = provenance.get("test_people"), people_fingerprint(persons, "test")
    if then == now:
        return
    if then is None:
        _log.warning("The model does not say who was set aside when it was trained: it may have seen the test persons.")
    elif not trained_elsewhere:
        raise SealError(
            f"The model was trained beside another test set ({then}) than that of the split now ({now}): it may have learned "
            "from test persons. Train again (the pipeline modelling), or bring the split back. If you know that it has seen "
            "none of them, because it comes from other data: --params final_test.trained_elsewhere=true."
        )


def describe_test(
    persons: pd.DataFrame, keypoints: pd.DataFrame, crop_boxes: pd.DataFrame, model_fingerprint: str, flip_test: bool
) -> SealedTest:
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
            "The test set is empty: there is nothing to score. Its size: data_engineering.split.test_share_max (0: no test set)."
        )
    rows = persons.set_index("person_id").loc[ids]
    digest = hashlib.sha256()
    for name in ("source_split", "annotation_id", "image_id", "file_name"):
        digest.update(";".join(map(str, rows[name])).encode())
    for array in (ids, rows[["bbox_x", "bbox_y", "bbox_w", "bbox_h", "area"]].to_numpy(), joints_of(keypoints, ids)):
        # What is missing has many bit patterns; a number that no coordinate has stands for all of them.
        digest.update(np.ascontiguousarray(np.nan_to_num(array, nan=-1e9)).tobytes())
    digest.update(squares_fingerprint(crop_boxes[crop_boxes["person_id"].isin(ids)]).encode())
    return SealedTest(
        model_fingerprint=model_fingerprint,
        data_fingerprint=digest.hexdigest()[:16],
        persons=len(ids),
        images=int(rows["file_name"].nunique()),
        flip_test=flip_test,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

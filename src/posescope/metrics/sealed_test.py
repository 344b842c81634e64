"""What the seal is about: the model that shall be scored, the test persons, and whether it can have seen them.

A test person has a key, of the file that shows the person and of the annotated joints. It is the same in every `data_dir`, and
other data have other keys, so that one ledger can tell for a whole project which persons have been scored before.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.errors import DataError, PosescopeError
from posescope.tables import ids_of, joints_of, people_fingerprint, squares_fingerprint

__all__ = ["SealError", "SealedTest", "check_unseen", "describe_test", "person_keys"]

_KEY_DIGITS = 10  # of 16: among 5,000 persons twice, two that differ share a key once in 40,000 test sets

_log = logging.getLogger(__name__)


class SealError(PosescopeError):
    """The test set was used before, with another model or on other persons."""


@dataclass(frozen=True)
class SealedTest:
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
    rows, keys = persons.set_index("person_id").loc[ids], person_keys(persons, keypoints, ids)
    digest = hashlib.sha256()
    for values in (keys, rows["source_split"], rows["image_id"]):
        digest.update(";".join(map(str, values)).encode())
    digest.update(_bytes_of(rows[["bbox_x", "bbox_y", "bbox_w", "bbox_h", "area"]].to_numpy()))
    digest.update(squares_fingerprint(crop_boxes[crop_boxes["person_id"].isin(ids)]).encode())
    return SealedTest(
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

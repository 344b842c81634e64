"""Persons of a study: which are fitted and which are judged, their predictions and their scores.

Everything that is chosen or fitted (components, clusters, probes, rules) uses the fitted persons; everything that is claimed is
measured on the judged ones. By default these are training and validation persons. Where both are of one split, its images are
dealt into two halves.

    explained persons    fitted persons first, then judged ones, each by ascending id: rows of the features have this order
"""

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.joint_matching import match_joints
from posescope.core.records import PosePredictions, PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import ids_of, matrices_of
from posescope.evaluation.error_analysis.error_types import ERROR_TYPES
from posescope.evaluation.metrics.oks import person_oks
from posescope.evaluation.metrics.pck_thesis import pck_thesis
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import sample_rows

__all__ = ["FITTED", "JUDGED", "choose_persons", "image_groups_of", "read_error_types", "read_predictions", "score_persons"]

_log = logging.getLogger(__name__)

FITTED, JUDGED = "fitted", "judged"
_MIN_PERSONS = 3  # for one component and two clusters
_FEW_PERSONS = 50


def choose_persons(
    persons: pd.DataFrame,
    targets: PoseTargets,
    *,
    fit_split: str,
    judge_split: str,
    max_persons: int,
    min_labelled_joints: int | Literal["all"],
    seed: int,
) -> pd.DataFrame:
    """Select the fitted and the judged persons. A warning is logged if they are few.

    Args:
        persons: a `Persons` table.
        targets: targets of all persons.
        fit_split, judge_split: names of the splits; if they are the same, its images are dealt into halves.
        max_persons: maximum number of fitted and of judged persons; a random sample of this size if there are more.
        min_labelled_joints: per person; `all`: all joints that the data set of the person annotates.
        seed: random seed of the halves and of the samples.

    Returns:
        A row per person, the fitted ones first, by ascending id: person_id; role, `fitted` or `judged`; split; image_group, the
        same number for persons of one image.

    Raises:
        ExplainabilityError: if fewer than three persons of a role are left.
    """
    needed = targets.annotated.sum(axis=1) if min_labelled_joints == "all" else min_labelled_joints
    enough = targets.person_ids[(targets.visibility > 0).sum(axis=1) >= needed]
    ids = {
        FITTED: np.intersect1d(ids_of(persons, fit_split), enough),
        JUDGED: np.intersect1d(ids_of(persons, judge_split), enough),
    }
    if fit_split == judge_split:
        ids = _halves(persons, ids[FITTED], seed)
    splits = {FITTED: fit_split, JUDGED: judge_split}
    parts = []
    for role, own in ids.items():
        _check_count(len(own), splits[role], role, min_labelled_joints)
        chosen = own[sample_rows(len(own), max_persons, seed)]
        parts.append(pd.DataFrame({"person_id": chosen.astype(np.int64), "role": role, "split": splits[role]}))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(image_group=image_groups_of(persons, table["person_id"].to_numpy()))


def _halves(persons: pd.DataFrame, ids: NDArray[np.int64], seed: int) -> dict[str, NDArray[np.int64]]:
    """Deal the images of these persons at random into halves."""
    groups = image_groups_of(persons, ids)
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1) if len(groups) else groups
    is_judged = order[groups] % 2 == 1
    return {FITTED: ids[~is_judged], JUDGED: ids[is_judged]}


def _check_count(count: int, split: str, role: str, needed: int | Literal["all"]) -> None:
    least = "all joints labelled" if needed == "all" else f"{needed} labelled joints or more"
    found = f"{count} persons of '{split}' with {least} can be {role}"
    if count < _MIN_PERSONS:
        raise ExplainabilityError(f"Only {found}, {_MIN_PERSONS} are needed. Lower explainability.persons.min_labelled_joints.")
    if count < _FEW_PERSONS:
        _log.warning("Only %s: results for so few persons are unreliable.", found)


def score_persons(
    predictions: PosePredictions,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    sigmas: Sequence[float],
    crop_size: tuple[int, int],
) -> pd.DataFrame:
    """Score each person.

    Args:
        predictions, targets: predictions and targets of the same N persons, crop px.
        persons, crop_boxes: tables with these persons.
        sigmas: (K,) OKS sigmas.
        crop_size: (height, width) px.

    Returns:
        A row per person: person_id, pck_thesis and oks; NaN for a person without labelled joints.
    """
    ids = targets.person_ids
    rows = persons.set_index("person_id").loc[ids]
    # OKS is the same in crop px if joints and area are both converted.
    a, b, _, d, e, _ = matrices_of(crop_boxes.set_index("person_id").loc[ids]).reshape(-1, 6).T
    areas = rows["area"].to_numpy(dtype=np.float64) * np.abs(a * e - b * d)
    predicted, truth = predictions.joints.astype(np.float64), targets.joints.astype(np.float64)
    return pd.DataFrame(
        {
            "person_id": ids,
            "pck_thesis": pck_thesis(predictions.joints, targets.joints, targets.visibility, crop_size),
            "oks": person_oks(predicted, truth, targets.visibility, areas, sigmas),
        }
    )


def image_groups_of(persons: pd.DataFrame, person_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the image of each person as a number, the same for persons of one image.

    Args:
        persons: a `Persons` table with these persons.
        person_ids: (N,).

    Returns:
        (N,) numbers from 0.
    """
    rows = persons.set_index("person_id").loc[person_ids]
    # An image_id is unique only within one annotation file.
    return np.asarray(rows.groupby(["source_split", "image_id"], sort=False).ngroup(), dtype=np.int64)


def read_predictions(
    table: pd.DataFrame, person_ids: NDArray[np.int64], skeleton: Skeleton, joints: Sequence[str]
) -> PosePredictions:
    """Return the predictions of some persons as arrays.

    Args:
        table: a `Predictions` table with crop coordinates.
        person_ids: (N,) persons, in the order of the result.
        skeleton: skeleton of the data, whose order of joints the table has.
        joints: the same K names in the order of the result.
    """
    rows = table.set_index("person_id").loc[person_ids]
    shape = (len(person_ids), len(skeleton))
    order = match_joints(joints, skeleton.joints)
    found = rows[["crop_x", "crop_y"]].to_numpy(dtype=np.float32).reshape(*shape, 2)
    scores = rows["score"].to_numpy(dtype=np.float32).reshape(shape)
    return PosePredictions(person_ids, order.to_model_order(found), order.to_model_order(scores))


def read_error_types(
    table: pd.DataFrame, person_ids: NDArray[np.int64], skeleton: Skeleton, joints: Sequence[str]
) -> NDArray[np.int8]:
    """Return the error types of some persons as (N, K) indices into `ERROR_TYPES`, -1 where unlabelled.

    Args:
        table: a `JointErrors` table.
        person_ids, skeleton, joints: see `read_predictions`.
    """
    names = table.set_index("person_id").loc[person_ids, "type"]
    codes = names.map({name: code for code, name in enumerate(ERROR_TYPES)}).fillna(-1).to_numpy(dtype=np.int8)
    by_person = codes.reshape(len(person_ids), len(skeleton))
    return np.asarray(match_joints(joints, skeleton.joints).to_model_order(by_person), dtype=np.int8)

"""Filters of persons: each gives every person the reason of a rejection, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Component, ComponentSpec, Options, build
from posescope.core.tables import Issues, joints_of

__all__ = ["BoxSize", "Filtered", "LabelledJoints", "PersonFilter", "filter_persons", "issues_of"]

# Maximum distance from the image as a fraction of its longer side. COCO has no joint and no box outside; in other data sets boxes
# of truncated persons are completed, and joints lie slightly outside. Larger distances mean another image or other units.
MAX_BOX_DISTANCE = 0.5
MAX_JOINT_DISTANCE = 0.1

_BLOCK_PERSONS = 16_384  # temporary arrays of a million persons would take gigabytes

OUTSIDE = "box is outside the image"
BOX_FAR_OUT = f"box exceeds the image by more than {MAX_BOX_DISTANCE:g} of its longer side"
JOINT_FAR_OUT = f"a labelled joint is outside the image by more than {MAX_JOINT_DISTANCE:g} of its longer side"


class PersonFilter(Protocol):
    """Component contract of `posescope.filters`: `filter(options)(persons, joints) -> reasons`."""

    def __call__(self, persons: pd.DataFrame, joints: NDArray[np.float64]) -> NDArray[np.str_]:
        """Return (N,) the reasons of rejection, empty for accepted persons.

        Args:
            persons: a `Persons` table.
            joints: (N, K, 3) x, y in image px (NaN where unlabelled), visibility.
        """
        ...


class LabelledJointsOptions(Options):
    """Options of `labelled_joints`."""

    at_least: int = Field(1, ge=1, description="minimum number of labelled joints of a person")


class LabelledJoints(Component[LabelledJointsOptions]):
    """Rejects persons with too few labelled joints."""

    def __call__(self, persons: pd.DataFrame, joints: NDArray[np.float64]) -> NDArray[np.str_]:
        """Return reasons by the number of joints with visibility > 0; see `PersonFilter`."""
        labelled = (joints[..., 2] > 0).sum(axis=1)
        reason = f"fewer than {self.options.at_least} labelled joints"
        return np.where(labelled < self.options.at_least, reason, "")


class BoxSizeOptions(Options):
    """Options of `box_size`."""

    min_side_px: float = Field(0.0, ge=0, description="minimum length of the box's longer side, image px")


class BoxSize(Component[BoxSizeOptions]):
    """Rejects persons with small boxes."""

    def __call__(self, persons: pd.DataFrame, joints: NDArray[np.float64]) -> NDArray[np.str_]:
        """Return reasons by the longer side of the annotated box; see `PersonFilter`."""
        side = persons[["bbox_w", "bbox_h"]].to_numpy().max(axis=1, initial=0)
        return np.where(side < self.options.min_side_px, f"box smaller than {self.options.min_side_px:g} px", "")


@dataclass(frozen=True)
class Filtered:
    """Attributes: persons: a `Persons` table of the accepted persons; issues: an `Issues` table of the rejected ones."""

    persons: pd.DataFrame
    issues: pd.DataFrame


def filter_persons(persons: pd.DataFrame, keypoints: pd.DataFrame, filters: Sequence[ComponentSpec]) -> Filtered:
    """Reject crowds, persons without labelled joints and persons outside their image; then apply the filters in order.

    Args:
        persons: a `Persons` table.
        keypoints: a `Keypoints` table of these persons.
        filters: components of `posescope.filters`.
    """
    joints = joints_of(keypoints, persons["person_id"].to_numpy())
    reasons = np.full(len(persons), "", dtype=object)
    for start in range(0, len(persons), _BLOCK_PERSONS):
        block = slice(start, start + _BLOCK_PERSONS)
        reasons[block] = _find_reasons(persons.iloc[block], joints[block])
    for spec in filters:
        found = build("filters", spec)(persons, joints)
        reasons = np.where(reasons == "", found, reasons)
    accepted = reasons == ""
    return Filtered(
        persons=persons[accepted].reset_index(drop=True),
        issues=issues_of(persons[~accepted], "filter", reasons[~accepted]),
    )


def issues_of(
    persons: pd.DataFrame, step: str, reasons: Sequence[str] | NDArray[np.generic], detail: str | Sequence[str] = ""
) -> pd.DataFrame:
    """Return an `Issues` table of rejected persons.

    Args:
        persons: rows of a `Persons` table.
        step: name of the step.
        reasons: (N,).
        detail: one for all persons, or one per person.
    """
    frame = persons[["source_split", "image_id", "annotation_id", "file_name"]].assign(
        step=step, outcome="rejected", reason=np.asarray(reasons, dtype=object), detail=detail
    )
    return pd.DataFrame(Issues.validate(frame.reset_index(drop=True)))


def _find_reasons(persons: pd.DataFrame, joints: NDArray[np.float64]) -> NDArray[np.str_]:
    """Return reasons (N,) for crowds, persons without labelled joints and persons outside their image; joints (N, K, 3)."""
    unlabelled = (joints[..., 2] > 0).sum(axis=1) == 0
    reasons = np.where(unlabelled, "no labelled joints", _find_outside_persons(persons, joints[..., :2]))
    return np.where(persons["is_crowd"].to_numpy(), "crowd", reasons)


def _find_outside_persons(persons: pd.DataFrame, joints: NDArray[np.float64]) -> NDArray[np.str_]:
    """Return reasons for persons outside their image; joints (N, K, 2) image px, NaN where unlabelled."""
    low = persons[["bbox_x", "bbox_y"]].to_numpy(dtype=np.float64)
    high = low + persons[["bbox_w", "bbox_h"]].to_numpy(dtype=np.float64)
    last = persons[["image_w", "image_h"]].to_numpy(dtype=np.float64) - 0.5
    longer = last.max(axis=1, initial=0)[:, None] + 0.5
    beyond_box = np.maximum(-0.5 - low, high - last)
    beyond_joint = np.maximum(-0.5 - joints, joints - last[:, None])
    checks = {
        OUTSIDE: ((high <= -0.5) | (low >= last)).any(axis=1),
        BOX_FAR_OUT: (beyond_box > MAX_BOX_DISTANCE * longer).any(axis=1),
        JOINT_FAR_OUT: (beyond_joint > MAX_JOINT_DISTANCE * longer[:, None]).any(axis=(1, 2)),
    }
    return np.select(list(checks.values()), list(checks), default="")

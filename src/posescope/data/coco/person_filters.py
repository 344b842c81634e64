"""Who stays: the filters. Each gives every person a reason to go, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import ComponentSpec, Options, build
from posescope.core.tables import Issues, joints_of

__all__ = ["BoxSize", "Filtered", "LabelledJoints", "PersonFilter", "filter_persons", "issues_of"]

# How far a person may reach beyond the image's border, as a share of its longer side. COCO has neither a joint nor a box outside;
# other people's labellers draw the box of somebody who is cut off by the border as a whole, and put a joint a little beyond.
# What lies further out belongs to another image, or was measured in other units; there are no pixels to show it anyhow.
BOX_REACH = 0.5
JOINT_REACH = 0.1

OUTSIDE = "box lies outside the image"
BOX_FAR_OUT = f"box reaches out of the image by more than {BOX_REACH:g} of its longer side"
JOINT_FAR_OUT = f"a labelled joint lies outside the image by more than {JOINT_REACH:g} of its longer side"


class PersonFilter(Protocol):
    """Component contract of `posescope.filters`: `filter(options)(persons, joints) -> reasons`."""

    def __call__(self, persons: pd.DataFrame, joints: NDArray[np.float64]) -> NDArray[np.str_]:
        """A `Persons` table and (N, K, 3) x, y, visibility -> (N,) reasons to go, empty for who stays."""
        ...


class LabelledJointsOptions(Options):
    """Options of `labelled_joints`."""

    at_least: int = Field(1, ge=1, description="people with fewer labelled joints go")


class LabelledJoints:
    """People with too few labelled joints go."""

    Options = LabelledJointsOptions

    def __init__(self, options: LabelledJointsOptions) -> None:
        self.options = options

    def __call__(self, persons: pd.DataFrame, joints: NDArray[np.float64]) -> NDArray[np.str_]:
        """Reasons by the number of joints with visibility > 0."""
        labelled = (joints[..., 2] > 0).sum(axis=1)
        reason = f"fewer than {self.options.at_least} labelled joints"
        return np.where(labelled < self.options.at_least, reason, "")


class BoxSizeOptions(Options):
    """Options of `box_size`."""

    min_side_px: float = Field(0.0, ge=0, description="people whose box's longer side is shorter go; image px")


class BoxSize:
    """People in tiny boxes go."""

    Options = BoxSizeOptions

    def __init__(self, options: BoxSizeOptions) -> None:
        self.options = options

    def __call__(self, persons: pd.DataFrame, joints: NDArray[np.float64]) -> NDArray[np.str_]:
        """Reasons by the longer side of the annotated box."""
        side = persons[["bbox_w", "bbox_h"]].to_numpy().max(axis=1, initial=0)
        return np.where(side < self.options.min_side_px, f"box smaller than {self.options.min_side_px:g} px", "")


@dataclass(frozen=True)
class Filtered:
    """Attributes: persons: a `Persons` table of who stays; issues: an `Issues` table of the others."""

    persons: pd.DataFrame
    issues: pd.DataFrame


def filter_persons(persons: pd.DataFrame, keypoints: pd.DataFrame, filters: Sequence[ComponentSpec]) -> Filtered:
    """Crowds, people without any labelled joint and people outside their image go; then the filters speak, in their order."""
    joints = joints_of(keypoints, persons["person_id"].to_numpy())
    nobody = (joints[..., 2] > 0).sum(axis=1) == 0
    reasons = np.where(nobody, "no labelled joints", _find_outsiders(persons, joints[..., :2]))
    reasons = np.where(persons["is_crowd"].to_numpy(), "crowd", reasons).astype(object)
    for spec in filters:
        verdict = build("filters", spec)(persons, joints)
        reasons = np.where(reasons == "", verdict, reasons)
    stays = reasons == ""
    return Filtered(
        persons=persons[stays].reset_index(drop=True),
        issues=issues_of(persons[~stays], "filter", reasons[~stays]),
    )


def issues_of(
    persons: pd.DataFrame, step: str, reasons: Sequence[str] | NDArray[np.generic], detail: str | Sequence[str] = ""
) -> pd.DataFrame:
    """An `Issues` table of persons who were set aside at a step; `detail` is one for all, or one a person."""
    frame = persons[["source_split", "image_id", "annotation_id", "file_name"]].assign(
        step=step, outcome="rejected", reason=np.asarray(reasons, dtype=object), detail=detail
    )
    return pd.DataFrame(Issues.validate(frame.reset_index(drop=True)))


def _find_outsiders(persons: pd.DataFrame, joints: NDArray[np.float64]) -> NDArray[np.str_]:
    """Reasons for people who do not belong to their image; joints (N, K, 2), NaN where unlabelled."""
    low = persons[["bbox_x", "bbox_y"]].to_numpy(dtype=np.float64)
    high = low + persons[["bbox_w", "bbox_h"]].to_numpy(dtype=np.float64)
    last = persons[["image_w", "image_h"]].to_numpy(dtype=np.float64) - 0.5
    longer = last.max(axis=1, initial=0)[:, None] + 0.5
    beyond_box = np.maximum(-0.5 - low, high - last)
    beyond_joint = np.maximum(-0.5 - joints, joints - last[:, None])
    checks = {
        OUTSIDE: ((high <= -0.5) | (low >= last)).any(axis=1),
        BOX_FAR_OUT: (beyond_box > BOX_REACH * longer).any(axis=1),
        JOINT_FAR_OUT: (beyond_joint > JOINT_REACH * longer[:, None]).any(axis=(1, 2)),
    }
    return np.select(list(checks.values()), list(checks), default="")

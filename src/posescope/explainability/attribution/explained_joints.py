"""Persons, joints and heatmap px that the analysis `attribution` explains."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posescope.artifacts.pose_model import normalise_images
from posescope.core.skeleton import Skeleton
from posescope.evaluation.metrics.pck_thesis import pck_thesis_hits
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.row_blocks import sample_rows
from posescope.geometry.heatmap_px import crop_from_heatmap, heatmap_from_crop

__all__ = ["ExplainedJoints", "choose_joints", "patch_nearness", "select_explained_joints"]


@dataclass(frozen=True)
class ExplainedJoints:
    """N persons and J of their joints.

    Attributes:
        rows: (N,) of the persons in the inputs.
        joints: (J,) indices in the skeleton.
        names: names of these joints.
        images: (N, 3, H, W) normalised, on the model's device.
        map_indices: (N, J) explained heatmap px, as row-major indices.
        points: (N, J, 2) centres of these heatmap px, crop px.
        labelled: (N, J) whether the joint is labelled.
        correct: (N, J) whether the prediction is correct (PCK).
        groups: (N,) image of each person.
    """

    rows: NDArray[np.int64]
    joints: NDArray[np.int64]
    names: tuple[str, ...]
    images: Tensor
    map_indices: Tensor
    points: NDArray[np.float64]
    labelled: NDArray[np.bool_]
    correct: NDArray[np.bool_]
    groups: NDArray[np.int64]


def choose_joints(skeleton: Skeleton, names: Sequence[str] | None) -> NDArray[np.int64]:
    """Return the indices of joints.

    Args:
        skeleton: has the joints.
        names: names of the joints; None: the first joint of each pair and the joints without a partner.

    Raises:
        ExplainabilityError: if the skeleton lacks a joint.
    """
    if names is None:
        return np.array([joint for joint, partner in enumerate(skeleton.flip_indices) if joint <= partner], dtype=np.int64)
    unknown = [name for name in names if name not in skeleton.joints]
    if unknown:
        raise ExplainabilityError(
            f"attribution: expected joints of the skeleton in the option joints, found {', '.join(unknown)}. The joints are: "
            f"{', '.join(skeleton.joints)}."
        )
    return np.array([skeleton.index(name) for name in names], dtype=np.int64)


def select_explained_joints(
    inputs: AnalysisInputs, names: Sequence[str] | None, most: int, location: Literal["predicted", "annotated"]
) -> ExplainedJoints:
    """Draw persons with labelled joints and find the heatmap px to explain.

    Args:
        inputs: all persons.
        names: names of the joints, as in `choose_joints`.
        most: maximum number of persons.
        location: explain the heatmap px of the predicted or of the annotated joint.

    Raises:
        ExplainabilityError: if a joint is unknown, or no person has one of them labelled.
    """
    model, targets, size = inputs.model, inputs.judged.crops.targets, inputs.judged.crops.crop_size
    stride = size[0] / model.network.map_size[0]
    joints = choose_joints(model.skeleton, names)
    known = np.flatnonzero((targets.visibility[:, joints] > 0).any(axis=1))
    if not len(known):
        raise ExplainabilityError("attribution: expected persons with these joints labelled, found none. Set the option joints.")
    rows = known[sample_rows(len(known), most, inputs.seed)].astype(np.int64)
    pixels = torch.from_numpy(inputs.judged.crops.read_images(rows))
    maps = model.heatmaps(pixels)
    predicted = model.codec.decode(maps).joints.float().cpu().numpy()
    correct = pck_thesis_hits(predicted, targets.joints[rows], targets.visibility[rows], size)
    labelled = targets.visibility[rows][:, joints] > 0
    indices = maps[:, torch.from_numpy(joints).to(maps.device)].flatten(2).argmax(dim=2)
    if location == "annotated":
        annotated = _map_indices(targets.joints[rows][:, joints], stride, model.network.map_size)
        indices = torch.where(torch.from_numpy(labelled).to(indices.device), annotated.to(indices.device), indices)
    flat, map_width = indices.cpu().numpy(), model.network.map_size[1]
    return ExplainedJoints(
        rows=rows,
        joints=joints,
        names=tuple(model.skeleton.joints[joint] for joint in joints),
        images=normalise_images(pixels.to(model.device), model.mean_rgb),
        map_indices=indices,
        points=crop_from_heatmap(np.stack([flat % map_width, flat // map_width], axis=-1).astype(np.float64), stride),
        labelled=labelled,
        correct=correct[:, joints],
        groups=inputs.judged.groups[rows],
    )


def patch_nearness(points: NDArray[np.float64], size: tuple[int, int], patch_px: int) -> NDArray[np.float64]:
    """Rank patches by their distance from points.

    Args:
        points: (N, J, 2) crop px.
        size: (height, width) of the crop, px.
        patch_px: side of a patch.

    Returns:
        (N, J, P) negative distances of the patch centres, row by row.
    """
    starts = [np.arange(0, side, patch_px) for side in size]
    rows, columns = (
        start + (np.minimum(start + patch_px, side) - start - 1) / 2 for start, side in zip(starts, size, strict=True)
    )
    centres = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    return np.asarray(-np.linalg.norm(points[..., None, :] - centres, axis=-1))


def _map_indices(joints: NDArray[np.float32], stride: float, map_size: tuple[int, int]) -> Tensor:
    """Return the (N, J) nearest heatmap px of (N, J, 2) joints in crop px, clipped at the border; 0 for a missing joint."""
    nearest = np.rint(heatmap_from_crop(np.nan_to_num(joints.astype(np.float64)), stride))
    x, y = np.moveaxis(nearest.clip(0, np.array(map_size[::-1]) - 1).astype(np.int64), -1, 0)
    return torch.from_numpy(y * map_size[1] + x)

"""Who and what attribution looks at: persons, joints, and the cell of the heatmap that is explained of each."""

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

__all__ = ["ExplainedJoints", "choose_joints", "select_explained_joints", "patch_nearness"]


@dataclass(frozen=True)
class ExplainedJoints:
    """N persons and J of their joints.

    Attributes:
        rows: (N,) of the persons in the inputs.
        joints: (J,) of the skeleton.
        names: of those joints.
        images: (N, 3, H, W) normalised, on the model's device.
        cells: (N, J) that are explained, counted row by row.
        points: (N, J, 2) crop px of those cells.
        labelled: (N, J) whether the joint is annotated.
        right: (N, J) whether the network's answer is right.
        groups: (N,) photograph of each person.
    """

    rows: NDArray[np.int64]
    joints: NDArray[np.int64]
    names: tuple[str, ...]
    images: Tensor
    cells: Tensor
    points: NDArray[np.float64]
    labelled: NDArray[np.bool_]
    right: NDArray[np.bool_]
    groups: NDArray[np.int64]


def choose_joints(skeleton: Skeleton, names: Sequence[str] | None) -> NDArray[np.int64]:
    """The joints of these names; none: one of each pair, the first, and those without a partner.

    Raises:
        ExplainError: if the skeleton lacks one.
    """
    if names is None:
        return np.array([joint for joint, partner in enumerate(skeleton.flip_indices) if joint <= partner], dtype=np.int64)
    unknown = [name for name in names if name not in skeleton.joints]
    if unknown:
        raise ExplainabilityError(
            f"attribution: the skeleton has no joint {', '.join(unknown)} (option joints); it has: {', '.join(skeleton.joints)}."
        )
    return np.array([skeleton.index(name) for name in names], dtype=np.int64)


def select_explained_joints(
    inputs: AnalysisInputs, names: Sequence[str] | None, most: int, cell: Literal["predicted", "annotated"]
) -> ExplainedJoints:
    """Draw persons with these joints annotated, and find the cells.

    Args:
        inputs: everybody.
        names: of joints, as of `choose_joints`.
        most: so many persons at most.
        cell: where the network puts the joint, or where it is annotated.

    Raises:
        ExplainError: if a joint is unknown, or nobody has one of them annotated.
    """
    model, targets, size = inputs.model, inputs.crops.targets, inputs.crops.crop_size
    joints = choose_joints(model.skeleton, names)
    known = np.flatnonzero((targets.visibility[:, joints] > 0).any(axis=1))
    if not len(known):
        raise ExplainabilityError(
            "attribution: nobody has the joints annotated, so nobody can say where the evidence should lie."
        )
    rows = known[sample_rows(len(known), most, inputs.seed)].astype(np.int64)
    pixels = torch.from_numpy(inputs.crops.read_images(rows))
    maps = model.heatmaps(pixels)
    predicted = model.codec.decode(maps).joints.float().cpu().numpy()
    right = pck_thesis_hits(predicted, targets.joints[rows], targets.visibility[rows], size)
    labelled = targets.visibility[rows][:, joints] > 0
    cells = maps[:, torch.from_numpy(joints).to(maps.device)].flatten(2).argmax(dim=2)
    if cell == "annotated":
        annotated = _cells_of(targets.joints[rows][:, joints], size, model.network.map_size)
        cells = torch.where(torch.from_numpy(labelled).to(cells.device), annotated.to(cells.device), cells)
    return ExplainedJoints(
        rows=rows,
        joints=joints,
        names=tuple(model.skeleton.joints[joint] for joint in joints),
        images=normalise_images(pixels.to(model.device), model.mean_rgb),
        cells=cells,
        points=_points_of(cells, size, model.network.map_size),
        labelled=labelled,
        right=right[:, joints],
        groups=inputs.groups[rows],
    )


def _cells_of(joints: NDArray[np.float32], crop_size: tuple[int, int], map_size: tuple[int, int]) -> Tensor:
    """(N, J, 2) crop px -> (N, J) cells, those outside at the border; a missing joint is at cell 0."""
    sides, cells = np.array(crop_size[::-1]), np.array(map_size[::-1])  # (x, y)
    places = np.rint((np.nan_to_num(joints.astype(np.float64)) + 0.5) * cells / sides - 0.5).clip(0, cells - 1).astype(np.int64)
    return torch.from_numpy(places[..., 1] * map_size[1] + places[..., 0])


def _points_of(cells: Tensor, crop_size: tuple[int, int], map_size: tuple[int, int]) -> NDArray[np.float64]:
    """(N, J) cells -> (N, J, 2) crop px of their middles."""
    flat = cells.cpu().numpy()
    places = np.stack([flat % map_size[1], flat // map_size[1]], axis=-1)
    points: NDArray[np.float64] = (places + 0.5) * np.array(crop_size[::-1]) / np.array(map_size[::-1]) - 0.5
    return points


def patch_nearness(points: NDArray[np.float64], size: tuple[int, int], patch_px: int) -> NDArray[np.float64]:
    """(N, J, P) patches, the nearest to each point the largest."""
    starts = [np.arange(0, side, patch_px) for side in size]
    rows, columns = (
        start + (np.minimum(start + patch_px, side) - start - 1) / 2 for start, side in zip(starts, size, strict=True)
    )
    middles = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    return np.asarray(-np.linalg.norm(points[..., None, :] - middles, axis=-1))

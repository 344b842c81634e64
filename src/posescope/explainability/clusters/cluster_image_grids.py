"""Image grids of clusters: persons near to and far from the centres, and mean skeletons."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from posescope.drawing.image_grids import draw_image_grid
from posescope.drawing.skeletons import draw_skeleton
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.features.activations import predict_persons
from posescope.explainability.features.row_blocks import sample_rows
from posescope.geometry.affine import apply_affine, crop_from_image

__all__ = ["ShownMembers", "draw_gallery", "draw_mean_skeletons", "mean_skeletons", "rank_members"]

_GROUND_GREY = 225
_TILE_PX = 128
_MAX_PREDICTED = 100  # persons predicted for the mean skeleton of a cluster without labelled joints
_MIN_LABELLED = 0.3  # minimum fraction of a cluster's persons with a joint for the joint to be in the mean skeleton


ShownMembers: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]  # rows of one cluster: nearest to its centre, farthest


def rank_members(
    labels: NDArray[np.int64], distance_to_centre: NDArray[np.float64], medoids: NDArray[np.int64], nearest: int, farthest: int
) -> list[ShownMembers]:
    """Select the persons to show of each cluster, none of them twice; fewer of a small cluster.

    Args:
        labels: (N,) 0..Q-1.
        distance_to_centre: (N,) distance from the centre of the own cluster.
        medoids: (Q,) rows.
        nearest, farthest: maximum number of persons per cluster.

    Returns:
        Rows of each cluster: the medoid, then the nearest to the centre; and the farthest from it.
    """
    shown = []
    for cluster, medoid in enumerate(medoids):
        others = np.flatnonzero((labels == cluster) & (np.arange(len(labels)) != medoid))
        order = np.append(medoid, others[np.argsort(distance_to_centre[others], kind="stable")])
        rest = order[nearest:]
        shown.append((order[:nearest], rest[max(len(rest) - farthest, 0) :]))
    return shown


def draw_gallery(inputs: AnalysisInputs, shown: list[ShownMembers], columns: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw a row of crops with predicted skeletons per cluster; cells without a person are white.

    Args:
        inputs: inputs of the analysis.
        shown: the persons of each cluster.
        columns: number of nearest and of farthest persons.
    """
    cells, captions = [], []
    for cluster, (nearest, farthest) in enumerate(shown, start=1):
        words = (["medoid", *["near"] * (len(nearest) - 1)], ["far"] * len(farthest))
        for rows, own, most in zip((nearest, farthest), words, columns, strict=True):
            cells.append(np.concatenate([rows, np.full(most - len(rows), -1)]))
            captions += [f"{cluster} {word}: {_caption(inputs, row)}" for word, row in zip(own, rows, strict=True)]
            captions += [""] * (most - len(rows))
    images = _draw_persons(inputs, np.concatenate(cells).astype(np.int64))
    title = f"One cluster per row: medoid and nearest to the centre ({columns[0]}), then the farthest from it ({columns[1]})"
    return draw_image_grid(images, columns=sum(columns), captions=captions, tile_size=(_TILE_PX, _TILE_PX), title=title)


def _caption(inputs: AnalysisInputs, row: int) -> str:
    person = f"person {inputs.judged.features.person_ids[row]}"
    pck = inputs.judged.per_person_pck[row]
    return person if np.isnan(pck) else f"{person}, PCK {pck:.2f}"


def _draw_persons(inputs: AnalysisInputs, cells: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    """Crops with predicted skeletons for rows of the inputs; a white image for -1."""
    rows = cells[cells >= 0]
    joints = predict_persons(inputs.model, inputs.judged.crops, rows, inputs.batch_size).joints
    images = inputs.judged.crops.read_images(rows)
    drawn = iter([draw_skeleton(image, own, inputs.model.skeleton) for image, own in zip(images, joints, strict=True)])
    blank = np.full((*inputs.judged.crops.crop_size, 3), 255, dtype=np.uint8)
    return [next(drawn) if cell >= 0 else blank for cell in cells]


def mean_skeletons(inputs: AnalysisInputs, labels: NDArray[np.int64], clusters: int) -> tuple[NDArray[np.float64], list[str]]:
    """Return the mean joints of each cluster.

    Args:
        inputs: inputs of the analysis.
        labels: (N,) 0..Q-1.
        clusters: Q.

    Returns:
        (Q, K, 2) crop px, NaN for a joint that too few persons of the cluster have; and for each cluster whether the joints are
        `annotated` or, if none of its persons has labelled joints, `predicted`.
    """
    means, origins = [], []
    for cluster in range(clusters):
        rows = np.flatnonzero(labels == cluster)
        joints, labelled = inputs.judged.crops.targets.joints[rows], inputs.judged.crops.targets.visibility[rows] > 0
        origins.append("annotated" if labelled.any() else "predicted")
        if not labelled.any():
            chosen = rows[sample_rows(len(rows), _MAX_PREDICTED, inputs.seed)]
            joints = predict_persons(inputs.model, inputs.judged.crops, chosen, inputs.batch_size).joints
            labelled = np.ones(joints.shape[:2], dtype=bool)
        mean = mean_over_labelled(joints.astype(np.float64), np.broadcast_to(labelled[..., None], joints.shape), axis=0)
        means.append(np.where(labelled.mean(axis=0)[:, None] >= _MIN_LABELLED, mean, np.nan))
    return np.stack(means), origins


def draw_mean_skeletons(inputs: AnalysisInputs, labels: NDArray[np.int64], names: list[str]) -> NDArray[np.uint8]:
    """Draw the mean skeletons side by side on grey.

    Args:
        inputs: inputs of the analysis.
        labels: (N,) 0..Q-1.
        names: names of the Q clusters.
    """
    means, origins = mean_skeletons(inputs, labels, len(names))
    title = "Mean skeletons (joints that few persons have are left out)"
    ground = np.full((256, 256, 3), _GROUND_GREY, dtype=np.uint8)
    sheet_from_crop = crop_from_image(0, 0, max(inputs.judged.crops.crop_size), ground.shape[:2])
    drawn = [draw_skeleton(ground, apply_affine(sheet_from_crop, mean), inputs.model.skeleton) for mean in means]
    captions = [name + ("; predicted" if origin == "predicted" else "") for name, origin in zip(names, origins, strict=True)]
    return draw_image_grid(drawn, columns=5, captions=captions, tile_size=(190, 190), title=title)

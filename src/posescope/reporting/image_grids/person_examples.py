"""Image grid of some persons from image to prediction, from the best to the worst score.

image, annotation and crop box | crop and annotation | target heatmaps | predicted heatmaps | predicted skeleton
"""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.pose_model import PoseModel
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import matrices_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_store import CropStore
from posescope.data.images.decoding import read_image
from posescope.drawing.heatmap_overlays import overlay_heatmaps
from posescope.drawing.image_grids import draw_image_grid, draw_image_row, resize_to_height
from posescope.drawing.skeletons import draw_skeleton
from posescope.drawing.strokes import draw_outline
from posescope.drawing.text_rendering import BACKGROUND_RGB
from posescope.geometry.affine import apply_affine, invert_affine

__all__ = ["draw_person_example", "draw_person_examples", "select_examples", "unscored_persons"]

_SQUARE_RGB = (255, 225, 40)
_OPACITY = 0.75
_PANEL_PX = 200


def draw_person_example(
    image: NDArray[np.uint8], crops: CropSet, row: int, crop_from_image: NDArray[np.float64], model: PoseModel
) -> NDArray[np.uint8]:
    """Run the model on one person and draw its five panels.

    Args:
        image: (H, W, 3) uint8 RGB with the person.
        crops: crops with this person, joints in the order of the model.
        row: row of the person in the crops.
        crop_from_image: (2, 3) float64.
        model: the trained model.

    Returns:
        (H', W', 3) uint8 RGB.

    Raises:
        DrawingError: if the image is not RGB.
    """
    person = crops.subset(np.array([row]))
    joints, visibility = person.targets.joints, person.targets.visibility
    pixels = person.read_images(np.array([0]))
    heatmaps = model.heatmaps(torch.from_numpy(pixels))
    predicted = model.codec.decode(heatmaps).joints[0].cpu().numpy().astype(np.float64)
    targets = model.codec.encode(torch.from_numpy(joints), torch.from_numpy(visibility)).heatmaps[0].numpy()
    crop, panel_from_crop = resize_to_height(pixels[0], _PANEL_PX)
    truth = apply_affine(panel_from_crop, joints[0])
    panels = {
        "image and crop box": _draw_image(image, person, crop_from_image, model.skeleton),
        "crop and annotation": draw_skeleton(crop, truth, model.skeleton, visibility[0]),
        "target heatmaps": overlay_heatmaps(crop, targets, _OPACITY),
        "predicted heatmaps": overlay_heatmaps(crop, heatmaps[0].cpu().numpy(), _OPACITY),
        _prediction_title(predicted - joints[0]): draw_skeleton(crop, apply_affine(panel_from_crop, predicted), model.skeleton),
    }
    return draw_image_row(list(panels.values()), list(panels), _PANEL_PX)


def _draw_image(
    image: NDArray[np.uint8], person: CropSet, crop_from_image: NDArray[np.float64], skeleton: Skeleton
) -> NDArray[np.uint8]:
    panel, panel_from_image = resize_to_height(image, _PANEL_PX)
    image_from_crop = invert_affine(crop_from_image)
    height, width = person.crop_size
    edges = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    corners = apply_affine(panel_from_image, apply_affine(image_from_crop, edges))
    framed = draw_outline(draw_outline(panel, corners, (20, 20, 20), 4), corners, _SQUARE_RGB, 2)
    joints = apply_affine(panel_from_image, apply_affine(image_from_crop, person.targets.joints[0]))
    return draw_skeleton(framed, joints, skeleton, person.targets.visibility[0], thickness_px=1.5)


def _prediction_title(offsets: NDArray[np.float64]) -> str:
    errors = np.hypot(offsets[:, 0], offsets[:, 1])
    labelled = errors[np.isfinite(errors)]
    return f"prediction, mean error {labelled.mean():.1f} crop px" if labelled.size else "prediction"


def unscored_persons(crops: CropStore, persons: pd.DataFrame) -> pd.DataFrame:
    """Return the validation persons with a crop as a `PersonScores` table without metrics.

    Args:
        crops: crops of the data set.
        persons: a `Persons` table.
    """
    chosen = persons[(persons["split"] == "val") & persons["person_id"].isin(crops.person_ids())]
    return chosen[["person_id", "image_id"]].assign(found=True).reset_index(drop=True)


def select_examples(person_scores: pd.DataFrame, count: int) -> NDArray[np.int64]:
    """Return person ids that are evenly spaced from the best to the worst PCK; ties are sorted by id.

    Args:
        person_scores: a `PersonScores` table; only found persons are used. Without pck_thesis, evenly spaced ids are returned.
        count: maximum number of persons.
    """
    if "pck_thesis" not in person_scores:
        ids = np.sort(person_scores.loc[person_scores["found"], "person_id"].to_numpy(dtype=np.int64))
        return np.asarray(ids[np.linspace(0, len(ids) - 1, min(count, len(ids))).round().astype(int)])
    known = (
        person_scores[person_scores["found"]]
        .dropna(subset=["pck_thesis"])
        .sort_values(["pck_thesis", "person_id"], ascending=[False, True], kind="stable")
    )
    places = np.linspace(0, len(known) - 1, min(count, len(known))).round().astype(int)
    return np.asarray(known["person_id"].to_numpy(dtype=np.int64)[places])


def draw_person_examples(
    person_scores: pd.DataFrame,
    model: PoseModel,
    folder: CocoFolder,
    source: SourceOptions,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    count: int,
) -> NDArray[np.uint8]:
    """Draw some persons from image to prediction, one row per person, from the best to the worst score.

    Args:
        person_scores: a `PersonScores` table of the validation persons.
        model: the trained model.
        folder, source: the data set.
        crops, targets: crops of the data set and their joints.
        persons, crop_boxes: tables of the data set.
        count: maximum number of persons.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    chosen = select_examples(person_scores, count)
    members = match_crops(model, crops.select(targets, chosen))
    ids = members.targets.person_ids
    files = persons.set_index("person_id").loc[ids, ["source_split", "file_name"]].astype(str)
    paths = [folder.image_folder(source, split) / name for split, name in files.itertuples(index=False)]
    maps = matrices_of(crop_boxes.set_index("person_id").loc[ids])
    rows = [
        draw_person_example(
            read_image(path, frame=source.orientation, limits=source.image_limits), members, row, maps[row], model
        )
        for row, path in enumerate(paths)
    ]
    pck = person_scores.set_index("person_id").get("pck_thesis")
    tile = (max(row.shape[0] for row in rows), max(row.shape[1] for row in rows))
    captions = [f"person {person}" + ("" if pck is None else f": PCK (thesis) {pck.loc[person]:.2f}") for person in ids]
    return draw_image_grid([_pad(row, tile) for row in rows], 1, captions, tile)


def _pad(row: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pad a row to a size with the background colour; grey would look like part of an image."""
    padded = np.full((*size, 3), BACKGROUND_RGB, dtype=np.uint8)
    padded[: row.shape[0], : row.shape[1]] = row
    return padded

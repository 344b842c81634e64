"""Image grid of some persons from image to prediction, from the best to the worst score.

image, annotation and crop box | crop and annotation | target heatmaps | predicted heatmaps | predicted skeleton
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.pose_model import PoseModel
from posescope.core.joint_matching import joint_names_of, match_joints
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import joints_of, matrices_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_store import CropStore
from posescope.data.images.decoding import read_image
from posescope.drawing.heatmap_overlays import overlay_heatmaps
from posescope.drawing.image_grids import draw_image_grid, draw_image_row, resize_to_height
from posescope.drawing.rgb_images import check_rgb
from posescope.drawing.skeletons import draw_skeleton
from posescope.drawing.strokes import draw_outline
from posescope.drawing.text_rendering import BACKGROUND_RGB
from posescope.geometry.affine import apply_affine, invert_affine

__all__ = [
    "PersonExample",
    "draw_person_example",
    "draw_person_examples",
    "load_person_example",
    "select_examples",
    "unscored_persons",
]

_SQUARE_RGB = (255, 225, 40)
_OPACITY = 0.75
_PANEL_PX = 200


@dataclass(frozen=True, eq=False)
class PersonExample:
    """One person from image to prediction.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        joints: (K, 2) image px, NaN: unlabelled.
        visibility: (K,) 0..2.
        crop: (h, w, 3) uint8 RGB.
        crop_from_image: (2, 3) float64.
        target_heatmaps, predicted_heatmaps: (K, h', w'), covering the crop.
        predicted_joints: (K, 2) crop px.
    """

    image: NDArray[np.uint8]
    joints: NDArray[np.floating]
    visibility: NDArray[np.uint8]
    crop: NDArray[np.uint8]
    crop_from_image: NDArray[np.float64]
    target_heatmaps: NDArray[np.floating]
    predicted_heatmaps: NDArray[np.floating]
    predicted_joints: NDArray[np.floating]


def draw_person_example(example: PersonExample, skeleton: Skeleton, height_px: int = 256) -> NDArray[np.uint8]:
    """Draw the five panels of a person.

    Args:
        example: the person.
        skeleton: K joints and their limbs.
        height_px: height of the panels.

    Returns:
        (H, W, 3) RGB.

    Raises:
        DrawingError: if an image is not RGB, or the joints do not match the skeleton.
    """
    check_rgb(example.image, "image")
    check_rgb(example.crop, "crop")
    crop, panel_from_crop = resize_to_height(example.crop, height_px)
    truth = apply_affine(panel_from_crop, apply_affine(example.crop_from_image, example.joints))
    panels = {
        "image and crop box": _draw_image(example, skeleton, height_px),
        "crop and annotation": draw_skeleton(crop, truth, skeleton, example.visibility),
        "target heatmaps": overlay_heatmaps(crop, example.target_heatmaps, _OPACITY),
        "predicted heatmaps": overlay_heatmaps(crop, example.predicted_heatmaps, _OPACITY),
        _prediction_title(example): draw_skeleton(crop, apply_affine(panel_from_crop, example.predicted_joints), skeleton),
    }
    return draw_image_row(list(panels.values()), list(panels), height_px)


def _draw_image(example: PersonExample, skeleton: Skeleton, height_px: int) -> NDArray[np.uint8]:
    image, panel_from_image = resize_to_height(example.image, height_px)
    height, width = example.crop.shape[:2]
    edges = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    corners = apply_affine(panel_from_image, apply_affine(invert_affine(example.crop_from_image), edges))
    framed = draw_outline(draw_outline(image, corners, (20, 20, 20), 4), corners, _SQUARE_RGB, 2)
    return draw_skeleton(framed, apply_affine(panel_from_image, example.joints), skeleton, example.visibility, thickness_px=1.5)


def _prediction_title(example: PersonExample) -> str:
    offsets = example.predicted_joints - apply_affine(example.crop_from_image, example.joints)
    errors = np.hypot(offsets[:, 0], offsets[:, 1])
    labelled = errors[np.isfinite(errors)]
    return f"prediction, mean error {labelled.mean():.1f} crop px" if labelled.size else "prediction"


def unscored_persons(crops: CropStore, persons: pd.DataFrame) -> pd.DataFrame:
    """Return the validation persons with a crop as a `PersonScores` table without metrics."""
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


def load_person_example(
    person_id: int,
    model: PoseModel,
    folder: CocoFolder,
    source: SourceOptions,
    crops: CropSet,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    keypoints: pd.DataFrame,
) -> PersonExample:
    """Load the image, annotation and crop of a person, and run the model on it.

    Args:
        person_id: id of the person.
        model: the trained model.
        folder, source: the data set.
        crops: crops with this person, joints in the order of the model.
        persons, crop_boxes, keypoints: tables with this person.
    """
    row = persons.set_index("person_id").loc[person_id]
    place = int(np.flatnonzero(crops.targets.person_ids == person_id)[0])
    crop = crops.read_images(np.array([place]))
    order = match_joints(model.skeleton.joints, joint_names_of(keypoints), data_name="the table of keypoints")
    values = order.to_model_order(joints_of(keypoints, np.array([person_id]))[0], axis=0)
    heatmaps = model.heatmaps(torch.from_numpy(crop))
    joints = torch.from_numpy(crops.targets.joints[[place]])
    visibility = torch.from_numpy(crops.targets.visibility[[place]])
    path = folder.image_folder(source, str(row["source_split"])) / str(row["file_name"])
    return PersonExample(
        image=read_image(path, frame=source.orientation, limits=source.image_limits),
        joints=values[:, :2],
        visibility=values[:, 2].astype(np.uint8),
        crop=crop[0],
        crop_from_image=matrices_of(crop_boxes[crop_boxes["person_id"] == person_id])[0],
        target_heatmaps=model.codec.encode(joints, visibility).heatmaps[0].numpy(),
        predicted_heatmaps=heatmaps[0].cpu().numpy(),
        predicted_joints=model.codec.decode(heatmaps).joints[0].cpu().numpy().astype(np.float64),
    )


def draw_person_examples(
    person_scores: pd.DataFrame,
    model: PoseModel,
    folder: CocoFolder,
    source: SourceOptions,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    keypoints: pd.DataFrame,
    count: int,
) -> NDArray[np.uint8]:
    """Draw some persons from image to prediction, one row per person, from the best to the worst score.

    Args:
        person_scores: a `PersonScores` table of the validation persons.
        model: the trained model.
        folder, source: the data set.
        crops, targets: crops of the data set and their joints.
        persons, crop_boxes, keypoints: tables of the data set.
        count: maximum number of persons.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    chosen = select_examples(person_scores, count)
    members = match_crops(model, crops.select(targets, chosen)).crops
    scored = person_scores.set_index("person_id")
    pck = scored.get("pck_thesis")
    rows = [
        draw_person_example(
            load_person_example(int(person), model, folder, source, members, persons, crop_boxes, keypoints),
            model.skeleton,
            _PANEL_PX,
        )
        for person in chosen
    ]
    tile = (max(row.shape[0] for row in rows), max(row.shape[1] for row in rows))
    captions = [f"person {person}" + ("" if pck is None else f": PCK (thesis) {pck.loc[person]:.2f}") for person in chosen]
    return draw_image_grid([_pad(row, tile) for row in rows], 1, captions, tile)


def _pad(row: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pad a row to a size with the background colour; grey would look like part of an image."""
    padded = np.full((*size, 3), BACKGROUND_RGB, dtype=np.uint8)
    padded[: row.shape[0], : row.shape[1]] = row
    return padded

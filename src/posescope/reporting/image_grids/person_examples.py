"""The story of one person, from the photograph to the prediction, as one picture.

photograph + truth + square | crop + truth | target heatmaps | network's heatmaps | predicted skeleton
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
from posescope.drawing.rgb_images import DrawingError, check_rgb
from posescope.drawing.skeletons import draw_skeleton
from posescope.drawing.strokes import draw_outline
from posescope.drawing.text_rendering import BACKGROUND_RGB
from posescope.geometry.affine import apply_affine, invert_affine

__all__ = [
    "PersonExample",
    "draw_person_example",
    "select_examples",
    "draw_person_examples",
    "load_person_example",
    "unscored_persons",
]

_SQUARE_RGB = (255, 225, 40)
_OPACITY = 0.75


@dataclass(frozen=True, eq=False)
class PersonExample:
    """One person at every stage. The last two are None where no network has run yet.

    Attributes:
        image: (H, W, 3) RGB, the photograph.
        joints: (K, 2) image px, NaN where unlabelled.
        visibility: (K,) 0..2.
        crop: (h, w, 3) RGB.
        crop_from_image: (2, 3) float64.
        target_heatmaps: (K, h', w') over the crop.
        predicted_heatmaps: likewise.
        predicted_joints: (K, 2) crop px.
    """

    image: NDArray[np.uint8]
    joints: NDArray[np.floating]
    visibility: NDArray[np.uint8]
    crop: NDArray[np.uint8]
    crop_from_image: NDArray[np.float64]
    target_heatmaps: NDArray[np.floating]
    predicted_heatmaps: NDArray[np.floating] | None = None
    predicted_joints: NDArray[np.floating] | None = None


def draw_person_example(story: PersonExample, skeleton: Skeleton, height_px: int = 256) -> NDArray[np.uint8]:
    """Draw a person's story: three panels without a network, five with one.

    Args:
        story: of one person.
        skeleton: of its K joints.
        height_px: of the panels.

    Returns:
        (H, W, 3) RGB.

    Raises:
        DrawingError: if an image is not RGB, or joints and skeleton do not belong together.
    """
    check_rgb(story.image, "photograph")
    check_rgb(story.crop, "crop")
    crop, panel_from_crop = resize_to_height(story.crop, height_px)
    truth = apply_affine(panel_from_crop, apply_affine(story.crop_from_image, story.joints))
    panels = {
        "photograph and crop square": _picture_photograph(story, skeleton, height_px),
        "crop and annotation": draw_skeleton(crop, truth, skeleton, story.visibility),
        "target heatmaps": overlay_heatmaps(crop, story.target_heatmaps, _OPACITY),
    }
    if story.predicted_heatmaps is not None:
        panels["the network's heatmaps"] = overlay_heatmaps(crop, story.predicted_heatmaps, _OPACITY)
    if story.predicted_joints is not None:
        predicted = apply_affine(panel_from_crop, story.predicted_joints)
        panels[_prediction_title(story)] = draw_skeleton(crop, predicted, skeleton)
    return draw_image_row(list(panels.values()), list(panels), height_px)


def _picture_photograph(story: PersonExample, skeleton: Skeleton, height_px: int) -> NDArray[np.uint8]:
    photograph, panel_from_image = resize_to_height(story.image, height_px)
    height, width = story.crop.shape[:2]
    edges = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    corners = apply_affine(panel_from_image, apply_affine(invert_affine(story.crop_from_image), edges))
    framed = draw_outline(draw_outline(photograph, corners, (20, 20, 20), 4), corners, _SQUARE_RGB, 2)
    return draw_skeleton(framed, apply_affine(panel_from_image, story.joints), skeleton, story.visibility, thickness_px=1.5)


def _prediction_title(story: PersonExample) -> str:
    if story.predicted_joints is None:
        raise DrawingError("A story without predicted joints has no prediction to name.")
    offsets = story.predicted_joints - apply_affine(story.crop_from_image, story.joints)
    errors = np.hypot(offsets[:, 0], offsets[:, 1])
    labelled = errors[np.isfinite(errors)]
    return f"prediction, mean error {labelled.mean():.1f} px of the crop" if labelled.size else "prediction"


_PANEL_PX = 200


def unscored_persons(crops: CropStore, persons: pd.DataFrame) -> pd.DataFrame:
    """Return the validation persons with a crop as a `PersonScores` table without a figure: nobody has scored them."""
    chosen = persons[(persons["split"] == "val") & persons["person_id"].isin(crops.person_ids())]
    return chosen[["person_id", "image_id"]].assign(found=True).reset_index(drop=True)


def select_examples(person_scores: pd.DataFrame, count: int) -> NDArray[np.int64]:
    """(count,) person ids, evenly spread from the best to the worst PCK; equally good ones in the order of their ids.

    Who was missed may have no crop, and has no story. Without scores the ids are evenly spread.
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
    """Everything that is known of one person.

    Args:
        person_id: whom.
        model: the trained model.
        folder, source: the data set.
        crops: a set that has the person, with the joints in the model's order.
        persons, crop_boxes, keypoints: tables that have the person.
    """
    row = persons.set_index("person_id").loc[person_id]
    place = int(np.flatnonzero(crops.targets.person_ids == person_id)[0])
    crop = crops.read_images(np.array([place]))
    order = match_joints(model.skeleton.joints, joint_names_of(keypoints), data_name="the table of keypoints")
    values = order.to_model_order(joints_of(keypoints, np.array([person_id]))[0], axis=0)
    heatmaps = model.heatmaps(torch.from_numpy(crop))
    joints = torch.from_numpy(crops.targets.joints[[place]])
    visibility = torch.from_numpy(crops.targets.visibility[[place]])
    photograph = folder.image_folder(source, str(row["source_split"])) / str(row["file_name"])
    return PersonExample(
        image=read_image(photograph, frame=source.orientation, limits=source.image_limits),
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
    """The stories of `count` persons, from the best to the worst, one below the other.

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
    return draw_image_grid([_on_paper(row, tile) for row in rows], 1, captions, tile)


def _on_paper(row: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A story of another width stands left, on the sheet's own paper: a grey tile would look like a part of it."""
    paper = np.full((*size, 3), BACKGROUND_RGB, dtype=np.uint8)
    paper[: row.shape[0], : row.shape[1]] = row
    return paper

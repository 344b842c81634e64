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
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import matrices_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_store import CropStore
from posescope.data.images.decoding import read_image
from posescope.drawing.heatmap_overlays import overlay_heatmaps
from posescope.drawing.image_grids import draw_image_grid, draw_image_row, resize_to_height
from posescope.drawing.photographs import PhotographMode
from posescope.drawing.skeletons import draw_skeleton
from posescope.drawing.strokes import draw_outline
from posescope.drawing.text_rendering import BACKGROUND_RGB
from posescope.geometry.affine import apply_affine, invert_affine

__all__ = ["PersonArtist", "draw_person_example", "select_examples", "select_typical", "unscored_persons"]

_SQUARE_RGB = (255, 225, 40)
_OPACITY = 0.75
_PANEL_PX, _GAP_PX = 200, 6


@dataclass(frozen=True, eq=False)
class PersonArtist:
    """Draws persons with the predictions of a model.

    Attributes:
        model: the trained model.
        crops, targets: crops of the data set and their joints.
        photographs: how photographs are shown.
    """

    model: PoseModel
    crops: CropStore
    targets: PoseTargets
    photographs: PhotographMode = "full"

    def draw_examples(
        self,
        person_scores: pd.DataFrame,
        folder: CocoFolder,
        source: SourceOptions,
        persons: pd.DataFrame,
        crop_boxes: pd.DataFrame,
        count: int,
    ) -> NDArray[np.uint8]:
        """Draw some persons from image to prediction, one row per person, from the best to the worst score.

        Args:
            person_scores: a `PersonScores` table of the validation persons.
            folder, source: the data set.
            persons, crop_boxes: tables of the data set.
            count: maximum number of persons.

        Returns:
            (H, W, 3) uint8 RGB.
        """
        members = match_crops(self.model, self.crops.select(self.targets, select_examples(person_scores, count)))
        ids = members.targets.person_ids
        files = persons.set_index("person_id").loc[ids, ["source_split", "file_name"]].astype(str)
        images = [
            (folder.image_folder(source, split) / name, folder.options_of(source, split))
            for split, name in files.itertuples(index=False)
        ]
        maps = matrices_of(crop_boxes.set_index("person_id").loc[ids])
        rows = []
        for row, (path, own) in enumerate(images):
            image = read_image(path, frame=own.orientation, limits=own.image_limits)
            rows.append(draw_person_example(image, members, row, maps[row], self.model, self.photographs))
        pck = person_scores.set_index("person_id").get("pck_thesis")
        tile = (max(row.shape[0] for row in rows), max(row.shape[1] for row in rows))
        captions = [f"person {person}" + ("" if pck is None else f": PCK {pck.loc[person]:.2f}") for person in ids]
        return draw_image_grid([_pad(row, tile) for row in rows], 1, captions, tile)

    def draw_typical(self, person_scores: pd.DataFrame) -> NDArray[np.uint8]:
        """Draw the crop, the predicted heatmaps and the predicted skeleton of one typical person who can be seen well.

        Args:
            person_scores: a `PersonScores` table of the validation persons.

        Returns:
            (H, W, 3) uint8 RGB: three panels side by side.
        """
        chosen = match_crops(self.model, self.crops.select(self.targets, select_typical(person_scores, self.targets)))
        drawn = _draw_prediction(chosen, self.model, self.photographs)
        gap = np.full((_PANEL_PX, _GAP_PX, 3), BACKGROUND_RGB, dtype=np.uint8)
        return np.concatenate([drawn.crop, gap, drawn.overlay, gap, drawn.skeleton], axis=1)


@dataclass(frozen=True, eq=False)
class _Prediction:
    """Panels of a prediction, and what they show."""

    crop: NDArray[np.uint8]
    panel_from_crop: NDArray[np.float64]
    overlay: NDArray[np.uint8]
    skeleton: NDArray[np.uint8]
    joints: NDArray[np.float64]


def _draw_prediction(person: CropSet, model: PoseModel, photographs: PhotographMode) -> _Prediction:
    pixels = person.read_images(np.array([0]))
    heatmaps = model.heatmaps(torch.from_numpy(pixels))
    joints = model.codec.decode(heatmaps).joints[0].cpu().numpy().astype(np.float64)
    crop, panel_from_crop = resize_to_height(person.read_shown_images(np.array([0]), photographs)[0], _PANEL_PX)
    return _Prediction(
        crop,
        panel_from_crop,
        overlay_heatmaps(crop, heatmaps[0].cpu().numpy(), _OPACITY),
        draw_skeleton(crop, apply_affine(panel_from_crop, joints), model.skeleton),
        joints,
    )


def draw_person_example(
    image: NDArray[np.uint8],
    crops: CropSet,
    row: int,
    crop_from_image: NDArray[np.float64],
    model: PoseModel,
    photographs: PhotographMode = "full",
) -> NDArray[np.uint8]:
    """Run the model on one person and draw its five panels; without the first one unless photographs are shown in full.

    Args:
        image: (H, W, 3) uint8 RGB with the person.
        crops: crops with this person, joints in the order of the model.
        row: row of the person in the crops.
        crop_from_image: (2, 3) float64.
        model: the trained model.
        photographs: how photographs are shown.

    Returns:
        (H', W', 3) uint8 RGB.

    Raises:
        DrawingError: if the image is not RGB.
    """
    person = crops.subset(np.array([row]))
    joints, visibility = person.targets.joints, person.targets.visibility
    drawn = _draw_prediction(person, model, photographs)
    targets = model.codec.encode(torch.from_numpy(joints), torch.from_numpy(visibility)).heatmaps[0].numpy()
    truth = apply_affine(drawn.panel_from_crop, joints[0])
    whole = _draw_image(image, person, crop_from_image, model.skeleton)
    panels = {
        **({"image and crop box": whole} if photographs == "full" else {}),
        "crop and annotation": draw_skeleton(drawn.crop, truth, model.skeleton, visibility[0]),
        "target heatmaps": overlay_heatmaps(drawn.crop, targets, _OPACITY),
        "predicted heatmaps": drawn.overlay,
        _prediction_title(drawn.joints - joints[0]): drawn.skeleton,
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


def select_typical(person_scores: pd.DataFrame, targets: PoseTargets) -> NDArray[np.int64]:
    """Return the id, (1,), of a person with the most visible joints, of these the one whose PCK is nearest to the mean of all.

    Args:
        person_scores: a `PersonScores` table; only found persons are used.
        targets: joints of these persons.
    """
    found = person_scores[person_scores["found"]]
    visible = pd.Series((targets.visibility == 2).sum(axis=1), index=targets.person_ids).reindex(found["person_id"]).to_numpy()
    pck = found["pck_thesis"].to_numpy(dtype=np.float64) if "pck_thesis" in found else np.zeros(len(found))
    distance = np.nan_to_num(np.abs(pck - np.nanmean(pck)), nan=np.inf)
    ids = found["person_id"].to_numpy(dtype=np.int64)
    return np.asarray(ids[np.lexsort((ids, distance, -visible))[:1]])


def _pad(row: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pad a row to a size with the background colour; grey would look like part of an image."""
    padded = np.full((*size, 3), BACKGROUND_RGB, dtype=np.uint8)
    padded[: row.shape[0], : row.shape[1]] = row
    return padded

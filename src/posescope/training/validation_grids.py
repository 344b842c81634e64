"""Image grids of validation persons during training: annotation beside prediction, every few epochs.

    <folder>/<fingerprint>/epoch_0005.png

Drawing uses no random numbers and changes no weights, so the results of a run do not depend on the grids.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from posescope.artifacts.pose_model import PoseModel, normalise_images
from posescope.core.files import remove_leftovers
from posescope.core.mirrors import remove
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.drawing.image_grids import draw_image_grid, resize_to_height
from posescope.drawing.rgb_images import write_png
from posescope.drawing.skeletons import draw_skeleton
from posescope.evaluation.metrics.pck_thesis import pck_thesis_hits
from posescope.geometry.affine import apply_affine

__all__ = ["ImageGridFolder", "draw_predictions"]

_PERSONS, _COLUMNS, _PANEL_PX, _SEAM_PX = 12, 3, 160, 2


@dataclass(frozen=True)
class ImageGridFolder:
    """Folder of image grids with a subfolder per run."""

    root: Path

    def is_finished(self) -> bool:
        """Return whether the folder exists."""
        return self.root.is_dir()

    def begin(self, fingerprint: str, epoch: int) -> None:
        """Remove the image grids of epochs that a run will train again.

        Args:
            fingerprint: fingerprint of the run.
            epoch: epoch after which the run continues; 0: it begins.
        """
        run = self.root / fingerprint
        if epoch == 0:
            remove(run)
        remove_leftovers(run)
        for path in run.glob("epoch_*.png"):
            if int(path.stem.removeprefix("epoch_")) > epoch:
                remove(path)

    def write(self, fingerprint: str, epoch: int, image: NDArray[np.uint8]) -> Path:
        """Write the image grid of an epoch atomically and return its path.

        Args:
            fingerprint: fingerprint of the run.
            epoch: number of the epoch, from 1.
            image: (H, W, 3) uint8 RGB.

        Raises:
            DrawingError: The file cannot be written.
        """
        path = self.root / fingerprint / f"epoch_{epoch:04d}.png"
        write_png(path, image)
        return path


@torch.no_grad()
def draw_predictions(model: PoseModel, crop_set: CropSet, title: str) -> NDArray[np.uint8]:
    """Draw some persons twice: the annotation on the left (occluded joints hollow), the prediction of all joints on the right.

    The persons are evenly spaced in the set, so they are the same in all epochs.

    Args:
        model: model in evaluation mode.
        crop_set: crops of at least one person.
        title: title above the image grid.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    rows = np.unique(np.linspace(0, len(crop_set) - 1, min(len(crop_set), _PERSONS)).round().astype(np.int64))
    images, targets = crop_set.read_images(rows), crop_set.targets
    maps = model.network(normalise_images(torch.from_numpy(images).to(model.device), model.mean_rgb))[-1]
    predicted = model.codec.decode(maps.float()).joints.cpu().numpy()
    joints, visibility = targets.joints[rows], targets.visibility[rows]
    hits = pck_thesis_hits(predicted, joints, visibility, crop_set.crop_size)
    pairs = [
        np.hstack([_panel(image, truth, model.skeleton, seen), _seam(), _panel(image, guess, model.skeleton)])
        for image, truth, guess, seen in zip(images, joints, predicted, visibility, strict=True)
    ]
    captions = [
        f"person {person}: {correct} of {labelled} joints correct"
        for person, correct, labelled in zip(targets.person_ids[rows], hits.sum(1), (visibility > 0).sum(1), strict=True)
    ]
    width = max(pair.shape[1] for pair in pairs)
    return draw_image_grid(pairs, _COLUMNS, captions, (_PANEL_PX, width), title=f"{title} (left annotated, right predicted)")


def _panel(
    image: NDArray[np.uint8], joints: NDArray[np.floating], skeleton: Skeleton, visibility: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    panel, panel_from_crop = resize_to_height(image, _PANEL_PX)
    return draw_skeleton(panel, apply_affine(panel_from_crop, joints), skeleton, visibility)


def _seam() -> NDArray[np.uint8]:
    return np.full((_PANEL_PX, _SEAM_PX, 3), 255, dtype=np.uint8)

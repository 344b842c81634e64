"""Persons made unrecognisable in pictures that are passed on: whole crops coarse, heads coarser, or no pixels at all.

Pixels are averaged over cells, which cannot be undone as a blur can. The whole crop is reduced, since other persons in it have no
joints here.
"""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.drawing.rgb_images import check_rgb

__all__ = ["PhotographMode", "coarsen_image", "hide_photographs", "mode_covers"]

PhotographMode = Literal["full", "blurred", "none"]

_STRICTNESS = ("full", "blurred", "none")
_HEAD_PARTS = frozenset({"beak", "chin", "ear", "ears", "eye", "eyes", "face", "forehead", "head", "mouth", "nose", "snout"})
_CELLS, _HEAD_CELLS = 24, 8  # per longer side of the image
_RADIUS_OF_PERSON = 0.2  # radius of a head by the longer side of the box of all known joints
_PLAIN_GREY = 226


def mode_covers(made: str, wanted: PhotographMode) -> bool:
    """Return whether a picture that was made in one mode may be shown in another one.

    Args:
        made: mode at creation; an unknown one covers nothing but `full`.
        wanted: mode of the page.

    Example:
        >>> mode_covers("none", "blurred"), mode_covers("full", "blurred")
        (True, False)
    """
    strictness = _STRICTNESS.index(made) if made in _STRICTNESS else 0
    return strictness >= _STRICTNESS.index(wanted)


def hide_photographs(
    images: NDArray[np.uint8], joints: NDArray[np.floating], joint_names: Sequence[str], mode: PhotographMode
) -> NDArray[np.uint8]:
    """Return images as a page may show them.

    Args:
        images: (N, H, W, 3) uint8 RGB, one person each.
        joints: (N, K, 2) px of these images, NaN where unknown.
        joint_names: K names, from which the joints of the head follow.
        mode: `full`: the same array; `blurred`: coarse images with coarser heads, or all of it coarser where no joint of the
            head is known; `none`: plain grey.

    Raises:
        DrawingError: if an image is not RGB.
    """
    if mode == "full":
        return images
    if mode == "none":
        return np.full_like(images, _PLAIN_GREY)
    head = [index for index, name in enumerate(joint_names) if _HEAD_PARTS & set(name.lower().split("_"))]
    hidden = [_blur_person(image, own, own[head]) for image, own in zip(images, joints, strict=True)]
    return np.stack(hidden) if hidden else images


def coarsen_image(image: NDArray[np.uint8], cells: int) -> NDArray[np.uint8]:
    """Return an image whose pixels are averaged over a grid of cells, and interpolated between them.

    Args:
        image: (H, W, 3) uint8 RGB.
        cells: cells along the longer side.
    """
    check_rgb(image)
    height, width = image.shape[:2]
    scale = cells / max(height, width)
    grid = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, grid, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _blur_person(image: NDArray[np.uint8], joints: NDArray[np.floating], head: NDArray[np.floating]) -> NDArray[np.uint8]:
    coarse, coarser = coarsen_image(image, _CELLS), coarsen_image(image, _HEAD_CELLS)
    known = head[np.isfinite(head).all(axis=1)]
    if not len(known):
        return coarser
    every = joints[np.isfinite(joints).all(axis=1)]
    centre, spread = known.mean(axis=0), float(np.ptp(known, axis=0).max())
    radius = max(spread, _RADIUS_OF_PERSON * float(np.ptp(every, axis=0).max()), max(image.shape) / _HEAD_CELLS)
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    near = (columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 <= radius**2
    return np.where(near[..., None], coarser, coarse)

"""Pictures of one person in two runs: both predictions and the annotation, which differ in line style and in colour.

annotation    thin white lines
A             dashed orange lines, joints as rings
B             solid blue lines, joints as discs
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.skeleton import Skeleton
from posescope.drawing.image_grids import resize_to_height
from posescope.drawing.photographs import mode_covers
from posescope.drawing.strokes import Colour, clear_disc, draw_stroke
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.person_matching import JointFrame
from posescope.explorer.pictures import draw_reference, draw_skeleton_panel, encode_jpeg
from posescope.explorer.run_comparison import RunPair
from posescope.geometry.affine import apply_affine

__all__ = ["FIRST_RGB", "SECOND_RGB", "PersonPicture", "draw_both", "picture_of_run", "thumbnails_of_both"]

FIRST_RGB: Colour = (240, 150, 20)
SECOND_RGB: Colour = (60, 150, 240)
_OUTLINE_RGB: Colour = (20, 20, 20)
_LIMB, _JOINT = 0.0055, 0.0125  # radii, fraction of the picture's height
_DASH, _GAP = 5.0, 6.0  # in radii of a limb
_MOST_DASHES = 200


@dataclass(frozen=True)
class PersonPicture:
    """A picture of a person.

    Attributes:
        jpeg: the picture.
        note: why it is not the crop in full size; empty if it is.
    """

    jpeg: bytes
    note: str = ""


def draw_both(image: NDArray[np.uint8], frame: JointFrame, row: int, skeleton: Skeleton, height_px: int) -> NDArray[np.uint8]:
    """Draw the annotation and both predictions of a person.

    Args:
        image: (h, w, 3) uint8 RGB, the crop of the frame's run in any size; not changed.
        frame: joints of the persons in the px of that crop.
        row: the person.
        skeleton: the K joints of the frame.
        height_px: height of the picture.

    Returns:
        (height_px, W, 3) uint8 RGB.
    """
    panel = resize_to_height(image, height_px)[0]
    scale = height_px / frame.crop_size[0]
    panel_from_crop = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]])
    true, first, second = (apply_affine(panel_from_crop, one[row]) for one in (frame.true, frame.first, frame.second))
    canvas = draw_reference(panel, true, skeleton)
    limb, joint = max(_LIMB * height_px, 0.9), max(_JOINT * height_px, 2.0)
    _draw_limbs(canvas, second, skeleton, limb, SECOND_RGB, dashed=False)
    _draw_limbs(canvas, first, skeleton, limb, FIRST_RGB, dashed=True)
    for point in second[np.isfinite(second).all(axis=1)]:
        draw_stroke(canvas, point, point, joint + 0.6, _OUTLINE_RGB)
        draw_stroke(canvas, point, point, joint, SECOND_RGB)
    below = canvas.copy()
    for point in first[np.isfinite(first).all(axis=1)]:
        draw_stroke(canvas, point, point, joint + 0.9, _OUTLINE_RGB)
        draw_stroke(canvas, point, point, joint + 0.3, FIRST_RGB)
        clear_disc(canvas, below, point, 0.55 * joint)
    return canvas


def thumbnails_of_both(pair: RunPair, rows: NDArray[np.int64], height_px: int) -> list[bytes]:
    """Return JPEG thumbnails of matched persons with the annotation and both predictions.

    The photograph is the thumbnail of the run with the stricter `reporting.photographs`.

    Args:
        pair: the runs.
        rows: (n,) rows of the matched persons.
        height_px: height of the thumbnails.
    """
    if mode_covers(pair.first.about.photographs, pair.second.about.photographs):
        run, own, frame = pair.first, pair.matched.rows_a, pair.matched.frame_a
    else:
        run, own, frame = pair.second, pair.matched.rows_b, pair.matched.frame_b
    images = [_decode(one) for one in run.thumbnails(own[rows])]
    drawn = (draw_both(image, frame, int(row), pair.skeleton, height_px) for image, row in zip(images, rows, strict=True))
    return [encode_jpeg(picture) for picture in drawn]


def picture_of_run(pair: RunPair, row: int, *, second: bool, height_px: int) -> PersonPicture:
    """Return the crop of a matched person in one run, with this run's prediction and the annotation.

    Without crops, the thumbnail is enlarged.

    Args:
        pair: the runs.
        row: row of the matched person.
        second: whether B is shown.
        height_px: height of the picture.
    """
    run, own, frame = (
        (pair.second, pair.matched.rows_b, pair.matched.frame_b)
        if second
        else (pair.first, pair.matched.rows_a, pair.matched.frame_a)
    )
    image, note = _image_of(run, int(own[row]), pair)
    found = (frame.second if second else frame.first)[row]
    crop = np.asarray(cv2.resize(image, frame.crop_size[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    panel = draw_skeleton_panel(crop, found, pair.skeleton, reference=frame.true[row], height_px=height_px)
    return PersonPicture(encode_jpeg(panel), note)


def _image_of(run: OpenedRun, row: int, pair: RunPair) -> tuple[NDArray[np.uint8], str]:
    """Return the crop of a person as both runs allow it, or its thumbnail; and why it is no crop."""
    rows = np.array([row], dtype=np.int64)
    try:
        return run.crops().read_shown_images(rows, pair.photographs)[0], ""
    except DataError as error:
        if mode_covers(run.about.photographs, pair.photographs):
            return _decode(run.thumbnails(rows)[0]), str(error)
    height, width = run.about.crop_size
    return np.full(
        (height, width, 3), 226, dtype=np.uint8
    ), "The photograph is not shown: reporting.photographs of the other run."


def _decode(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(simplejpeg.decode_jpeg(jpeg, colorspace="RGB"), dtype=np.uint8)


def _draw_limbs(
    canvas: NDArray[np.uint8], points: NDArray[np.float64], skeleton: Skeleton, radius_px: float, colour: Colour, *, dashed: bool
) -> None:
    """Draw the limbs into a canvas, the outlines first, so that no outline covers another limb."""
    known = np.isfinite(points.sum(axis=1))
    lines = [(points[start], points[end]) for start, end in skeleton.limbs if known[start] and known[end]]
    parts = [part for line in lines for part in (_dashes(*line, radius_px) if dashed else [line])]
    for radius, ink in ((radius_px + 0.7, _OUTLINE_RGB), (radius_px, colour)):
        for start, end in parts:
            draw_stroke(canvas, start, end, radius, ink)


def _dashes(
    start: NDArray[np.float64], end: NDArray[np.float64], radius_px: float
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield the dashes of a line; it begins and ends with one."""
    length = float(np.hypot(*(end - start)))
    dash, step = _DASH * radius_px, (_DASH + _GAP) * radius_px
    count = min(max(round((length - dash) / step), 0), _MOST_DASHES) + 1
    if count == 1:
        yield start, end
        return
    for offset in np.linspace(0, length - dash, count):
        yield start + (end - start) * offset / length, start + (end - start) * (offset + dash) / length

"""Antialiased strokes with sub-pixel positions, drawn by OpenCV.

A stroke is the set of points within a radius of a segment; a segment of length 0 gives a disc. OpenCV's antialiased polygons
and circles are about 0.6 px wider on each side than asked, so radii are reduced by that much. Strokes lie within 0.2 px of
their segment; lines are at least 1.8 px wide (docs/decisions/0032-strokes-by-opencv.md).
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from posescope.drawing.rgb_images import DrawingError, check_rgb

__all__ = ["Colour", "clear_disc", "draw_outline", "draw_stroke"]

Colour = tuple[int, int, int]

_SHIFT = 8  # fractional bits of OpenCV's fixed-point coordinates
_HALO_PX, _MIN_LINE_RADIUS_PX, _MIN_DISC_RADIUS_PX = 0.6, 0.1, 0.4
_MAX_COORDINATE_PX = 4e6  # beyond it the fixed-point coordinates overflow


def draw_stroke(
    canvas: NDArray[np.uint8], start: NDArray[np.float64], end: NDArray[np.float64], radius_px: float, colour: Colour | int
) -> None:
    """Draw a stroke with round ends into a canvas, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB, or (H, W) uint8, contiguous; changed in place.
        start, end: (2,) x, y px; they may lie outside the canvas.
        radius_px: half of the stroke's width, > 0.
        colour: RGB, or the grey value of a canvas with one channel.
    """
    disc_radius, line_radius = (max(radius_px - _HALO_PX, least) for least in (_MIN_DISC_RADIUS_PX, _MIN_LINE_RADIUS_PX))
    ends = np.clip([start, end], -_MAX_COORDINATE_PX, _MAX_COORDINATE_PX)
    along = ends[1] - ends[0]
    length = float(np.hypot(*along))
    if length > 0:
        aside = line_radius / length * np.array([-along[1], along[0]])
        corners = np.array([ends[0] + aside, ends[1] + aside, ends[1] - aside, ends[0] - aside])
        cv2.fillConvexPoly(canvas, _fixed_point(corners), colour, cv2.LINE_AA, _SHIFT)
    for centre in ends[: 2 if length > 0 else 1]:
        cv2.circle(canvas, _fixed_point(centre).tolist(), int(_fixed_point(disc_radius)), colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def clear_disc(canvas: NDArray[np.uint8], image: NDArray[np.uint8], centre: NDArray[np.float64], radius_px: float) -> None:
    """Restore a disc of the image that was drawn on, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB; changed in place.
        image: (H, W, 3) uint8 RGB, before anything was drawn.
        centre: (2,) x, y px.
        radius_px: > 0.
    """
    low = np.clip(np.floor(centre - radius_px - 2), 0, canvas.shape[1::-1]).astype(int)
    high = np.clip(np.ceil(centre + radius_px + 3), low, canvas.shape[1::-1]).astype(int)
    region = (slice(low[1], high[1]), slice(low[0], high[0]))
    mask = np.zeros(canvas[region].shape[:2], dtype=np.uint8)
    if mask.size:
        draw_stroke(mask, centre - low, centre - low, radius_px, 255)
        alpha = mask[..., None] / 255.0
        canvas[region] = np.rint(canvas[region] * (1 - alpha) + image[region] * alpha).astype(np.uint8)


def draw_outline(image: NDArray[np.uint8], corners: ArrayLike, colour: Colour, thickness_px: float = 2) -> NDArray[np.uint8]:
    """Draw a closed polygon (a box or a crop square) on a copy of an RGB image.

    Args:
        image: (H, W, 3) RGB; not changed.
        corners: (M, 2) image px in order; they may lie outside the image.
        colour: RGB.
        thickness_px: width of the line.

    Returns:
        A new (H, W, 3) RGB image.

    Raises:
        DrawingError: if the image is not RGB, or the corners are not (M, 2) finite numbers.
    """
    check_rgb(image)
    points = np.asarray(corners, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise DrawingError(f"corners: expected (M, 2) finite px, found shape {points.shape}.")
    canvas = np.ascontiguousarray(image.copy())
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        draw_stroke(canvas, start, end, thickness_px / 2, colour)
    return canvas


def _fixed_point(values: ArrayLike) -> NDArray[np.int32]:
    return np.asarray(np.rint(np.asarray(values) * 2**_SHIFT), dtype=np.int32)

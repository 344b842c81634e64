"""Antialiased strokes of any real width, centred where they are asked to be.

A stroke is all points within `radius_px` of a segment (a disc, where the segment's ends coincide). Each pixel is covered by
    clip(radius + 1/2 - distance(pixel's centre, segment), 0, 1),
so a stroke's centre of mass lies on its segment to a few hundredths of a pixel. OpenCV's antialiased lines are wider than
asked by one to two pixels, which hides half of a 64 px crop.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posescope.drawing.rgb_images import DrawingError, check_rgb

__all__ = ["draw_outline", "draw_stroke", "stroke_coverage"]

Colour = tuple[int, int, int]
Region = tuple[slice, slice]


def stroke_coverage(
    size: tuple[int, int], start: NDArray[np.float64], end: NDArray[np.float64], radius_px: float
) -> tuple[Region, NDArray[np.float64]]:
    """How much of each pixel a stroke covers.

    Args:
        size: (height, width) px of the image.
        start: (2,) x, y px; it may lie outside the image.
        end: likewise.
        radius_px: half of the stroke's width, > 0.

    Returns:
        The part of the image that the stroke touches, as row and column slices (empty where it lies outside), and its
        coverage there, 0..1.
    """
    reach = radius_px + 1.0
    low, high = np.minimum(start, end) - reach, np.maximum(start, end) + reach
    columns = _clipped(low[0], high[0], size[1])
    rows = _clipped(low[1], high[1], size[0])
    x = np.arange(columns.start, columns.stop, dtype=np.float64)[None, :] - start[0]
    y = np.arange(rows.start, rows.stop, dtype=np.float64)[:, None] - start[1]
    along = end - start
    length_squared = float(along @ along)
    share = np.clip((x * along[0] + y * along[1]) / length_squared, 0, 1) if length_squared > 0 else 0.0
    distance = np.hypot(x - share * along[0], y - share * along[1])
    return (rows, columns), np.clip(radius_px + 0.5 - distance, 0, 1)


def draw_stroke(
    canvas: NDArray[np.uint8],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius_px: float,
    colour: Colour | NDArray[np.uint8],
) -> None:
    """Blend a stroke into a canvas that the caller owns: the one function of this room that writes into what it is given.

    Args:
        canvas: (H, W, 3) RGB, changed in place.
        start: (2,) x, y px; it may lie outside the canvas.
        end: likewise.
        radius_px: half of the stroke's width, > 0.
        colour: RGB, or an image of the canvas's size of which the stroke's part shows.
    """
    region, coverage = stroke_coverage(canvas.shape[:2], start, end, radius_px)
    source = colour[region] if isinstance(colour, np.ndarray) else np.asarray(colour)
    canvas[region] = np.rint(canvas[region] + (source - canvas[region].astype(np.float64)) * coverage[..., None]).astype(np.uint8)


def draw_outline(image: NDArray[np.uint8], corners: ArrayLike, colour: Colour, thickness_px: float = 2) -> NDArray[np.uint8]:
    """Draw a closed polygon (a box, a crop's square) on a copy of an RGB image.

    Args:
        image: (H, W, 3) RGB; not changed.
        corners: (M, 2) image px in order; they may lie outside the image.
        colour: RGB.
        thickness_px: of the line.

    Returns:
        A new (H, W, 3) RGB image.

    Raises:
        DrawingError: if the image is not RGB, or the corners are not (M, 2) finite numbers.
    """
    check_rgb(image)
    points = np.asarray(corners, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise DrawingError(f"corners: expected (M, 2) finite px, found shape {points.shape}.")
    canvas = image.copy()
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        draw_stroke(canvas, start, end, thickness_px / 2, colour)
    return canvas


def _clipped(low: float, high: float, length: int) -> slice:
    """The whole pixels between two coordinates that an axis of `length` px has."""
    first = int(np.clip(np.floor(low), 0, length))
    last = int(np.clip(np.ceil(high) + 1, first, length))
    return slice(first, last)

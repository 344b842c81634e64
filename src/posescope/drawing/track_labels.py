"""Draw the box of a tracked person and the number of its track, in the track's own colour."""

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.drawing.strokes import Colour, draw_stroke

__all__ = ["draw_track", "track_colour"]

_GOLDEN = 0.618034  # of the circle of hues: colours of neighbouring numbers differ most
_REFERENCE_SIDE_PX = 640  # image side at which a line has the thickness of `_LINE_PX`
_LINE_PX, _FONT_SCALE, _PADDING_PX = 2.0, 0.55, 3
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def track_colour(track_id: int) -> Colour:
    """Return the RGB colour of a track, the same in all frames.

    Args:
        track_id: number of the track, from 1.
    """
    red, green, blue = colorsys.hsv_to_rgb(track_id * _GOLDEN % 1, 0.75, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_track(canvas: NDArray[np.uint8], box: tuple[float, float, float, float], track_id: int) -> None:
    """Draw the box of a person and a label with the number of its track above it, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB, contiguous; changed in place.
        box: x, y, w, h px; it may lie partly outside the canvas.
        track_id: number of the track, from 1.
    """
    x, y, width, height = box
    scale, colour = max(canvas.shape[:2]) / _REFERENCE_SIDE_PX, track_colour(track_id)
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        draw_stroke(canvas, start, end, _LINE_PX * max(scale, 0.5) / 2, colour)
    _draw_label(canvas, (x, y), str(track_id), max(scale, 0.6), colour)


def _draw_label(canvas: NDArray[np.uint8], corner: tuple[float, float], text: str, scale: float, colour: Colour) -> None:
    """Draw a filled label whose lower left corner is the box's upper left one, moved into the image."""
    thickness, padding = max(1, round(1.4 * scale)), round(_PADDING_PX * scale)
    (text_width, text_height), _ = cv2.getTextSize(text, _FONT, _FONT_SCALE * scale, thickness)
    width, height = text_width + 2 * padding, text_height + 2 * padding
    left = int(np.clip(round(corner[0]), 0, max(canvas.shape[1] - width, 0)))
    bottom = int(np.clip(round(corner[1]), height, max(canvas.shape[0] - 1, height)))
    cv2.rectangle(canvas, (left, bottom - height), (left + width, bottom), colour, cv2.FILLED)
    brightness = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    ink = (0, 0, 0) if brightness > 140 else (255, 255, 255)
    place = (left + padding, bottom - padding)
    cv2.putText(canvas, text, place, _FONT, _FONT_SCALE * scale, ink, thickness, cv2.LINE_AA)

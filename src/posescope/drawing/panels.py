"""Pictures brought to a panel's height before anything is drawn on them: drawing afterwards keeps lines crisp."""

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.drawing.images import DrawingError, check_rgb
from posescope.geometry.cells import crop_from_map

__all__ = ["fit_height"]

_WIDEST = 8  # times its height; a panel of a picture of 30,000 x 10 px would take gigabytes
_FILLING = 200  # grey above and below a very wide picture


def fit_height(image: NDArray[np.uint8], height_px: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Resize an image to a panel's height, aspect ratio kept.

    A picture more than eight times as wide as high is fitted to the panel's width instead, with grey above and below.

    Args:
        image: (H, W, 3) RGB; not changed.
        height_px: of the panel.

    Returns:
        The panel, (height_px, W', 3) RGB, and `panel_from_image`, (2, 3) float64, for the points on it.

    Raises:
        DrawingError: if the image is not RGB, or the height is not positive.
    """
    check_rgb(image)
    if height_px < 1:
        raise DrawingError(f"height_px: expected at least 1, found {height_px}.")
    height, width = image.shape[:2]
    panel_width = min(max(1, round(width * height_px / height)), _WIDEST * height_px)
    picture_height = height_px if width <= _WIDEST * height else max(1, round(height * panel_width / width))
    method = cv2.INTER_AREA if picture_height < height else cv2.INTER_CUBIC
    resized = np.asarray(cv2.resize(image, (panel_width, picture_height), interpolation=method), dtype=np.uint8)
    top = (height_px - picture_height) // 2
    # One cell of the image is `scale` px of the panel: the frame rule of heatmaps, read from the other side.
    scale_x, scale_y = panel_width / width, picture_height / height
    offset_x, offset_y = crop_from_map(0.0, scale_x), crop_from_map(0.0, scale_y) + top
    panel_from_image = np.array([[scale_x, 0.0, offset_x], [0.0, scale_y, offset_y]])
    if picture_height == height_px:
        return resized, panel_from_image
    panel = np.full((height_px, panel_width, 3), _FILLING, dtype=np.uint8)
    panel[top : top + picture_height] = resized
    return panel, panel_from_image

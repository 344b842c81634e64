"""Overlay heatmaps on images.

A heatmap covers the whole image, outer edge to outer edge (`posescope.geometry.heatmap_px`): heatmap px c is at image px
(c + 0.5) * stride - 0.5. OpenCV's linear resize follows the same rule.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.drawing.rgb_images import DrawingError, check_rgb

__all__ = ["dim_image", "fuse_heatmaps", "overlay_heatmaps"]

# Fractions of the maximum: transparent below the first, full opacity from the second.
_TRANSPARENT_BELOW, _OPAQUE_FROM = 0.04, 0.40
_DIMMED = 0.6  # brightness of white pixels on a dimmed image


def fuse_heatmaps(heatmaps: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the maximum over K heatmaps, scaled to a maximum of 1.

    Args:
        heatmaps: (K, h, w); negative values count as 0.

    Returns:
        (h, w) float32 in 0..1; all 0 if no value is positive.

    Raises:
        DrawingError: if there is no heatmap, or a value is not finite.
    """
    maps = np.asarray(heatmaps, dtype=np.float32)
    if maps.ndim != 3 or maps.size == 0 or not np.isfinite(maps).all():
        raise DrawingError(f"heatmaps: expected (K, h, w) finite numbers with K, h, w > 0, found shape {maps.shape}.")
    fused = np.maximum(maps.max(axis=0), 0.0)
    highest = fused.max()
    scaled: NDArray[np.float32] = fused / highest if highest > 0 else fused
    return scaled


def overlay_heatmaps(image: NDArray[np.uint8], heatmaps: NDArray[np.floating], opacity: float = 0.6) -> NDArray[np.uint8]:
    """Overlay the maximum of heatmaps on a copy of an image, from transparent (low) over violet to yellow (maximum).

    Args:
        image: (H, W, 3) RGB; not changed.
        heatmaps: (K, h, w) covering the image; scaled to their own maximum.
        opacity: 0..1, of the maximum.

    Returns:
        A new (H, W, 3) RGB image.

    Raises:
        DrawingError: if the image is not RGB, the maps are not (K, h, w) finite numbers, or the opacity is not in 0..1.
    """
    check_rgb(image)
    if not 0.0 <= opacity <= 1.0:
        raise DrawingError(f"opacity: expected 0..1, found {opacity}.")
    height, width = image.shape[:2]
    level = cv2.resize(fuse_heatmaps(heatmaps), (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.cvtColor(cv2.applyColorMap(np.rint(level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    alpha = opacity * np.clip((level - _TRANSPARENT_BELOW) / (_OPAQUE_FROM - _TRANSPARENT_BELOW), 0.0, 1.0)[..., None]
    blended: NDArray[np.uint8] = np.rint(image * (1.0 - alpha) + colours * alpha).astype(np.uint8)
    return blended


def dim_image(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a dark grey copy of an image, as background of small heatmap peaks.

    Args:
        image: (H, W, 3) RGB; not changed.

    Returns:
        A new (H, W, 3) RGB image with three equal channels.

    Raises:
        DrawingError: if the image is not RGB.
    """
    check_rgb(image)
    grey = np.rint(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) * _DIMMED).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)

"""Shading of a depth map: surface slopes, folds of cloth, ambient occlusion.

Normals are computed from the depth map, so that limbs have volume and an arm in front of a chest has a contour. The occlusion
term darkens pixels that are deeper than their surroundings ("screen-space ambient occlusion", M. Mittring, 2007).
"""

from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np

from posescope.sample.raycasting import FAR
from posescope.sample.solids import Bools, Floats

__all__ = ["Light", "noise_patch", "shade_depth"]

# Direction to the light in the image frame (Y down), and the ambient fraction.
Light = tuple[tuple[float, float, float], float]
_TILE = 512
# Noise is a sum of blurred noises: blur in x and y (px), and weight.
_OCTAVES: Mapping[int, tuple[tuple[float, float, float], ...]] = {
    0: ((9.0, 4.5, 1.0), (5.0, 2.5, 0.45)),
    1: ((60, 60, 1), (25, 25, 0.6), (9, 9, 0.35), (3, 3, 0.2)),
    2: ((0.8, 0.8, 1),),
}


def shade_depth(depth: Floats, folds: Bools, fold_seed: int, light: Light, scale: float) -> Floats:
    """Compute the brightness of each pixel.

    Args:
        depth: (h, w) float32, px towards the viewer, `FAR` for background.
        folds: (h, w) bool: pixels of cloth with folds.
        fold_seed: Seed of the folds.
        light: Direction to the light and ambient fraction.
        scale: Body height in px; sets the size of folds and creases.

    Returns:
        (h, w) float32, about 0.3..1.2.
    """
    solid = depth > FAR / 2
    if not solid.any():
        return np.ones_like(depth)
    surface = np.where(solid, depth, depth[solid].min()).astype(np.float32)
    zoom = scale / 340.0  # the folds are in proportion to the person
    bumped = surface + folds * (noise_patch(0, depth.shape, fold_seed, (zoom, zoom)) * np.float32(0.0055 * scale))
    slope_x = np.clip(cv2.Sobel(bumped, cv2.CV_32F, 1, 0, ksize=3, scale=0.125), -2.5, 2.5)
    slope_y = np.clip(cv2.Sobel(bumped, cv2.CV_32F, 0, 1, ksize=3, scale=0.125), -2.5, 2.5)
    (lx, ly, lz), ambient = light
    facing = (lz - slope_x * lx - slope_y * ly) / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    reach = max(3, int(0.045 * scale) | 1)
    crease = (cv2.blur(surface, (reach, reach)) - surface) * np.float32(1 / reach)
    occlusion = 1 - np.clip(crease * 0.9, -0.06, 0.42)
    lit: Floats = (ambient + (1.12 - ambient) * np.maximum(facing, 0)) * occlusion
    return lit


def noise_patch(kind: int, shape: tuple[int, ...], seed: int, stretch: tuple[float, float]) -> Floats:
    """Return smooth noise (h, w), about -1..1, equal in all processes.

    Args:
        kind: 0 folds (stretched), 1 clouds (many octaves), 2 grain (fine).
        shape: (h, w) px.
        seed: selects the part of the tile of noise.
        stretch: scale of the noise in x and y.
    """
    height, width = shape
    rows, columns = (min(_TILE, int(size / s) + 2) for size, s in zip(shape, stretch[::-1], strict=True))
    top, left = seed % (_TILE - rows + 1), (seed // _TILE) % (_TILE - columns + 1)
    patch = _noise_tile(kind)[top : top + rows, left : left + columns]
    return np.asarray(cv2.resize(patch, (width, height), interpolation=cv2.INTER_LINEAR))


@lru_cache(maxsize=4)
def _noise_tile(kind: int) -> Floats:
    rng = np.random.default_rng(kind)
    total = np.zeros((_TILE, _TILE), np.float32)
    for sigma_x, sigma_y, weight in _OCTAVES[kind]:
        noise = rng.standard_normal((_TILE, _TILE), dtype=np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), sigma_x, sigmaY=sigma_y, borderType=cv2.BORDER_REFLECT)
        total += weight * smooth / smooth.std()
    total /= 2 * total.std()
    total.flags.writeable = False
    return total

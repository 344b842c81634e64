"""Colours of a figure's pixels, from where they lie on the body: clothes, patterns, seams, faces.

Every function takes `local` (n, 3), float32: surface points in the part's own frame (x to the person's left, y up, z forward),
and returns RGB (n, 3), float32, 0..255. Painting on the body rather than on the picture makes patterns, necklines and faces
turn with the person: from behind there is nothing of the front to see.
"""

import numpy as np

from posescope.sample.outfits import Cloth, Colour, Outfit
from posescope.sample.solids import Bools, Floats

__all__ = ["paint_cloth", "paint_chest", "paint_flat", "paint_foot", "paint_hair", "paint_head", "paint_limb", "paint_pelvis"]


def paint_flat(local: Floats, colour: Colour) -> Floats:
    """One colour everywhere."""
    return np.broadcast_to(np.array(colour, np.float32), local.shape).copy()


def paint_cloth(local: Floats, cloth: Cloth) -> Floats:
    """A cloth's pattern, printed along the part's own axes (period in body heights)."""
    colours = paint_flat(local, cloth.colour)
    colours[_second_colour(local, cloth)] = cloth.second
    return colours


def _second_colour(local: Floats, cloth: Cloth) -> Bools:
    x, y = local[:, 0] / cloth.pitch, local[:, 1] / cloth.pitch
    if cloth.pattern == "hoops":
        return np.asarray(y % 1 < 0.5)
    if cloth.pattern == "stripes":
        return np.asarray(x % 1 < 0.4)
    if cloth.pattern == "checks":
        return np.asarray((x % 1 < 0.5) ^ (y % 1 < 0.5))
    if cloth.pattern == "dots":
        return np.asarray((x % 1 - 0.5) ** 2 + (y % 1 - 0.5) ** 2 < 0.06)
    if cloth.pattern == "block":
        return np.asarray((local[:, 1] > -0.12) & (local[:, 1] < -0.06))
    return np.zeros(len(local), np.bool_)


def paint_chest(local: Floats, outfit: Outfit) -> Floats:
    """The top: pattern, neckline, and what its front shows. The frame's origin lies between the shoulders."""
    x, y, z = local.T
    colours = paint_cloth(local, outfit.top)
    front = z > 0.0
    if outfit.opening == "jacket":
        colours[front & (np.abs(x) < 0.018 + 0.05 * np.clip(y + 0.2, 0, 1))] = outfit.inner
    elif outfit.opening == "buttons":
        seam = front & (np.abs(x) < 0.006)
        colours[seam] *= 0.72
        colours[seam & (y % 0.045 < 0.012)] = (245, 245, 240)
    depth = 0.075 if outfit.opening == "vee" else 0.03
    vee = front & (y > -depth + np.abs(x) * 1.5)
    collar = ~front & (y > 0.012) & (np.abs(x) < 0.035)
    colours[vee | collar] = outfit.skin
    return colours


def paint_pelvis(local: Floats, outfit: Outfit) -> Floats:
    """The seat of the trousers, with pockets behind and a belt; the frame's origin lies between the hips."""
    x, y, z = local.T
    colours = paint_cloth(local, outfit.bottom)
    if outfit.is_dress or outfit.legwear == "skirt":
        return colours
    pocket = (z < -0.03) & (np.abs(np.abs(x) - 0.045) < 0.022) & (np.abs(y + 0.02) < 0.02)
    colours[pocket] *= 0.86
    colours[(np.abs(x) < 0.003) & (y < 0.02)] *= 0.8
    if outfit.belt:
        colours[y > 0.03] = outfit.belt
    return colours


def paint_limb(local: Floats, length: float, covered_to: float, cloth: Cloth, skin: Colour) -> Floats:
    """An arm or leg bone: cloth from the upper end (y = 0) to `covered_to` (in bone lengths), skin below."""
    below = -local[:, 1] / length
    if covered_to <= 0:
        return paint_flat(local, skin)
    colours = paint_cloth(local, cloth)
    if covered_to < 1:
        colours[(below > covered_to - 0.05) & (below <= covered_to)] *= 0.85
    colours[below > covered_to] = skin
    return colours


def paint_foot(local: Floats, outfit: Outfit) -> Floats:
    """A shoe: upper, sole and laces; the frame's origin is the ankle."""
    colours = paint_flat(local, outfit.shoes)
    colours[local[:, 1] < -0.034] = outfit.soles
    colours[(local[:, 1] > -0.02) & (local[:, 2] > 0.025) & (local[:, 2] % 0.014 < 0.006)] = outfit.soles
    return colours


def paint_hair(local: Floats, outfit: Outfit) -> Floats:
    """Hair with strands; `local` in units of the head's half axes."""
    strands = np.sin(local[:, 0] * 23 + np.sin(local[:, 1] * 7) * 1.5) * 0.10 + 1.0
    return np.array(outfit.hair, np.float32) * strands[:, None].astype(np.float32)


def paint_head(local: Floats, outfit: Outfit) -> Floats:
    """Skin and face; `local` in units of the head's half axes, origin at the head's centre."""
    x, y, z = local.T
    side = np.abs(x)
    colours = paint_flat(local, outfit.skin)
    skin = np.array(outfit.skin, np.float32)
    front = z > 0.25
    if outfit.has_beard:
        colours[(y < -0.42 + 0.35 * side) & (z > -0.1) & (side > 0.0)] = 0.35 * skin + 0.65 * np.array(outfit.hair, np.float32)
    cheeks = front & ((side - 0.52) ** 2 + (y + 0.24) ** 2 < 0.04)
    colours[cheeks] = colours[cheeks] * (1.0, 0.92, 0.9)
    if outfit.hair_style != "bald":
        colours[y > 0.62 - 0.12 * side] = outfit.hair
    colours[front & (np.abs(y - 0.31 - 0.05 * side) < 0.05) & (np.abs(side - 0.38) < 0.2)] = np.minimum(skin * 0.5, outfit.hair)
    eye = ((side - 0.37) / 0.185) ** 2 + ((y - 0.10) / 0.115) ** 2
    colours[front & (eye < 1.25)] = skin * 0.55
    colours[front & (eye < 0.95)] = (245, 243, 240)
    colours[front & ((side - 0.37) ** 2 + (y - 0.10) ** 2 < 0.0105)] = outfit.iris
    if outfit.has_glasses:
        rim = np.hypot(side - 0.38, y - 0.09)
        colours[front & (np.abs(rim - 0.27) < 0.045)] = (35, 30, 30)
        colours[front & (side < 0.14) & (np.abs(y - 0.12) < 0.04)] = (35, 30, 30)
    colours[front & (side < 0.17) & (np.abs(y + 0.3) < 0.05) & (side > 0.05)] = skin * 0.66
    lips = front & ((x / 0.3) ** 2 + ((y + 0.55 - 0.25 * x**2) / 0.1) ** 2 < 1)
    colours[lips] = skin * (0.84, 0.56, 0.56)
    colours[lips & (np.abs(y + 0.55 - 0.25 * x**2) < 0.025)] = skin * (0.5, 0.3, 0.3)
    return colours

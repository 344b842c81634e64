"""Colours of a person: from a depth map and a part map to unshaded RGB."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from posescope.sample.body import SIDES, BodyShape, Skeleton3D
from posescope.sample.outfits import Cloth, Colour, Outfit
from posescope.sample.raycasting import DepthMap
from posescope.sample.solids import Bools, Floats, ImageProjection, PartId, side_part

__all__ = ["CLOTH_PARTS", "Wearer", "paint_chest", "paint_cloth", "paint_head", "paint_limb", "paint_parts"]

# Parts with folds.
CLOTH_PARTS = (PartId.CHEST, PartId.PELVIS, PartId.SKIRT)
_BARE_PARTS = (PartId.NECK, PartId.EAR, PartId.LEFT_HAND, PartId.RIGHT_HAND)
# Frame of a part: its origin, and the bone whose axes it uses.
_ANCHORS: Mapping[PartId, tuple[str, str]] = {
    **dict.fromkeys((PartId.HEAD, PartId.HAIR, PartId.HAT), ("head", "head")),
    PartId.CHEST: ("chest", "chest"),
    **dict.fromkeys((PartId.PELVIS, PartId.SKIRT), ("pelvis", "pelvis")),
    **{
        side_part(side, bone): (f"{side}_{joint}", f"{side}_{bone}")
        for side in SIDES
        for bone, joint in {
            "upper_arm": "shoulder", "forearm": "elbow", "thigh": "hip", "shank": "knee", "foot": "ankle",
        }.items()
    },
}  # fmt: skip


@dataclass(frozen=True)
class Wearer:
    """A posed, dressed person, and the colours of its belongings."""

    skeleton: Skeleton3D
    body: BodyShape
    outfit: Outfit
    furniture_colour: Colour
    prop_colour: Colour


def paint_parts(seen: DepthMap, frame: ImageProjection, wearer: Wearer) -> Floats:
    """Return unshaded colours (h, w, 3) float32, 0..255; zero for background.

    Args:
        seen: Depth and parts.
        frame: Projection of the person.
        wearer: The person.
    """
    colours = np.zeros((*seen.part.shape, 3), np.float32)
    for part in np.unique(seen.part[seen.part != PartId.NOTHING]):
        rows, columns = np.nonzero(seen.part == part)
        place = np.stack([columns, rows, seen.depth[rows, columns]], axis=1).astype(np.float32)
        colours[rows, columns] = _paint_part(PartId(part), place, frame, wearer)
    return colours


def _paint_part(part: PartId, place: Floats, frame: ImageProjection, wearer: Wearer) -> Floats:
    outfit, body = wearer.outfit, wearer.body
    plain = {PartId.FURNITURE: wearer.furniture_colour, PartId.PROP: wearer.prop_colour}
    if part in plain or part in _BARE_PARTS:
        return _paint_flat(place, plain.get(part, outfit.skin))
    local = _to_local(place, frame, wearer.skeleton, part)
    if part in (PartId.HEAD, PartId.HAIR, PartId.HAT):
        local /= np.array(body.head, np.float32)
        if part is PartId.HAT and outfit.hat is not None:
            return paint_cloth(local, outfit.hat)
        return paint_head(local, outfit) if part is PartId.HEAD else _paint_hair(local, outfit)
    if part is PartId.CHEST:
        return paint_chest(local, outfit)
    if part in (PartId.PELVIS, PartId.SKIRT):
        return _paint_pelvis(local, outfit)
    return _paint_bone(part.name.partition("_")[2].lower(), local, body, outfit)


def _paint_bone(bone: str, local: Floats, body: BodyShape, outfit: Outfit) -> Floats:
    if bone == "upper_arm":
        return paint_limb(local, body.upper_arm, outfit.sleeve, outfit.top, outfit.skin)
    if bone == "forearm":
        return paint_limb(local, body.forearm, outfit.sleeve - 1, outfit.top, outfit.skin)
    if bone == "foot":
        return _paint_foot(local, outfit)
    bare = outfit.legwear == "skirt"
    covered = 0.0 if bare else outfit.leg_end - (1 if bone == "shank" else 0)
    return paint_limb(local, body.thigh if bone == "thigh" else body.shank, covered, outfit.bottom, outfit.skin)


def _to_local(place: Floats, frame: ImageProjection, skeleton: Skeleton3D, part: PartId) -> Floats:
    """Convert image coordinates (n, 3) to the frame of the part, body heights."""
    point, bone = _ANCHORS[part]
    axes = skeleton.frames[bone] * np.array([[1.0], [-1.0], [1.0]]) / frame.scale
    origin = frame.project(skeleton.points[point])
    return np.asarray((place - origin.astype(np.float32)) @ axes.astype(np.float32))


# Painters of one part. `local` (n, 3) float32: surface points in the frame of the part (x to the left of the person, y up, z
# forward). They return RGB (n, 3) float32, 0..255. Patterns and faces are painted in 3-D, so they turn with the person.


def _paint_flat(local: Floats, colour: Colour) -> Floats:
    """Return a uniform colour."""
    return np.broadcast_to(np.array(colour, np.float32), local.shape).copy()


_PATTERNS: Mapping[str, Callable[[Floats, Floats, float], Bools]] = {
    "hoops": lambda _, y, pitch: y / pitch % 1 < 0.5,
    "stripes": lambda x, _, pitch: x / pitch % 1 < 0.4,
    "checks": lambda x, y, pitch: (x / pitch % 1 < 0.5) ^ (y / pitch % 1 < 0.5),
    "dots": lambda x, y, pitch: (x / pitch % 1 - 0.5) ** 2 + (y / pitch % 1 - 0.5) ** 2 < 0.06,
    "block": lambda _x, y, _pitch: (y > -0.12) & (y < -0.06),
}


def paint_cloth(local: Floats, cloth: Cloth) -> Floats:
    """Paint the pattern of a cloth along the axes of the part.

    Args:
        local: (n, 3) points in the frame of the part.
        cloth: colours and pattern.
    """
    colours = _paint_flat(local, cloth.colour)
    if cloth.pattern != "plain":
        colours[_PATTERNS[cloth.pattern](local[:, 0], local[:, 1], cloth.pitch)] = cloth.second
    return colours


def paint_chest(local: Floats, outfit: Outfit) -> Floats:
    """Paint the top: pattern, neckline and front.

    Args:
        local: (n, 3) points; the origin is between the shoulders.
        outfit: the clothes.
    """
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


def _paint_pelvis(local: Floats, outfit: Outfit) -> Floats:
    """Paint the seat of the trousers, with pockets and a belt. The origin is between the hips."""
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
    """Paint an arm or a leg: cloth above, skin below.

    Args:
        local: (n, 3) points; the origin is the upper end of the bone.
        length: length of the bone, body heights.
        covered_to: end of the cloth, bone lengths from the upper end; <= 0: none.
        cloth: colours and pattern.
        skin: RGB.
    """
    below = -local[:, 1] / length
    if covered_to <= 0:
        return _paint_flat(local, skin)
    colours = paint_cloth(local, cloth)
    if covered_to < 1:
        colours[(below > covered_to - 0.05) & (below <= covered_to)] *= 0.85
    colours[below > covered_to] = skin
    return colours


def _paint_foot(local: Floats, outfit: Outfit) -> Floats:
    """Paint a shoe: upper, sole and laces. The origin is the ankle."""
    colours = _paint_flat(local, outfit.shoes)
    colours[local[:, 1] < -0.034] = outfit.soles
    colours[(local[:, 1] > -0.02) & (local[:, 2] > 0.025) & (local[:, 2] % 0.014 < 0.006)] = outfit.soles
    return colours


def _paint_hair(local: Floats, outfit: Outfit) -> Floats:
    """Paint hair with strands; points as in `paint_head`."""
    strands = np.sin(local[:, 0] * 23 + np.sin(local[:, 1] * 7) * 1.5) * 0.10 + 1.0
    return np.array(outfit.hair, np.float32) * strands[:, None].astype(np.float32)


def paint_head(local: Floats, outfit: Outfit) -> Floats:
    """Paint skin and face.

    Args:
        local: (n, 3) points in half axes of the head, from its centre.
        outfit: skin, hair and glasses.
    """
    x, y, z = local.T
    side = np.abs(x)
    colours = _paint_flat(local, outfit.skin)
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
        bridge = (side < 0.14) & (np.abs(y - 0.12) < 0.04)
        colours[front & ((np.abs(rim - 0.27) < 0.045) | bridge)] = (35, 30, 30)
    colours[front & (side < 0.17) & (np.abs(y + 0.3) < 0.05) & (side > 0.05)] = skin * 0.66
    lips = front & ((x / 0.3) ** 2 + ((y + 0.55 - 0.25 * x**2) / 0.1) ** 2 < 1)
    colours[lips] = skin * (0.84, 0.56, 0.56)
    colours[lips & (np.abs(y + 0.55 - 0.25 * x**2) < 0.025)] = skin * (0.5, 0.3, 0.3)
    return colours

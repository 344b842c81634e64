"""Which material each part of a figure wears: from a depth map and a part map to colours."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.sample import materials
from posescope.sample.body import BodyShape, Skeleton3D
from posescope.sample.outfits import Colour, Outfit
from posescope.sample.raycasting import DepthMap
from posescope.sample.solids import Bytes, Floats, ImageProjection, PartId

__all__ = ["CLOTH_PARTS", "Wearer", "paint_parts"]

# Parts that may throw folds (skin does not, but most arms and legs are covered somewhere and folds are faint).
CLOTH_PARTS = (PartId.CHEST, PartId.PELVIS, PartId.SKIRT)
# Where a part's own frame stands: the point, and the bone whose axes it uses.
_ANCHORS: Mapping[PartId, tuple[str, str]] = {
    PartId.HEAD: ("head", "head"),
    PartId.EAR: ("head", "head"),
    PartId.HAIR: ("head", "head"),
    PartId.HAT: ("head", "head"),
    PartId.NECK: ("chest", "chest"),
    PartId.CHEST: ("chest", "chest"),
    PartId.PELVIS: ("pelvis", "pelvis"),
    PartId.SKIRT: ("pelvis", "pelvis"),
    **{
        PartId[f"{side}_{bone}".upper()]: (f"{side}_{joint}", f"{side}_{bone}")
        for side in ("left", "right")
        for bone, joint in (
            ("upper_arm", "shoulder"), ("forearm", "elbow"), ("hand", "wrist"),
            ("thigh", "hip"), ("shank", "knee"), ("foot", "ankle"),
        )
    },
}  # fmt: skip


@dataclass(frozen=True)
class Wearer:
    """A posed, dressed person, and the colours of the things that belong to the figure."""

    skeleton: Skeleton3D
    body: BodyShape
    outfit: Outfit
    furniture_colour: Colour
    prop_colour: Colour


def paint_parts(seen: DepthMap, frame: ImageProjection, wearer: Wearer) -> Floats:
    """Colours (h, w, 3), float32, 0..255, unshaded; zero where nothing is seen."""
    colours = np.zeros((seen.part.size, 3), np.float32)
    width = seen.part.shape[1]
    depth = seen.depth.ravel()
    for part, pixels in _pixels_by_part(seen.part).items():
        place = np.stack([pixels % width, pixels // width, depth[pixels]], axis=1).astype(np.float32)
        colours[pixels] = _paint_part(part, place, frame, wearer)
    return colours.reshape(*seen.part.shape, 3)


def _pixels_by_part(part: Bytes) -> dict[PartId, NDArray[np.intp]]:
    flat = part.ravel()
    order = np.argsort(flat, kind="stable")
    ends = np.cumsum(np.bincount(flat, minlength=len(PartId)))
    return {p: order[ends[p - 1] : ends[p]] for p in PartId if p and ends[p] > ends[p - 1]}


def _paint_part(part: PartId, place: Floats, frame: ImageProjection, wearer: Wearer) -> Floats:
    outfit, body = wearer.outfit, wearer.body
    if part is PartId.FURNITURE:
        return materials.paint_flat(place, wearer.furniture_colour)
    if part is PartId.PROP:
        return materials.paint_flat(place, wearer.prop_colour)
    if part in (PartId.NECK, PartId.EAR) or part.name.endswith("HAND"):
        return materials.paint_flat(place, outfit.skin)
    local = _to_local(place, frame, wearer.skeleton, part)
    if part in (PartId.HEAD, PartId.HAIR, PartId.HAT):
        local /= np.array(body.head, np.float32)
        if part is PartId.HAT and outfit.hat is not None:
            return materials.paint_cloth(local, outfit.hat)
        return materials.paint_head(local, outfit) if part is PartId.HEAD else materials.paint_hair(local, outfit)
    if part is PartId.CHEST:
        return materials.paint_chest(local, outfit)
    if part in (PartId.PELVIS, PartId.SKIRT):
        return materials.paint_pelvis(local, outfit)
    return _paint_limb(part.name.partition("_")[2].lower(), local, body, outfit)


def _paint_limb(bone: str, local: Floats, body: BodyShape, outfit: Outfit) -> Floats:
    if bone == "upper_arm":
        return materials.paint_limb(local, body.upper_arm, outfit.sleeve, outfit.top, outfit.skin)
    if bone == "forearm":
        return materials.paint_limb(local, body.forearm, outfit.sleeve - 1, outfit.top, outfit.skin)
    if bone == "foot":
        return materials.paint_foot(local, outfit)
    bare = outfit.legwear == "skirt"
    covered = 0.0 if bare else outfit.leg_end - (1 if bone == "shank" else 0)
    return materials.paint_limb(local, body.thigh if bone == "thigh" else body.shank, covered, outfit.bottom, outfit.skin)


def _to_local(place: Floats, frame: ImageProjection, skeleton: Skeleton3D, part: PartId) -> Floats:
    """Picture coordinates (n, 3) -> the part's own frame, body heights."""
    point, bone = _ANCHORS[part]
    axes = skeleton.frames[bone] * np.array([[1.0], [-1.0], [1.0]]) / frame.scale
    origin = frame.project(skeleton.points[point])
    return np.asarray((place - origin.astype(np.float32)) @ axes.astype(np.float32))

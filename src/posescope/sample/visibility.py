"""Which joints a figure hides from us with its own limbs, clothes, furniture and props, by depth.

    v = 2 seen    what we see at the joint's pixel is the flesh and cloth that wrap the joint itself
    v = 1 hidden  what we see there lies nearer to us: the other arm, the chest, the back of a chair, a bag

People who stand in front, and obstacles, are added where the scene is put together.
"""

from collections.abc import Mapping

import numpy as np

from posescope.sample.anatomy import LIMB_RADII
from posescope.sample.arrays import Bools
from posescope.sample.raycast import FAR, DepthMap
from posescope.sample.solids import PartId, PictureFrame
from posescope.sample.surfaces import Wearer
from posescope.skeleton import COCO_PERSON

__all__ = ["find_hidden"]

# The bones that meet in a joint, and how far in front of it they may lie and still be its own flesh (body heights): a
# forearm that points at us covers its elbow without hiding it; an arm stretched out away from us hides its wrist.
_OWN_BONES: Mapping[str, tuple[tuple[str, ...], float]] = {
    "shoulder": (("upper_arm",), 0.10),
    "elbow": (("upper_arm", "forearm"), 0.12),
    "wrist": (("forearm", "hand"), 0.09),
    "hip": (("thigh",), 0.30),
    "knee": (("thigh", "shank"), 0.12),
    "ankle": (("shank", "foot"), 0.10),
}


def find_hidden(wearer: Wearer, seen: DepthMap, frame: PictureFrame) -> Bools:
    """Joints (K,) that are hidden within the figure; `frame` is that of the maps `seen`.

    A joint outside the maps is judged at the nearest pixel; it lies outside the image and will not be labelled.
    """
    places = frame.project(wearer.skeleton.joints)
    height, width = seen.depth.shape
    columns = np.clip(np.round(places[:, 0]).astype(int), 0, width - 1)
    rows = np.clip(np.round(places[:, 1]).astype(int), 0, height - 1)
    front = seen.depth[rows, columns].astype(np.float64)
    parts = [PartId(int(part)) for part in seen.part[rows, columns]]
    wrap = [_wrap(name, part, wearer) for name, part in zip(COCO_PERSON.joints, parts, strict=True)]
    return np.asarray((front > FAR / 2) & (front - places[:, 2] > np.array(wrap) * frame.scale))


def _wrap(joint: str, part: PartId, wearer: Wearer) -> float:
    """How far what we see (`part`) may lie in front of a joint without hiding it, body heights."""
    if part >= PartId.FURNITURE:
        return 0.0
    side, _, name = joint.rpartition("_")
    if name not in _OWN_BONES:
        return 0.3 * wearer.body.head[0]
    bones, reach = _OWN_BONES[name]
    if part in [PartId[f"{side}_{bone}".upper()] for bone in bones]:
        return reach
    return _flesh(name, wearer)


def _flesh(name: str, wearer: Wearer) -> float:
    body, outfit = wearer.body, wearer.outfit
    cloth = outfit.looseness + 0.006
    if name == "hip":
        return float(0.092 * body.stoutness**0.7 + cloth + (0.03 if outfit.legwear == "skirt" else 0.0))
    bone, end = {"shoulder": ("upper_arm", 0), "elbow": ("forearm", 0), "wrist": ("forearm", 1),
                 "knee": ("thigh", 1), "ankle": ("shank", 1)}[name]  # fmt: skip
    under_skirt = 0.05 if name == "knee" and outfit.legwear == "skirt" and outfit.leg_end > 0.9 else 0.0
    return 1.4 * LIMB_RADII[bone][end] * body.limb_stoutness + cloth + under_skirt

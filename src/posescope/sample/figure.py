"""One person: random choices, rendering to a cutout, and occlusion of its joints.

    v = 2 visible    the pixel of the joint shows the flesh and cloth that surround the joint itself
    v = 1 occluded   it shows something nearer: the other arm, the chest, the back of a chair, a bag

Occlusion by other persons and by obstacles is added when the scene is rendered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from posescope.core.skeleton import COCO_PERSON
from posescope.sample.belongings import PROPS, SEATS, backpack_solids, crate_solids, prop_solids, seat_solids
from posescope.sample.body import pose_skeleton, sample_body_shape
from posescope.sample.body_solids import LIMB_RADII, body_solids
from posescope.sample.outfits import Colour, as_colour, sample_outfit
from posescope.sample.poses import sample_pose
from posescope.sample.raycasting import FAR, DepthMap, bounds_of, cast_solids
from posescope.sample.shading import Light, shade_depth
from posescope.sample.solids import Bools, Doubles, Floats, ImageProjection, PartId, Solid, side_part
from posescope.sample.surfaces import CLOTH_PARTS, Wearer, paint_parts

__all__ = ["find_occluded", "PosedPerson", "PersonCutout", "sample_posed_person", "paint_figure", "view_of_yaw"]

# The bones that meet in a joint, and the largest depth in front of it at which they still belong to the joint (body heights): a
# forearm that points at the viewer covers its elbow without occluding it; an arm that points away occludes its wrist.
_OWN_BONES: Mapping[str, tuple[tuple[str, ...], float]] = {
    "shoulder": (("upper_arm",), 0.10),
    "elbow": (("upper_arm", "forearm"), 0.12),
    "wrist": (("forearm", "hand"), 0.09),
    "hip": (("thigh",), 0.30),
    "knee": (("thigh", "shank"), 0.12),
    "ankle": (("shank", "foot"), 0.10),
}


def find_occluded(wearer: Wearer, seen: DepthMap, frame: ImageProjection) -> Bools:
    """Return which joints (K,) are occluded by the person itself or by its belongings.

    Args:
        wearer: The posed, dressed person.
        seen: Depth and parts of its rendering.
        frame: Projection into these maps. A joint outside the maps uses the nearest pixel; it is never labelled.
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
    """Return the largest depth at which `part` may be in front of a joint without occluding it, body heights."""
    if part >= PartId.FURNITURE:
        return 0.0
    side, _, name = joint.rpartition("_")
    if name not in _OWN_BONES:
        return 0.3 * wearer.body.head[0]
    bones, reach = _OWN_BONES[name]
    if part in [side_part(side, bone) for bone in bones]:
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


SUPERSAMPLING = 2
# Probability of each view, and its range of yaw (degrees, to either side).
_VIEWS = {"front": (0.40, 0, 28), "three_quarter": (0.20, 28, 55), "side": (0.10, 68, 100), "back": (0.30, 135, 180)}


@dataclass(frozen=True)
class PosedPerson:
    """A posed and dressed person with its belongings, not yet placed in an image.

    Attributes:
        wearer: Skeleton, body and clothes.
        solids: All solids, with furniture and props.
        pose, view: Names.
        carried: Names of props and seats, for the records.
    """

    wearer: Wearer
    solids: Sequence[Solid]
    pose: str
    view: str
    carried: tuple[str, ...]


@dataclass(frozen=True)
class PersonCutout:
    """A rendered person.

    Attributes:
        left, top: Pixel of the scene at the upper left corner of the cutout.
        colour: (h, w, 3) float32, 0..255, premultiplied by `alpha`.
        alpha: (h, w) float32, 0..1: fraction of the pixel that the person and its belongings cover.
        body_alpha: The same for the person without belongings.
        joints: (K, 2) x, y, pixels of the scene, in the order of COCO.
        occluded: (K,) bool: behind own limbs, clothes, furniture or props.
    """

    left: int
    top: int
    colour: Floats
    alpha: Floats
    body_alpha: Floats
    joints: Doubles
    occluded: Bools


def view_of_yaw(yaw: float) -> str:
    """Return `front`, `three_quarter`, `side` or `back` for a yaw in degrees."""
    turned = abs((yaw + 180) % 360 - 180)
    return "front" if turned < 28 else "three_quarter" if turned < 62 else "side" if turned < 115 else "back"


def sample_posed_person(
    seed: int, camera_pitch: float, poses: tuple[str, ...] | None = None, yaw: float | None = None
) -> PosedPerson:
    """Sample body, pose, clothes, view and belongings of a person.

    Args:
        seed: Seed of all choices.
        camera_pitch: Degrees by which the camera looks down.
        poses: Names of poses to choose from; None: all.
        yaw: Degrees; None: sampled.
    """
    rng = np.random.default_rng(seed)
    seeds = [int(s) for s in rng.integers(1 << 31, size=3)]
    body, pose = sample_body_shape(seeds[0]), sample_pose(seeds[1], poses)
    if yaw is None:
        yaw = _sample_yaw(rng)
    skeleton = pose_skeleton(body, pose, yaw, camera_pitch)
    outfit = sample_outfit(seeds[2], body, can_wear_skirt=pose.name in _UPRIGHT)
    solids = body_solids(skeleton, body, outfit)
    carried: list[str] = []
    if pose.support == "seat":
        carried.append(SEATS[int(rng.integers(len(SEATS)))])
        solids += seat_solids(carried[-1], skeleton, body)
    if outfit.backpack is not None and pose.name not in ("sitting", "bending"):
        carried.append("backpack")
        solids += backpack_solids(skeleton, body)
    elif pose.name == "carrying":
        carried.append("crate")
        solids += crate_solids(skeleton, rng.uniform(0.8, 1.3))
    elif pose.name not in ("hands_on_hips", "arms_folded", "phoning") and rng.random() < 0.14:
        carried.append(PROPS[int(rng.integers(len(PROPS)))])
        solids += prop_solids(carried[-1], skeleton, "left" if rng.random() < 0.5 else "right", rng.uniform(0.85, 1.25))
    prop_colour = outfit.backpack or as_colour(rng.uniform(40, 230, 3))
    wearer = Wearer(skeleton, body, outfit, _wood_colour(rng), prop_colour)
    return PosedPerson(wearer, solids, pose.name, view_of_yaw(yaw), tuple(carried))


_UPRIGHT = ("standing", "hands_on_hips", "arms_folded", "walking", "arms_up", "waving", "reaching", "phoning", "stretching")


def _sample_yaw(rng: np.random.Generator) -> float:
    views = list(_VIEWS.values())
    _, low, high = views[int(rng.choice(len(views), p=[weight for weight, _, _ in views]))]
    return float(rng.uniform(low, high) * rng.choice((-1, 1)))


def _wood_colour(rng: np.random.Generator) -> Colour:
    if rng.random() < 0.3:
        return as_colour(rng.uniform(40, 230, 3))
    tone = rng.uniform(0.4, 1.1)
    return (170 * tone, 125 * tone, 82 * tone)


def paint_figure(figure: PosedPerson, frame: ImageProjection, scene_size: tuple[int, int], light: Light) -> PersonCutout | None:
    """Render a person, clipped to the scene; None if it is outside.

    Args:
        figure: The person.
        frame: Projection into the scene.
        scene_size: (height, width) px.
        light: Direction and ambient fraction.
    """
    left, top, right, bottom = _pixel_window(figure.solids, frame, scene_size)
    if right <= left or bottom <= top:
        return None
    fine = frame.supersampled(SUPERSAMPLING, left, top)
    height, width = bottom - top, right - left
    seen = cast_solids(figure.solids, fine, height * SUPERSAMPLING, width * SUPERSAMPLING)
    folds = np.isin(seen.part, CLOTH_PARTS) if fine.scale > 120 else np.zeros(seen.part.shape, np.bool_)
    shade = shade_depth(seen.depth, folds, figure.wearer.outfit.fold_seed, light, fine.scale)
    colours = np.clip(paint_parts(seen, fine, figure.wearer) * shade[..., None], 0, 255)
    covered = (seen.part != PartId.NOTHING).astype(np.float32)
    body = ((seen.part != PartId.NOTHING) & (seen.part < PartId.FURNITURE)).astype(np.float32)
    colour, alpha, body_alpha = (
        np.asarray(cv2.resize(fine_map, (width, height), interpolation=cv2.INTER_AREA), dtype=np.float32)
        for fine_map in (colours, covered, body)
    )
    joints = frame.project(figure.wearer.skeleton.joints)[:, :2]
    return PersonCutout(left, top, colour, alpha, body_alpha, joints, find_occluded(figure.wearer, seen, fine))


def _pixel_window(solids: Sequence[Solid], frame: ImageProjection, scene_size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = bounds_of(solids, frame)
    height, width = scene_size
    return (
        max(0, int(np.floor(left)) - 1),
        max(0, int(np.floor(top)) - 1),
        min(width, int(np.ceil(right)) + 2),
        min(height, int(np.ceil(bottom)) + 2),
    )

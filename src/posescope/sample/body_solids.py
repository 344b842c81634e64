"""Solids of a posed, dressed body: trunk, limbs, head, hair and hat."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from posescope.sample.body import FACE_POINTS, SIDES, BodyShape, Skeleton3D
from posescope.sample.outfits import Outfit
from posescope.sample.solids import Doubles, PartId, RoundCone, Solid, ball, side_part

__all__ = ["LIMB_RADII", "body_solids"]

# Radii of a slim adult at the upper and at the lower end of each bone, in body heights.
LIMB_RADII = {"upper_arm": (0.0305, 0.0235), "forearm": (0.0245, 0.0165), "thigh": (0.052, 0.034), "shank": (0.034, 0.0205)}


def body_solids(skeleton: Skeleton3D, body: BodyShape, outfit: Outfit) -> list[Solid]:
    """Return the solids of head, trunk, arms and legs, with hair and clothes.

    Args:
        skeleton: the posed skeleton.
        body: lengths and half-thicknesses.
        outfit: hair and clothes.
    """
    return [solid for part in (_head, _trunk, _arms, _legs) for solid in part(skeleton, body, outfit)]


def _trunk(skeleton: Skeleton3D, body: BodyShape, outfit: Outfit) -> Iterator[Solid]:
    frames, points, at = skeleton.frames, skeleton.points, skeleton.near
    stout, loose = body.stoutness, outfit.looseness
    width = 0.82 * body.shoulder_half + 0.004
    ribs = (width + loose) * stout**0.3
    waist = (0.068 if body.is_feminine else 0.074) * stout + loose
    hips = 0.047 * stout**0.6 + loose
    flat = (1.0, 1.0, 0.70 + 0.1 * (stout - 1))
    chest_low = at("waist", "waist", 0, 0.03, 0.0)
    yield RoundCone(PartId.NECK, at("chest", "chest", 0, -0.03, -0.006), points["head"], 0.034, 0.029)
    yield RoundCone(PartId.CHEST, at("chest", "chest", 0, -ribs * 0.88, 0), chest_low, ribs, waist, frames["chest"], flat)
    # The top either hangs loose over the hips, wider than them, or is tucked in.
    wide = body.hip_half + 1.07 * LIMB_RADII["thigh"][0] * body.limb_stoutness + loose
    low, up = at("pelvis", "pelvis", 0, -0.005, -0.012), frames["pelvis"][:, 1]
    hem = (at("pelvis", "pelvis", 0, 0.03 if outfit.belt else -0.03, 0), -up)
    yield RoundCone(PartId.CHEST, chest_low, low, waist, wide, frames["waist"], (1, 1, 0.84), hem)
    if outfit.belt:
        band = (at("pelvis", "pelvis", 0, 0.046, 0), up)
        yield RoundCone(PartId.PELVIS, chest_low, low, waist + 0.004, wide, frames["waist"], (1, 1, 0.84), band)
    for side, sign in SIDES.items():
        neck_root = at("chest", "chest", 0.3 * body.shoulder_half * sign, 0.006, -0.008)
        yield RoundCone(PartId.CHEST, neck_root, points[f"{side}_shoulder"], 0.031 + loose, 0.027 * stout**0.5 + loose)
        yield ball(PartId.PELVIS, at("pelvis", "pelvis", 0.75 * body.hip_half * sign, -0.028, -0.026), 0.052 * stout**0.7 + loose)
        if body.is_feminine and not body.is_child:
            yield ball(PartId.CHEST, at("chest", "chest", 0.042 * sign, -0.078, 0.038), 0.036 + loose)
    if stout > 1.12:
        yield ball(PartId.CHEST, at("waist", "waist", 0, 0.0, 0.035 * stout), 0.07 * stout)
    thick = (0.85, 1.25, 1.25 + 0.15 * (stout - 1))
    yield RoundCone(PartId.PELVIS, points["left_hip"], points["right_hip"], hips, hips, frames["pelvis"], thick)


def _arms(skeleton: Skeleton3D, body: BodyShape, outfit: Outfit) -> Iterator[Solid]:
    thick = body.limb_stoutness
    for side in SIDES:
        upper_part, fore_part = side_part(side, "upper_arm"), side_part(side, "forearm")
        shoulder, elbow, wrist = (skeleton.points[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
        top, low = (radius * thick for radius in LIMB_RADII["upper_arm"])
        cuff = outfit.looseness if outfit.sleeve > 0.3 else 0.0
        yield RoundCone(upper_part, shoulder, elbow, top + cuff, low + (cuff if outfit.sleeve >= 1 else 0))
        if 0.3 < outfit.sleeve < 1:
            end = shoulder + (elbow - shoulder) * outfit.sleeve
            yield _cut_cone(upper_part, shoulder, end, top + cuff, (top + low) / 2 + 1.6 * cuff)
        top, low = (radius * thick for radius in LIMB_RADII["forearm"])
        sleeve_fore = outfit.looseness if outfit.sleeve > 1 else 0.0
        belly = elbow + (wrist - elbow) * 0.28
        yield RoundCone(fore_part, elbow, belly, low * 1.25 + sleeve_fore, top * 1.06 + sleeve_fore)
        yield RoundCone(fore_part, belly, wrist, top * 1.06 + sleeve_fore, low + 0.6 * sleeve_fore)
        yield from _hand(skeleton, side, body.hand, thick**0.5)


def _hand(skeleton: Skeleton3D, side: str, length: float, thick: float) -> Iterator[Solid]:
    part, frame = side_part(side, "hand"), skeleton.frames[f"{side}_hand"]
    at = partial(skeleton.near, f"{side}_wrist", f"{side}_hand")
    # The palm faces the thigh: flat along x, wide along z, the thumb in front.
    flat = (0.52, 1.0, 1.0)
    yield RoundCone(part, at(0, -0.16 * length, 0), at(0, -0.46 * length, 0), 0.017 * thick, 0.0215 * thick, frame, flat)
    fingertips = at(-0.05 * SIDES[side] * length, -0.92 * length, 0.04 * length)
    yield RoundCone(part, at(0, -0.5 * length, 0), fingertips, 0.0195 * thick, 0.011, frame, flat)
    yield RoundCone(part, at(0, -0.22 * length, 0.1 * length), at(0, -0.56 * length, 0.36 * length), 0.0095, 0.0065)


def _legs(skeleton: Skeleton3D, body: BodyShape, outfit: Outfit) -> Iterator[Solid]:
    thick = body.limb_stoutness
    skirted = outfit.legwear == "skirt"
    tight = outfit.legwear == "leggings" or skirted
    loose = 0.002 if tight else outfit.looseness
    for side in SIDES:
        thigh, shank = side_part(side, "thigh"), side_part(side, "shank")
        hip, knee, ankle = (skeleton.points[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        top, low = (radius * thick for radius in LIMB_RADII["thigh"])
        yield RoundCone(thigh, hip, knee, top + loose, low + (loose if outfit.leg_end > 1 else 0))
        if outfit.legwear == "shorts":
            end = hip + (knee - hip) * outfit.leg_end
            yield _cut_cone(thigh, hip, end, top + loose, (top + low) / 2 + 1.8 * loose + 0.004)
        top, low = (radius * thick for radius in LIMB_RADII["shank"])
        covered = loose * 1.3 if outfit.leg_end > 1 and not skirted else 0.0
        calf = knee + (ankle - knee) * 0.3 - skeleton.frames[f"{side}_shank"][:, 2] * 0.008
        yield RoundCone(shank, knee, calf, top * 0.95 + covered, top * 1.04 + covered)
        yield RoundCone(shank, calf, ankle, top * 1.04 + covered, low + 1.5 * covered)
        yield from _foot(skeleton, side, body.foot, thick**0.4)
    if skirted:
        yield from _skirt(skeleton, body, outfit)


def _foot(skeleton: Skeleton3D, side: str, length: float, thick: float) -> Iterator[Solid]:
    part, frame = side_part(side, "foot"), skeleton.frames[f"{side}_foot"]
    at = partial(skeleton.near, f"{side}_ankle", f"{side}_foot")
    flat, heel = (1.0, 0.72, 1.0), at(0, -0.018, -0.12 * length)
    yield RoundCone(part, heel, at(0, -0.022, 0.42 * length), 0.0255 * thick, 0.0265 * thick, frame, flat)
    yield RoundCone(part, at(0, -0.022, 0.4 * length), at(0, -0.026, 0.68 * length), 0.0265 * thick, 0.021 * thick, frame, flat)
    yield RoundCone(part, at(0, 0.004, 0.0), at(0, -0.016, 0.34 * length), 0.0235 * thick, 0.02 * thick)


def _skirt(skeleton: Skeleton3D, body: BodyShape, outfit: Outfit) -> Iterator[Solid]:
    points, pelvis = skeleton.points, skeleton.frames["pelvis"]
    ends = []
    for side in SIDES:
        hip, knee, ankle = (points[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        down = hip + (knee - hip) * min(outfit.leg_end, 1.0)
        ends.append(down + (ankle - knee) * max(0.0, outfit.leg_end - 1.0) * 0.6)
    hem = (ends[0] + ends[1]) / 2
    spread = float(np.linalg.norm(ends[0] - ends[1])) / 2
    top = 0.088 * body.stoutness**0.7 + outfit.looseness
    along = (hem - points["pelvis"]) / np.linalg.norm(hem - points["pelvis"])
    yield RoundCone(
        PartId.SKIRT, points["pelvis"] + 0.02 * pelvis[:, 1], hem + 0.03 * along,
        top, max(top * 1.05, spread + 0.062), pelvis, (1.0, 1.0, 0.82), (hem, along),
    )  # fmt: skip


def _cut_cone(part: PartId, start: Doubles, end: Doubles, start_radius: float, end_radius: float) -> RoundCone:
    """Return a sleeve or a trouser leg: a cone with a flat end at `end`."""
    along = (end - start) / np.linalg.norm(end - start)
    return RoundCone(part, start, end, start_radius, end_radius, cut=(end, along))


def _head(skeleton: Skeleton3D, body: BodyShape, outfit: Outfit) -> Iterator[Solid]:
    frame, centre, half = skeleton.frames["head"], skeleton.points["head"], np.array(body.head)

    def at(x: float, y: float, z: float) -> Doubles:
        return np.asarray(centre + frame @ (np.array([x, y, z]) * half))

    yield _ellipsoid(PartId.HEAD, at(0, 0.06, -0.03), half * (1.0, 0.94, 1.0), frame)
    yield _ellipsoid(PartId.HEAD, at(0, -0.42, 0.2), half * (0.76, 0.58, 0.74), frame)
    yield RoundCone(PartId.HEAD, at(0, 0.05, 0.95), at(*FACE_POINTS["nose"]), 0.12 * half[0], 0.2 * half[0])
    for side in SIDES:
        yield _ellipsoid(PartId.EAR, at(*FACE_POINTS[f"{side}_ear"]), half * (0.13, 0.25, 0.2), frame)
    yield from _hair(outfit, frame, half, at)
    if outfit.hat is not None:
        yield _ellipsoid(PartId.HAT, at(0, 0.42, -0.12), half * (1.2, 0.76, 1.2), frame)
        yield _ellipsoid(PartId.HAT, at(0, 0.42, 0.95), half * (0.78, 0.09, 0.62), frame)


_Triple = tuple[float, float, float]
# Centre and half axes of the cap of hair, in units of the half axes of the head.
_HAIR_CAPS: Mapping[str, tuple[_Triple, _Triple]] = {
    "short": ((0, 0.2, -0.2), (1.04, 0.93, 1.0)),
    "bob": ((0, 0.17, -0.2), (1.14, 1.02, 1.05)),
    "long": ((0, 0.18, -0.2), (1.12, 1.0, 1.04)),
    "bun": ((0, 0.2, -0.18), (1.05, 0.94, 1.0)),
    "ponytail": ((0, 0.2, -0.18), (1.05, 0.94, 1.0)),
    "curly": ((0, 0.3, -0.28), (1.3, 1.08, 1.16)),
}


def _hair(outfit: Outfit, frame: Doubles, half: Doubles, at: Callable[[float, float, float], Doubles]) -> Iterator[Solid]:
    # Curly hair would penetrate the hat.
    style = "short" if outfit.hat is not None and outfit.hair_style == "curly" else outfit.hair_style
    if style == "bald":
        return
    centre, size = _HAIR_CAPS[style]
    yield _ellipsoid(PartId.HAIR, at(*centre), half * size, frame)
    # Hair on the nape, below the cap.
    yield _ellipsoid(PartId.HAIR, at(0, -0.2, -0.45), half * (0.86, 0.62, 0.6), frame)
    flat = (1.0, 1.0, 0.55)
    if style == "bob":
        yield RoundCone(PartId.HAIR, at(0, -0.1, -0.5), at(0, -0.75, -0.5), 1.06 * half[0], 1.02 * half[0], frame, flat)
    elif style == "long":
        yield RoundCone(PartId.HAIR, at(0, 0.0, -0.5), at(0, -1.9, -0.85), 1.08 * half[0], 0.85 * half[0], frame, flat)
    elif style == "bun":
        yield ball(PartId.HAIR, at(0, 0.62, -0.95), 0.46 * half[0])
    elif style == "ponytail":
        yield RoundCone(PartId.HAIR, at(0, 0.4, -1.1), at(0, -1.2, -1.35), 0.34 * half[0], 0.16 * half[0])


def _ellipsoid(part: PartId, centre: Doubles, half_axes: Doubles, frame: Doubles) -> RoundCone:
    x, y, z = half_axes.tolist()
    return RoundCone(part, centre, centre, 1.0, 0.0, frame, (x, y, z))

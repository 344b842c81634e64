"""Bodies: random body shapes, and forward kinematics of a posed body.

Lengths are fractions of the height of an average adult (1.0 = sole to crown). Their means follow the segment lengths of Drillis
and Contini in D. Winter, "Biomechanics and Motor Control of Human Movement", figure 4.1.

    camera frame   x to the right of the image, y up, z towards the viewer       (right-handed, orthographic)
    body frame     x to the person's LEFT, y up, z the way the person faces

At yaw 0 the frames agree: a person who faces the viewer has the left side on the right of the image. At yaw 180 the person is
seen from behind. Bones extend along -y of their own frame, spine and head along +y.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from posescope.core.skeleton import COCO_PERSON
from posescope.sample.poses import Arm, Leg, Pose
from posescope.sample.solids import Doubles

__all__ = [
    "BodyShape",
    "sample_body_shape",
    "FACE_POINTS",
    "SIDES",
    "Skeleton3D",
    "pose_skeleton",
    "rotation_x",
    "rotation_y",
    "rotation_z",
]


@dataclass(frozen=True)
class BodyShape:
    """Lengths and half-thicknesses of one body, in units of an average adult's height."""

    thigh: float
    shank: float
    upper_arm: float
    forearm: float
    hand: float
    foot: float
    ankle_height: float
    spine_low: float
    spine_high: float
    neck: float
    shoulder_half: float
    hip_half: float
    head: tuple[float, float, float]
    stoutness: float
    limb_stoutness: float
    is_feminine: bool
    is_child: bool

    @property
    def height(self) -> float:
        """Sole to crown when standing upright."""
        trunk = self.spine_low + self.spine_high + self.neck + self.head[1]
        return self.ankle_height + self.shank + self.thigh + trunk


def sample_body_shape(seed: int) -> BodyShape:
    """Sample a plausible body: man, woman or child, slim to stout, long- or short-limbed."""
    rng = np.random.default_rng(seed)
    is_child = bool(rng.random() < 0.10)
    is_feminine = bool(rng.random() < 0.5)
    legs = rng.normal(1.0, 0.035) * (0.90 if is_child else 1.0)
    arms = rng.normal(1.0, 0.035) * (0.92 if is_child else 1.0)
    stoutness = float(np.clip(rng.gamma(9.0, 1 / 9.0), 0.82, 1.5))
    shoulders = rng.normal(0.098 if is_feminine else 0.110, 0.005) * (0.92 if is_child else 1.0)
    head = rng.normal(1.04, 0.03) * (1.28 if is_child else 1.0)
    return BodyShape(
        thigh=0.243 * legs,
        shank=0.240 * legs,
        upper_arm=0.174 * arms,
        forearm=0.148 * arms,
        hand=0.092 * arms,
        foot=0.135 * legs,
        ankle_height=0.042,
        spine_low=0.075,
        spine_high=rng.normal(0.212, 0.006),
        neck=0.115 * (head + 1) / 2,
        shoulder_half=shoulders * stoutness**0.35,
        hip_half=rng.normal(0.056 if is_feminine else 0.051, 0.003) * stoutness**0.5,
        head=(0.049 * head, 0.067 * head, 0.058 * head),
        stoutness=stoutness,
        limb_stoutness=stoutness**0.7 * (0.92 if is_feminine else 1.0),
        is_feminine=is_feminine,
        is_child=is_child,
    )


# Sign of x in the body frame.
SIDES: Mapping[str, float] = {"left": 1.0, "right": -1.0}
# Positions of the joints of the face in the frame of the head, in units of its half axes.
FACE_POINTS: Mapping[str, tuple[float, float, float]] = {
    "nose": (0.0, -0.14, 1.14),
    "left_eye": (0.37, 0.10, 0.94),
    "right_eye": (-0.37, 0.10, 0.94),
    "left_ear": (1.02, -0.04, -0.06),
    "right_ear": (-1.02, -0.04, -0.06),
}


@dataclass(frozen=True)
class Skeleton3D:
    """A posed body in the camera frame.

    Attributes:
        points: Positions (3,) by name, in body heights: the COCO joints, and `pelvis`, `waist`, `chest`, `neck`, `head`.
        frames: Rotations (3, 3) by bone; the columns are the axes of the bone in the camera frame.
        root: Rotation (3, 3) of the person as a whole, also used for a chair.
        ground: y of the lowest sole in the frame of the person.
    """

    points: Mapping[str, Doubles]
    frames: Mapping[str, Doubles]
    root: Doubles
    ground: float

    @property
    def joints(self) -> Doubles:
        """Joints (K, 3) in the order of COCO."""
        return np.stack([self.points[name] for name in COCO_PERSON.joints])

    def near(self, point: str, bone: str, x: float, y: float, z: float) -> Doubles:
        """Return a position (3,) near a point, in the camera frame.

        Args:
            point: name of the point.
            bone: name of the bone that gives the axes.
            x, y, z: offset along the axes of the bone, body heights.
        """
        return np.asarray(self.points[point] + self.frames[bone] @ np.array([x, y, z]))


def rotation_x(degrees: float) -> Doubles:
    """Return the right-handed rotation about x (y turns towards z)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rotation_y(degrees: float) -> Doubles:
    """Return the right-handed rotation about y (z turns towards x)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rotation_z(degrees: float) -> Doubles:
    """Return the right-handed rotation about z (x turns towards y)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def pose_skeleton(body: BodyShape, pose: Pose, yaw: float, camera_pitch: float) -> Skeleton3D:
    """Compute joint positions and bone frames by forward kinematics.

    Args:
        body: Bone lengths.
        pose: Joint angles.
        yaw: Degrees; 0 faces the viewer, 90 the right of the image, 180 away from the viewer.
        camera_pitch: Degrees by which the camera looks down.
    """
    root = rotation_x(camera_pitch) @ rotation_y(yaw)
    points: dict[str, Doubles] = {"pelvis": np.zeros(3)}
    frames: dict[str, Doubles] = {}
    _place_trunk(points, frames, root, body, pose)
    for side, sign in SIDES.items():
        arm, leg = (pose.left_arm, pose.left_leg) if sign > 0 else (pose.right_arm, pose.right_leg)
        _place_arm(points, frames, body, arm, side, sign)
        _place_leg(points, frames, root, body, leg, side, sign)
    up = root[:, 1]
    lowest = min(float(points[f"{side}_{end}"] @ up) for side in SIDES for end in ("ankle", "toe"))
    return Skeleton3D(points, frames, root, lowest - body.ankle_height)


def _place_trunk(points: dict[str, Doubles], frames: dict[str, Doubles], root: Doubles, body: BodyShape, pose: Pose) -> None:
    pelvis = root @ rotation_z(-pose.pelvis_roll) @ rotation_x(pose.pelvis_pitch)
    half_bend = rotation_z(-pose.spine_lean / 2) @ rotation_x(pose.spine_flexion / 2) @ rotation_y(pose.spine_turn / 2)
    waist = pelvis @ half_bend
    chest = waist @ half_bend
    head = chest @ rotation_y(pose.head_turn) @ rotation_z(-pose.head_lean) @ rotation_x(pose.head_flexion)
    points["waist"] = pelvis[:, 1] * body.spine_low
    points["chest"] = points["waist"] + waist[:, 1] * body.spine_high / 2 + chest[:, 1] * body.spine_high / 2
    points["neck"] = points["chest"] + chest[:, 1] * 0.015
    points["head"] = points["neck"] + (0.55 * chest[:, 1] + 0.45 * head[:, 1]) * body.neck + head[:, 2] * 0.012
    for name, where in FACE_POINTS.items():
        points[name] = points["head"] + head @ (np.array(where) * body.head)
    for side, sign in SIDES.items():
        points[f"{side}_shoulder"] = points["chest"] + chest @ np.array([sign * body.shoulder_half, -0.016, 0.0])
        points[f"{side}_hip"] = pelvis @ np.array([sign * body.hip_half, 0.0, 0.0])
    frames.update(pelvis=pelvis, waist=waist, chest=chest, head=head)


def _place_arm(points: dict[str, Doubles], frames: dict[str, Doubles], body: BodyShape, arm: Arm, side: str, sign: float) -> None:
    # A stout body limits the abduction: the arm touches the ribs.
    abduction = max(arm.abduction, 4.0 + 14.0 * (body.stoutness - 1.0))
    upper = frames["chest"] @ rotation_z(sign * abduction) @ rotation_x(-arm.flexion) @ rotation_y(sign * arm.twist)
    fore = upper @ rotation_x(-arm.elbow)
    points[f"{side}_elbow"] = points[f"{side}_shoulder"] - upper[:, 1] * body.upper_arm
    points[f"{side}_wrist"] = points[f"{side}_elbow"] - fore[:, 1] * body.forearm
    frames[f"{side}_upper_arm"] = upper
    frames[f"{side}_forearm"] = fore
    frames[f"{side}_hand"] = fore @ rotation_x(-8.0)


def _place_leg(
    points: dict[str, Doubles], frames: dict[str, Doubles], root: Doubles, body: BodyShape, leg: Leg, side: str, sign: float
) -> None:
    thigh = root @ rotation_z(sign * leg.abduction) @ rotation_x(-leg.flexion) @ rotation_y(sign * leg.twist)
    shank = thigh @ rotation_x(leg.knee)
    foot = root @ rotation_y(sign * (leg.twist + 4.0)) @ rotation_x(leg.heel)
    points[f"{side}_knee"] = points[f"{side}_hip"] - thigh[:, 1] * body.thigh
    points[f"{side}_ankle"] = points[f"{side}_knee"] - shank[:, 1] * body.shank
    points[f"{side}_toe"] = points[f"{side}_ankle"] + foot[:, 2] * 0.7 * body.foot
    frames[f"{side}_thigh"] = thigh
    frames[f"{side}_shank"] = shank
    frames[f"{side}_foot"] = foot

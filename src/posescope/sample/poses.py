"""Poses: joint angles of a body, and a library of everyday postures with their variation.

All angles are anatomical, in degrees, and zero for a body that stands to attention:

    arm   flexion raises it forward, abduction sideways, twist > 0 turns the elbow's crook outward, elbow bends the forearm
    leg   flexion raises the thigh forward, abduction sideways, knee bends the shank backward, heel lifts the heel
    spine flexion bows forward, lean goes to the person's left, turn to the person's left
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

__all__ = ["Arm", "Leg", "Pose", "POSE_WEIGHTS", "sample_pose"]


@dataclass(frozen=True)
class Arm:
    """Angles of one arm, degrees."""

    flexion: float = 0.0
    abduction: float = 10.0
    twist: float = 0.0
    elbow: float = 12.0


@dataclass(frozen=True)
class Leg:
    """Angles of one leg, degrees."""

    flexion: float = 0.0
    abduction: float = 4.0
    twist: float = 6.0
    knee: float = 3.0
    heel: float = 0.0


@dataclass(frozen=True)
class Pose:
    """Joint angles of the whole body, degrees.

    `support` is `feet`, `seat` (a seat is added) or `air`.
    """

    name: str
    left_arm: Arm = field(default_factory=Arm)
    right_arm: Arm = field(default_factory=Arm)
    left_leg: Leg = field(default_factory=Leg)
    right_leg: Leg = field(default_factory=Leg)
    pelvis_pitch: float = 0.0
    pelvis_roll: float = 0.0
    spine_flexion: float = 0.0
    spine_lean: float = 0.0
    spine_turn: float = 0.0
    head_flexion: float = 0.0
    head_turn: float = 0.0
    head_lean: float = 0.0
    support: str = "feet"


# Each function samples the angles of one posture; `_POSTURES` has the names and probabilities. The order of the draws determines
# the sample.

_Range = tuple[float, float]


def _pose(arms: Sequence[Arm], legs: Sequence[Leg], **angles: Any) -> Pose:
    return Pose("", arms[0], arms[1], legs[0], legs[1], **angles)


def _uniform_arm(rng: np.random.Generator, flexion: _Range, abduction: _Range, twist: _Range, elbow: _Range) -> Arm:
    return Arm(rng.uniform(*flexion), rng.uniform(*abduction), rng.uniform(*twist), rng.uniform(*elbow))


def _relaxed_arm(rng: np.random.Generator) -> Arm:
    return Arm(rng.normal(2, 7), rng.uniform(7, 20), rng.normal(-15, 12), rng.uniform(6, 32))


def _standing(rng: np.random.Generator) -> Pose:
    return _pose(
        [_relaxed_arm(rng) for _ in range(2)],
        [Leg(rng.normal(1, 3), rng.uniform(1, 8), rng.uniform(0, 15), rng.uniform(0, 6)) for _ in range(2)],
        pelvis_roll=rng.normal(0, 2),
        spine_flexion=rng.normal(2, 4),
        spine_lean=rng.normal(0, 4),
        spine_turn=rng.normal(0, 6),
    )


def _stand_with_both(rng: np.random.Generator, *arm: _Range) -> Pose:
    """Sample a standing pose with both arms within the ranges of `_uniform_arm`."""
    return replace(_standing(rng), left_arm=_uniform_arm(rng, *arm), right_arm=_uniform_arm(rng, *arm))


def _move_one(rng: np.random.Generator, pose: Pose, arm: Arm) -> Pose:
    """Return the pose with its left or right arm replaced."""
    return replace(pose, left_arm=arm) if rng.random() < 0.5 else replace(pose, right_arm=arm)


def _hands_on_hips(rng: np.random.Generator) -> Pose:
    pose = _stand_with_both(rng, (-22, -6), (38, 52), (-82, -66), (88, 106))
    return replace(pose, right_arm=_relaxed_arm(rng)) if rng.random() < 0.35 else pose


def _arms_folded(rng: np.random.Generator) -> Pose:
    return _stand_with_both(rng, (24, 38), (6, 16), (-66, -50), (92, 112))


def _arms_up(rng: np.random.Generator) -> Pose:
    return _stand_with_both(rng, (-5, 12), (125, 168), (50, 90), (5, 55))


def _waving(rng: np.random.Generator) -> Pose:
    arm = _uniform_arm(rng, (-5, 20), (85, 140), (70, 95), (35, 80))
    return _move_one(rng, _standing(rng), arm)


def _reaching(rng: np.random.Generator) -> Pose:
    arm = Arm(rng.uniform(65, 115), rng.uniform(0, 22), rng.normal(0, 10), rng.uniform(4, 30))
    return _move_one(rng, replace(_standing(rng), spine_flexion=rng.uniform(0, 12)), arm)


def _phoning(rng: np.random.Generator) -> Pose:
    arm = _uniform_arm(rng, (32, 50), (14, 28), (-18, 0), (128, 140))
    return _move_one(rng, _standing(rng), arm)


def _walking(rng: np.random.Generator) -> Pose:
    stride = rng.uniform(14, 30) * rng.choice((-1, 1))
    forward, back = Leg(abs(stride), 3, 5, rng.uniform(3, 12)), Leg(-0.75 * abs(stride), 3, 5, rng.uniform(8, 38), 25)
    swing = 0.9 * stride + rng.normal(0, 5)
    return replace(
        _standing(rng),
        left_arm=Arm(-swing, rng.uniform(6, 14), -10, rng.uniform(10, 45)),
        right_arm=Arm(swing, rng.uniform(6, 14), -10, rng.uniform(10, 45)),
        left_leg=forward if stride > 0 else back,
        right_leg=back if stride > 0 else forward,
        spine_flexion=rng.uniform(0, 8),
        spine_turn=-stride * 0.25,
    )


def _running(rng: np.random.Generator) -> Pose:
    side = rng.choice((-1, 1))
    drive = Leg(rng.uniform(38, 68), 3, 3, rng.uniform(55, 95), 10)
    push = Leg(rng.uniform(-32, -12), 3, 3, rng.uniform(8, 75), 40)
    elbow = rng.uniform(70, 105, 2)
    return replace(
        _standing(rng),
        left_arm=Arm(-side * rng.uniform(28, 55), rng.uniform(8, 22), -18, elbow[0]),
        right_arm=Arm(side * rng.uniform(28, 55), rng.uniform(8, 22), -18, elbow[1]),
        left_leg=drive if side > 0 else push,
        right_leg=push if side > 0 else drive,
        pelvis_pitch=rng.uniform(2, 9),
        spine_flexion=rng.uniform(2, 12),
    )


def _sitting(rng: np.random.Generator) -> Pose:
    def arm() -> Arm:
        return _uniform_arm(rng, (12, 42), (6, 18), (-35, 0), (35, 75)) if rng.random() < 0.8 else _relaxed_arm(rng)

    flexion, knee = rng.uniform(78, 92), rng.uniform(66, 98)
    legs = [Leg(flexion + rng.normal(0, 4), rng.uniform(3, 16), 2, knee + rng.normal(0, 9)) for _ in range(2)]
    return _pose(
        [arm(), arm()],
        legs,
        pelvis_pitch=rng.uniform(-12, 4),
        spine_flexion=rng.uniform(0, 20),
        spine_lean=rng.normal(0, 5),
        support="seat",
    )


def _bending(rng: np.random.Generator) -> Pose:
    pitch, flexion = rng.uniform(22, 48), rng.uniform(18, 42)
    hang = pitch + flexion
    arms = [Arm(hang + rng.normal(6, 14), rng.uniform(4, 16), -10, rng.uniform(5, 40)) for _ in range(2)]
    legs = [Leg(rng.normal(2, 4), rng.uniform(3, 10), 8, rng.uniform(2, 22)) for _ in range(2)]
    turn = rng.normal(0, 8)
    return _pose(arms, legs, pelvis_pitch=pitch, spine_flexion=flexion, spine_turn=turn, head_flexion=-0.35 * hang)


def _carrying(rng: np.random.Generator) -> Pose:
    flexion, elbow = rng.uniform(10, 26), rng.uniform(62, 82)
    arm = Arm(flexion, rng.uniform(6, 12), rng.uniform(-14, -4), elbow)
    return replace(_standing(rng), left_arm=arm, right_arm=arm, spine_flexion=rng.uniform(-8, 2))


def _stretching(rng: np.random.Generator) -> Pose:
    arms = [Arm(rng.normal(0, 8), rng.uniform(70, 108), rng.uniform(0, 40), rng.uniform(0, 25)) for _ in range(2)]
    legs = [Leg(0, rng.uniform(12, 26), 12, rng.uniform(0, 6)) for _ in range(2)]
    return replace(_standing(rng), left_arm=arms[0], right_arm=arms[1], left_leg=legs[0], right_leg=legs[1])


def _crouching(rng: np.random.Generator) -> Pose:
    arms = [Arm(rng.uniform(30, 65), rng.uniform(4, 18), -12, rng.uniform(25, 70)) for _ in range(2)]
    legs = [Leg(rng.uniform(84, 104), rng.uniform(8, 22), 8, rng.uniform(112, 130), 28) for _ in range(2)]
    return _pose(arms, legs, pelvis_pitch=12, spine_flexion=rng.uniform(12, 30))


def _jumping(rng: np.random.Generator) -> Pose:
    arms = [_uniform_arm(rng, (0, 40), (60, 150), (20, 80), (5, 45)) for _ in range(2)]
    legs = [Leg(rng.uniform(-12, 45), rng.uniform(4, 22), 6, rng.uniform(15, 80), 40) for _ in range(2)]
    return _pose(arms, legs, spine_flexion=rng.uniform(-6, 10), support="air")


_POSTURES: Mapping[str, tuple[float, Callable[[np.random.Generator], Pose]]] = {
    "standing": (0.18, _standing),
    "hands_on_hips": (0.09, _hands_on_hips),
    "arms_folded": (0.03, _arms_folded),
    "walking": (0.19, _walking),
    "running": (0.06, _running),
    "sitting": (0.14, _sitting),
    "bending": (0.04, _bending),
    "arms_up": (0.07, _arms_up),
    "waving": (0.06, _waving),
    "reaching": (0.03, _reaching),
    "phoning": (0.02, _phoning),
    "carrying": (0.02, _carrying),
    "stretching": (0.04, _stretching),
    "crouching": (0.02, _crouching),
    "jumping": (0.01, _jumping),
}
POSE_WEIGHTS: Mapping[str, float] = {name: weight for name, (weight, _) in _POSTURES.items()}


def sample_pose(seed: int, names: tuple[str, ...] | None = None) -> Pose:
    """Sample a posture and its angles, with a random direction of the head.

    Args:
        seed: Seed of all choices.
        names: Postures to choose from; None: all.
    """
    rng = np.random.default_rng(seed)
    choices = list(POSE_WEIGHTS if names is None else names)
    weights = np.array([POSE_WEIGHTS[name] for name in choices])
    name = choices[int(rng.choice(len(choices), p=weights / weights.sum()))]
    pose = _POSTURES[name][1](rng)
    return replace(
        pose,
        name=name,
        head_flexion=pose.head_flexion + float(rng.normal(3, 7)),
        head_turn=float(np.clip(rng.normal(0, 16), -45, 45)),
        head_lean=float(rng.normal(0, 5)),
    )

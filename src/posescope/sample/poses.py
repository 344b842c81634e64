"""What a pose is: the joint angles of a body.

All angles are degrees, anatomical, and zero when the body stands to attention:

    arm   flexion raises it forward, abduction sideways, twist > 0 turns the elbow's crook outward, elbow bends the forearm
    leg   flexion raises the thigh forward, abduction sideways, knee bends the shank backward, heel lifts the heel
    spine flexion bows forward, lean goes to the person's left, turn to the person's left
"""

from dataclasses import dataclass, field

__all__ = ["Arm", "Leg", "Pose"]


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

    `support` tells what carries the person: `feet`, `seat` (something must be drawn beneath) or `air`.
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

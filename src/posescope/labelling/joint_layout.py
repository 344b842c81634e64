"""Places of the joints in the drawing of a skeleton, for the editor of a labelling tool."""

from math import cos, pi, sin

from posescope.core.skeleton import Skeleton

__all__ = ["lay_out_joints"]

# A standing person who faces the viewer, in percent of the drawing: the person's left is on the right.
_STANDING = {
    "nose": (50, 10), "left_eye": (53, 7), "right_eye": (47, 7), "left_ear": (57, 9), "right_ear": (43, 9),
    "head_top": (50, 2), "neck": (50, 18), "left_shoulder": (62, 22), "right_shoulder": (38, 22), "left_elbow": (70, 36),
    "right_elbow": (30, 36), "left_wrist": (74, 50), "right_wrist": (26, 50), "pelvis": (50, 52), "left_hip": (57, 53),
    "right_hip": (43, 53), "left_knee": (59, 73), "right_knee": (41, 73), "left_ankle": (60, 93), "right_ankle": (40, 93),
}  # fmt: skip


def lay_out_joints(skeleton: Skeleton) -> tuple[tuple[float, float], ...]:
    """Return x and y of each joint, in percent of the drawing.

    Joints with COCO's names stand as in a person who faces the viewer, others on an ellipse around them.

    Args:
        skeleton: names of the joints.

    Example:
        >>> from posescope.core.skeleton import Skeleton
        >>> lay_out_joints(Skeleton(("nose", "tail"), (), (0.1, 0.1)))
        ((50, 10), (95.0, 50.0))
    """
    others = [name for name in skeleton.joints if name not in _STANDING]
    angles = {name: 2 * pi * number / len(others) for number, name in enumerate(others)}
    return tuple(
        _STANDING[name] if name in _STANDING else (50 + round(45 * cos(angles[name]), 2), 50 + round(45 * sin(angles[name]), 2))
        for name in skeleton.joints
    )

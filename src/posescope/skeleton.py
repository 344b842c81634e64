"""The skeleton: which joints a person has, how they are linked, which mirror each other.

A data set says this itself, in its `person` category; nothing here assumes a number of joints. Only `COCO_PERSON` is COCO's
own description, used by the generator of the sample and by tests. Flip pairs follow from the names (`left_x`, `right_x`).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posescope.errors import DataError

__all__ = [
    "COCO_PERSON", "DEFAULT_OKS_SIGMA", "KNOWN_OKS_SIGMAS", "Skeleton", "skeleton_from_category", "warn_of_missing_pairs",
]  # fmt: skip

logger = logging.getLogger(__name__)

# Published by COCO (keypoints evaluation page) as the standard deviation of annotators, relative to the person's scale.
KNOWN_OKS_SIGMAS: Mapping[str, float] = {
    "nose": 0.026,
    "left_eye": 0.025,
    "right_eye": 0.025,
    "left_ear": 0.035,
    "right_ear": 0.035,
    "left_shoulder": 0.079,
    "right_shoulder": 0.079,
    "left_elbow": 0.072,
    "right_elbow": 0.072,
    "left_wrist": 0.062,
    "right_wrist": 0.062,
    "left_hip": 0.107,
    "right_hip": 0.107,
    "left_knee": 0.087,
    "right_knee": 0.087,
    "left_ankle": 0.089,
    "right_ankle": 0.089,
}
# For joints that COCO does not have and for which nobody gave a figure: between COCO's shoulder and hip, on the lenient side.
DEFAULT_OKS_SIGMA = 0.079


@dataclass(frozen=True)
class Skeleton:
    """Joints, limbs and OKS sigmas of one kind of person.

    Attributes:
        joints: names, in the order of the annotation (index = joint number, 0-based).
        limbs: pairs of joint indices, 0-based.
        oks_sigmas: one a joint, relative to the square root of the person's area (COCO's OKS).
        guessed_sigmas: names of the joints whose sigma is `DEFAULT_OKS_SIGMA` for want of a figure.
        category_id: of the category in the data's own files, which results in COCO's format must repeat.
    """

    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    oks_sigmas: tuple[float, ...]
    guessed_sigmas: tuple[str, ...] = ()
    category_id: int = 1

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def flip_indices(self) -> tuple[int, ...]:
        """For each joint, the index of the joint that it becomes in a mirror (itself where it has no partner)."""
        index_of = {name: index for index, name in enumerate(self.joints)}
        return tuple(index_of.get(_mirrored(name), index) for index, name in enumerate(self.joints))

    def side_of(self, joint: int) -> str:
        """`left`, `right` or `centre`: which side of the body a joint is on, by its name."""
        name = self.joints[joint]
        return next((side for side in ("left", "right") if name.startswith(f"{side}_")), "centre")

    def index(self, name: str) -> int:
        """Index of the joint called `name`.

        Raises:
            DataError: if the skeleton has no such joint.
        """
        if name not in self.joints:
            raise DataError(f"The skeleton has no joint '{name}'; it has: {', '.join(self.joints)}.")
        return self.joints.index(name)

    def to_dict(self) -> dict[str, Any]:
        """The skeleton as JSON-like content, for `skeleton.json` and `model.json`."""
        return {
            "joints": list(self.joints),
            "limbs": [list(limb) for limb in self.limbs],
            "oks_sigmas": list(self.oks_sigmas),
            "guessed_sigmas": list(self.guessed_sigmas),
            "category_id": self.category_id,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Skeleton":
        """Inverse of `to_dict`."""
        return cls(
            joints=tuple(content["joints"]),
            limbs=tuple((int(a), int(b)) for a, b in content["limbs"]),
            oks_sigmas=tuple(float(sigma) for sigma in content["oks_sigmas"]),
            guessed_sigmas=tuple(content.get("guessed_sigmas", ())),
            category_id=int(content.get("category_id", 1)),
        )


def _mirrored(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return name


def skeleton_from_category(
    category: Mapping[str, Any], sigmas: Mapping[str, float] | None = None, source: str = "annotations"
) -> Skeleton:
    """Read a skeleton from a COCO category.

    Args:
        category: has `keypoints` (names) and, mostly, `skeleton` (pairs of 1-based joint numbers).
        sigmas: OKS sigmas by joint name; they win over COCO's published ones.
        source: the file's name, for error messages.

    Raises:
        DataError: if names are missing or doubled, a limb points nowhere, or a sigma is given for an unknown joint.
    """
    names = category.get("keypoints")
    if not isinstance(names, Sequence) or isinstance(names, str) or not names:
        raise DataError(f"{source}: categories[0].keypoints: expected a list of joint names, found {names!r}.")
    joints = tuple(str(name) for name in names)
    doubled = sorted({name for name in joints if joints.count(name) > 1})
    if doubled:
        raise DataError(f"{source}: categories[0].keypoints names a joint twice: {', '.join(doubled)}.")
    pairs, category_id = category.get("skeleton") or (), category.get("id", 1)
    if not isinstance(pairs, Sequence):
        raise DataError(f"{source}: categories[0].skeleton: expected a list of pairs, found {pairs!r}.")
    if not isinstance(category_id, int):
        raise DataError(f"{source}: categories[0].id: expected a whole number, found {category_id!r}.")
    limbs = tuple(_read_limb(limb, len(joints), source) for limb in pairs)
    given = dict(sigmas or {})
    unknown = sorted(set(given) - set(joints))
    if unknown:
        raise DataError(f"OKS sigmas are given for joints that {source} does not have: {', '.join(unknown)}.")
    known = {**KNOWN_OKS_SIGMAS, **given}
    return Skeleton(
        joints=joints,
        limbs=limbs,
        oks_sigmas=tuple(known.get(name, DEFAULT_OKS_SIGMA) for name in joints),
        guessed_sigmas=tuple(name for name in joints if name not in known),
        category_id=category_id,
    )


def _read_limb(limb: Any, joint_count: int, source: str) -> tuple[int, int]:
    """A 1-based pair of the file -> a 0-based pair."""
    valid = isinstance(limb, Sequence) and len(limb) == 2
    if not valid or not all(isinstance(end, int) and 1 <= end <= joint_count for end in limb):
        raise DataError(f"{source}: categories[0].skeleton: expected two joint numbers in 1..{joint_count}, found {limb!r}.")
    return int(limb[0]) - 1, int(limb[1]) - 1


COCO_PERSON = skeleton_from_category(
    {
        "keypoints": list(KNOWN_OKS_SIGMAS),
        "skeleton": [
            [16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9],
            [8, 10], [9, 11], [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7],
        ],
    }
)  # fmt: skip


def warn_of_missing_pairs(skeleton: Skeleton, use: str) -> None:
    """Log a warning if no joint has a partner on the other side: then a mirrored person's left joints pass for left ones.

    Args:
        skeleton: whose joints are paired by name (left_*, right_*).
        use: what mirrors (`flip`, `flip_test`), for the message.
    """
    if skeleton.flip_indices == tuple(range(len(skeleton))):
        logger.warning(
            "%s mirrors people, but no joint of the skeleton has a partner on the other side, so names stay where they are and "
            "left joints pass for right ones. Joints: %s. Name pairs left_<joint> and right_<joint>, or do without %s.",
            use, ", ".join(skeleton.joints), use,
        )  # fmt: skip

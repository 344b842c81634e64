"""The skeleton: names of the joints, limbs, flip pairs and OKS sigmas.

A data set defines its skeleton in its `person` category, with any number of joints. `COCO_PERSON` is that of COCO. Flip pairs
follow from the names (`left_x`, `right_x`).
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from posescope.core.errors import DataError

__all__ = [
    "COCO_PERSON", "DEFAULT_OKS_SIGMA", "KNOWN_OKS_SIGMAS", "Skeleton", "has_zero_based_limbs", "skeleton_from_category",
    "unpaired_joints", "warn_about_unpaired_joints",
]  # fmt: skip

logger = logging.getLogger(__name__)

# Published by COCO (keypoint evaluation page): standard deviation of annotators relative to the scale of the person.
KNOWN_OKS_SIGMAS: Mapping[str, float] = {
    "nose": 0.026, "left_eye": 0.025, "right_eye": 0.025, "left_ear": 0.035, "right_ear": 0.035, "left_shoulder": 0.079,
    "right_shoulder": 0.079, "left_elbow": 0.072, "right_elbow": 0.072, "left_wrist": 0.062, "right_wrist": 0.062,
    "left_hip": 0.107, "right_hip": 0.107, "left_knee": 0.087, "right_knee": 0.087, "left_ankle": 0.089, "right_ankle": 0.089,
}  # fmt: skip
# For joints that COCO lacks and that have no given sigma: as COCO's shoulder, on the lenient side.
DEFAULT_OKS_SIGMA = 0.079


@dataclass(frozen=True)
class Skeleton:
    """Joints, limbs and OKS sigmas.

    Attributes:
        joints: Names, in the order of the annotation (index = joint number, 0-based).
        limbs: Pairs of joint indices, 0-based.
        oks_sigmas: One per joint, relative to the square root of the area of the person (COCO's OKS).
        guessed_sigmas: Names of the joints whose sigma is `DEFAULT_OKS_SIGMA`, since none is known.
        category_id: Id of the category in the annotation files, which COCO results must repeat.

    Example:
        >>> skeleton = Skeleton(("nose", "left_eye", "right_eye"), ((0, 1), (0, 2)), (0.026, 0.025, 0.025))
        >>> skeleton.flip_indices
        (0, 2, 1)
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
        """For each joint, the index of its mirrored joint (itself if it has no partner)."""
        index_of = {name: index for index, name in enumerate(self.joints)}
        return tuple(index_of.get(_mirrored(name), index) for index, name in enumerate(self.joints))

    def side_of(self, joint: int) -> str:
        """Return the side of a joint by its name: `left`, `right` or `centre`."""
        name = self.joints[joint]
        return next((side for side in ("left", "right") if name.startswith(f"{side}_")), "centre")

    def index(self, name: str) -> int:
        """Return the index of the joint called `name`.

        Raises:
            DataError: if the skeleton has no such joint.
        """
        if name not in self.joints:
            raise DataError(f"The skeleton has no joint '{name}'; it has: {', '.join(self.joints)}.")
        return self.joints.index(name)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like content, for `skeleton.json` and `model.json`."""
        return {
            "joints": list(self.joints),
            "limbs": [list(limb) for limb in self.limbs],
            "oks_sigmas": list(self.oks_sigmas),
            "guessed_sigmas": list(self.guessed_sigmas),
            "category_id": self.category_id,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Skeleton":
        """Return the skeleton of the content of `to_dict`."""
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
        category: Has `keypoints` (names) and usually `skeleton` (pairs of 1-based joint numbers).
        sigmas: OKS sigmas by joint name; they override COCO's published ones.
        source: Name of the file, for error messages.

    Raises:
        DataError: if names are missing or repeated, a limb has an invalid joint number, or a sigma is given for an unknown joint.
    """
    names = category.get("keypoints")
    if not isinstance(names, Sequence) or isinstance(names, str) or not names:
        raise DataError(f"{source}: categories[0].keypoints: expected a list of joint names, found {names!r}.")
    joints = tuple(str(name) for name in names)
    doubled = sorted({name for name in joints if joints.count(name) > 1})
    if doubled:
        raise DataError(f"{source}: categories[0].keypoints repeats a joint name: {', '.join(doubled)}.")
    pairs, category_id = category.get("skeleton") or (), category.get("id", 1)
    if not isinstance(pairs, Sequence):
        raise DataError(f"{source}: categories[0].skeleton: expected a list of pairs, found {pairs!r}.")
    if not isinstance(category_id, int):
        raise DataError(f"{source}: categories[0].id: expected a whole number, found {category_id!r}.")
    limbs = _read_limbs(pairs, len(joints), source)
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


def _read_limbs(pairs: Sequence[Any], joint_count: int, source: str) -> tuple[tuple[int, int], ...]:
    """Return the 1-based pairs of the file as 0-based pairs."""
    for limb in pairs:
        if not _is_pair(limb) or not all(1 <= end <= joint_count for end in limb):
            whole = all(_is_pair(pair) and all(0 <= end < joint_count for end in pair) for pair in pairs)
            hint = " All numbers are in 0..K-1, so they probably count from 0: add 1 to each." if whole else ""
            raise DataError(
                f"{source}: categories[0].skeleton: expected two joint numbers in 1..{joint_count}, found {limb!r}.{hint}"
            )
    return tuple((int(first) - 1, int(second) - 1) for first, second in pairs)


def _is_pair(limb: Any) -> bool:
    is_list = isinstance(limb, Sequence) and not isinstance(limb, str) and len(limb) == 2
    return is_list and all(isinstance(end, int) and not isinstance(end, bool) for end in limb)


def has_zero_based_limbs(skeleton: Skeleton) -> bool:
    """Return whether the limbs of the file were probably numbered from 0, so that all are shifted by one joint.

    This is assumed if some limb joins a left joint to a right one of another kind (`left_knee`, `right_hip`), and none does after
    a shift by one.
    """
    shifted = [(a + 1, b + 1) for a, b in skeleton.limbs]
    if not shifted or max(map(max, shifted)) >= len(skeleton):
        return False
    return _count_crossings(skeleton, skeleton.limbs) > 0 and _count_crossings(skeleton, shifted) == 0


def _count_crossings(skeleton: Skeleton, limbs: Sequence[tuple[int, int]]) -> int:
    """Count the limbs that join a left and a right joint that are not partners."""
    flipped = skeleton.flip_indices
    sides = [{skeleton.side_of(end) for end in limb} for limb in limbs]
    return sum(side == {"left", "right"} and flipped[a] != b for side, (a, b) in zip(sides, limbs, strict=True))


COCO_PERSON = skeleton_from_category(
    {
        "keypoints": list(KNOWN_OKS_SIGMAS),
        "skeleton": [
            [16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9],
            [8, 10], [9, 11], [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7],
        ],
    }
)  # fmt: skip


def warn_about_unpaired_joints(skeleton: Skeleton, use: str) -> None:
    """Log a warning if joints have no partner on the other side, since mirroring then mixes up left and right.

    Args:
        skeleton: The skeleton; joints are paired by name (left_*, right_*).
        use: name of the option that flips the image (`flip` or `flip_test`), for the warning.
    """
    unpaired = unpaired_joints(skeleton.joints)
    if skeleton.flip_indices == tuple(range(len(skeleton))):
        logger.warning(
            "%s mirrors persons, but no joint of the skeleton has a partner on the other side, so left and right are mixed up. "
            "Joints: %s. Name pairs left_<joint> and right_<joint>, or disable %s.",
            use, ", ".join(skeleton.joints), use,
        )  # fmt: skip
    elif unpaired:
        logger.warning(
            "%s mirrors persons, but %d of %d joints that belong to a side have no partner, so left and right are mixed up: "
            "%s. Name pairs left_<joint> and right_<joint>, or disable %s.",
            use, len(unpaired), len(skeleton), "; ".join(f"{name}: {advice}" for name, advice in unpaired.items()), use,
        )  # fmt: skip


def unpaired_joints(joints: Sequence[str]) -> dict[str, str]:
    """Find joints that probably belong to a side of the body but have no partner.

    Args:
        joints: Names; pairs are named `left_<joint>` and `right_<joint>`.

    Returns:
        Advice by joint name, in the order of `joints`: the name to use (`Left_knee`, `LKnee`, `knee_left` and `lfet_knee` are
        recognised), or the name that is missing.

    Example:
        >>> unpaired_joints(["nose", "left_wrist", "rigth_wrist"])
        {'left_wrist': 'there is no right_wrist', 'rigth_wrist': 'call it right_wrist'}
    """
    unpaired = [name for name in joints if _mirrored(name) == name or _mirrored(name) not in joints]
    advice: dict[str, str] = {}
    for name in unpaired:
        if _mirrored(name) != name:
            advice[name] = f"there is no {_mirrored(name)}"
        elif proposal := _canonical_name(name, unpaired):
            advice[name] = f"call it {proposal}"
    missing = {_mirrored(name) for name in unpaired if _mirrored(name) != name}
    for name in advice:
        # A misspelt stem leaves two joints unpaired: `left_wrist` and `right_wirst`.
        close = get_close_matches(name, missing - {name}, n=1, cutoff=0.8)
        if _mirrored(name) != name and close and _mirrored(close[0]) != name:
            advice[name] += f", or call it {close[0]}"
    return advice


_SIDES = {"left": "left", "right": "right", "l": "left", "r": "right"}
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _canonical_name(name: str, others: Sequence[str]) -> str:
    """Return the name as `left_<joint>` or `right_<joint>`, '' if no part of it names a side."""
    words = [word.lower() for word in re.split(r"[\W_]+", _WORD_STARTS.sub("_", name)) if word]
    for place, word in enumerate(words):
        rest = "_".join(words[:place] + words[place + 1 :])
        if rest and word in _SIDES:
            return f"{_SIDES[word]}_{rest}"
    for place, word in enumerate(words):  # misspelt: only if the partner is spelt correctly
        rest = "_".join(words[:place] + words[place + 1 :])
        for side, other in (("left", "right"), ("right", "left")):
            if f"{other}_{rest}" in others and get_close_matches(word, [side], cutoff=0.75):
                return f"{side}_{rest}"
    if name[:1] in "lrLR" and len(name) > 1:  # lwrist and rwrist
        partner = {"l": "r", "r": "l", "L": "R", "R": "L"}[name[0]] + name[1:]
        return f"{_SIDES[name[0].lower()]}_{name[1:].strip('_').lower()}" if partner in others else ""
    return ""

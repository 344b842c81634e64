"""Which joints belong to the upper and which to the lower half of the body: by their names, else by their neighbours.

    words   a joint is called by one of the words below: `left_knee`, `RKnee`, `lknee`, `knees` are all of the lower half
    limbs   a joint without such a word takes the half of the nearest joints that have one, counted in limbs; where both halves
            are equally near (`spine`, between neck and pelvis), or nothing is connected, it belongs to neither

No joint is known by its number, so that any skeleton with English names has its halves. One whose names say nothing has none.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from posescope.skeleton import Skeleton

__all__ = ["BodyHalves", "halves_of"]

log = logging.getLogger(__name__)

UPPER_WORDS = {
    "head", "face", "nose", "eye", "ear", "mouth", "chin", "jaw", "neck", "throat", "shoulder", "collar", "clavicle", "chest",
    "thorax", "arm", "elbow", "forearm", "wrist", "hand", "palm", "finger", "thumb",
}  # fmt: skip
LOWER_WORDS = {"pelvis", "hip", "thigh", "leg", "knee", "shin", "calf", "ankle", "foot", "feet", "heel", "toe"}


@dataclass(frozen=True)
class BodyHalves:
    """Joint numbers of both halves, ascending; hips count as lower, as in the published half-body augmentation."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]

    def __bool__(self) -> bool:
        """Whether there are two halves."""
        return bool(self.upper and self.lower)


@cache
def halves_of(skeleton: Skeleton) -> BodyHalves:
    """The halves of a skeleton by the rule above. If one is empty, a warning is logged, once a skeleton."""
    named = {joint: half for joint, name in enumerate(skeleton.joints) if (half := _half_by_words(name))}
    halves = [named.get(joint) or _half_by_limbs(skeleton, joint, named) for joint in range(len(skeleton))]
    upper, lower = (tuple(joint for joint, half in enumerate(halves) if half == wanted) for wanted in ("upper", "lower"))
    found = BodyHalves(upper, lower)
    if not found:
        log.warning(
            "half_body leaves everybody as they are: the names of the joints show no %s half. Joints: %s. Call them by the "
            "parts of the body in English, or do without half_body.",
            "lower" if upper else "upper" if lower else "upper and no lower", ", ".join(skeleton.joints),
        )  # fmt: skip
    return found


def _half_by_words(name: str) -> str | None:
    """The half whose words stand in a name; None if none does, or words of both."""
    tokens = [
        token.lower() for token in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", re.sub(r"([A-Z])(?=[A-Z][a-z])", r"\1_", name))
    ]
    halves = {half for token in tokens if (half := _half_of_token(token))}
    return halves.pop() if len(halves) == 1 else None


def _half_of_token(token: str) -> str | None:
    """A token is a word, its plural, or a side written together with it (`lknee`, `leftknee`)."""
    core = re.sub(r"^(left|right|l|r)(?=.)", "", token)
    spellings = {token, core, token.removesuffix("s"), core.removesuffix("s")}
    if spellings & UPPER_WORDS:
        return "upper"
    return "lower" if spellings & LOWER_WORDS else None


def _half_by_limbs(skeleton: Skeleton, joint: int, named: Mapping[int, str]) -> str | None:
    """The half of the nearest named joints, if they agree."""
    seen, ring = {joint}, {joint}
    while ring:
        near = {end for limb in skeleton.limbs for end in limb if ring & set(limb)}
        ring = near - seen
        seen |= ring
        halves = {named[end] for end in ring if end in named}
        if halves:
            return halves.pop() if len(halves) == 1 else None
    return None

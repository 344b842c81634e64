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
from typing import ClassVar

import torch
from pydantic import Field
from torch import Generator, Tensor

from posescope.core.plugins import Options
from posescope.core.skeleton import Skeleton
from posescope.geometry.warping import fit_boxes, lies_inside
from posescope.training.augmentation.plan import AugmentationPlan

__all__ = ["BodyHalves", "find_body_halves", "HalfBody", "HalfBodyOptions"]

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
def find_body_halves(skeleton: Skeleton) -> BodyHalves:
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


# MERGED from half_body: Component `half_body`: show a person's upper or lower half alone, as in photographs that cut
# people off.
#
# The half's labelled joints are put into the middle of the crop and enlarged until they fill it but for a margin. What
# lies outside
# of the crop then is gone for the loss, as after any other move. Published with HRNet; the defaults follow mmpose's.
# There the half
# is cut anew from the image; here the pixels are those of the crop, so that enlarging is bounded.


class HalfBodyOptions(Options):
    """Options of `half_body`; a labelled joint counts while it lies in the crop."""

    probability: float = Field(default=0.3, ge=0, le=1, description="Share of the persons with joints enough that are halved")
    upper_probability: float = Field(default=0.7, ge=0, le=1, description="Share of upper halves where both halves can be shown")
    min_labelled_fraction: float = Field(
        default=0.5, ge=0, lt=1, description="More than this share of a person's joints must be labelled"
    )
    min_joints: int = Field(default=3, ge=2, description="Labelled joints that a half must have to be shown")
    padding: float = Field(default=1.5, ge=1, description="Side of what is shown, over the longer side of the half's joints' box")
    max_zoom: float = Field(default=2.0, ge=1, description="Largest enlargement; beyond it the crop has no detail to show")


class HalfBody:
    """Component `half_body`; for skeletons without halves (see `body_halves`) it does nothing, with a warning."""

    Options: ClassVar[type[Options]] = HalfBodyOptions

    def __init__(self, options: HalfBodyOptions) -> None:
        self.options = options

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """See `Augmentation`."""
        # Drawn for all persons, whether or not they can be halved: a person's numbers do not depend on its neighbours.
        draws = torch.rand(len(plan), 2, generator=generator, dtype=torch.float64)
        halves = find_body_halves(plan.skeleton)
        if not halves:
            return plan
        joints = plan.moved_joints()
        here = (plan.visibility > 0) & lies_inside(joints, plan.crop_size)
        upper, lower = self._shown(here, halves, draws[:, 1] < self.options.upper_probability)
        shown = torch.where(upper.unsqueeze(1), _mask(halves.upper, here), _mask(halves.lower, here))
        chosen = (draws[:, 0] < self.options.probability) & (upper | lower)
        chosen &= here.double().mean(dim=1) > self.options.min_labelled_fraction
        moves = fit_boxes(*_boxes(joints, shown), plan.crop_size, self.options.padding, self.options.max_zoom)
        return plan.then_move(torch.where(chosen.view(-1, 1, 1), moves, torch.eye(2, 3, dtype=torch.float64)))

    def _shown(self, here: Tensor, halves: BodyHalves, prefer_upper: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) bool each: whose upper, and whose lower half is to be shown; neither where neither has joints enough."""
        upper, lower = (_mask(half, here).sum(dim=1) >= self.options.min_joints for half in (halves.upper, halves.lower))
        return upper & (prefer_upper | ~lower), lower & ~(prefer_upper & upper)


def _mask(half: tuple[int, ...], here: Tensor) -> Tensor:
    """(N, K) bool: joints of a half that are there."""
    of_half = torch.zeros(here.shape[1], dtype=torch.bool)
    of_half[list(half)] = True
    return here & of_half


def _boxes(joints: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
    """(N, K, 2), (N, K) -> lowest and highest corners (N, 2) of the shown joints; of no joint, 0 and 0."""
    absent = ~shown.unsqueeze(-1)
    low = joints.masked_fill(absent, torch.inf).amin(dim=1)
    high = joints.masked_fill(absent, -torch.inf).amax(dim=1)
    return low.nan_to_num(posinf=0.0), high.nan_to_num(neginf=0.0)

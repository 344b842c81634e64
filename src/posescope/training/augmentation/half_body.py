"""Augmentation `half_body`: show only the upper or the lower half of a person, as in images that truncate persons.

The labelled joints of the half are centred in the crop and enlarged to fill it up to a margin. Joints outside the crop then have
no loss, as after any other map. Published with HRNet; the defaults are those of mmpose. mmpose crops the half from the image
again; here the pixels are those of the crop, so that the enlargement is bounded.

The halves of a skeleton follow from the names of its joints, not from their numbers:

    words   a joint name contains one of the words below: `left_knee`, `RKnee`, `lknee` and `knees` are in the lower half
    limbs   a joint without such a word is in the half of the nearest joints with one, counted in limbs; if both halves are
            equally near (`spine`, between neck and pelvis) or nothing is connected, it is in neither
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from pydantic import Field
from torch import Generator, Tensor

from posescope.core.plugins import Component, Options
from posescope.core.skeleton import Skeleton
from posescope.geometry.warping import fit_boxes, lies_inside
from posescope.training.augmentation.plan import AugmentationPlan

__all__ = ["BodyHalves", "HalfBody", "HalfBodyOptions", "find_body_halves"]

log = logging.getLogger(__name__)

UPPER_WORDS = {
    "head", "face", "nose", "eye", "ear", "mouth", "chin", "jaw", "neck", "throat", "shoulder", "collar", "clavicle", "chest",
    "thorax", "arm", "elbow", "forearm", "wrist", "hand", "palm", "finger", "thumb",
}  # fmt: skip
LOWER_WORDS = {"pelvis", "hip", "thigh", "leg", "knee", "shin", "calf", "ankle", "foot", "feet", "heel", "toe"}


@dataclass(frozen=True)
class BodyHalves:
    """Joint indices of both halves, ascending; hips are in the lower half, as in the published augmentation."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]

    def __bool__(self) -> bool:
        """Return whether both halves have joints."""
        return bool(self.upper and self.lower)


@cache
def find_body_halves(skeleton: Skeleton) -> BodyHalves:
    """Return the halves of a skeleton; if one is empty, log a warning, once per skeleton."""
    named = {joint: half for joint, name in enumerate(skeleton.joints) if (half := _half_by_words(name))}
    halves = [named.get(joint) or _half_by_limbs(skeleton, joint, named) for joint in range(len(skeleton))]
    upper, lower = (tuple(joint for joint, half in enumerate(halves) if half == wanted) for wanted in ("upper", "lower"))
    found = BodyHalves(upper, lower)
    if not found:
        log.warning(
            "half_body has no effect: the joint names contain no %s half. Joints: %s. Name them by English body parts, or remove "
            "half_body.",
            "lower" if upper else "upper" if lower else "upper and no lower", ", ".join(skeleton.joints),
        )  # fmt: skip
    return found


def _half_by_words(name: str) -> str | None:
    """Return the half of the words in a joint name; None for words of neither or of both."""
    tokens = [
        token.lower() for token in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", re.sub(r"([A-Z])(?=[A-Z][a-z])", r"\1_", name))
    ]
    halves = {half for token in tokens if (half := _half_of_token(token))}
    return halves.pop() if len(halves) == 1 else None


def _half_of_token(token: str) -> str | None:
    """Return the half of a token: a word, its plural, or a word with a side before it (`lknee`, `leftknee`)."""
    core = re.sub(r"^(left|right|l|r)(?=.)", "", token)
    spellings = {token, core, token.removesuffix("s"), core.removesuffix("s")}
    if spellings & UPPER_WORDS:
        return "upper"
    return "lower" if spellings & LOWER_WORDS else None


def _half_by_limbs(skeleton: Skeleton, joint: int, named: Mapping[int, str]) -> str | None:
    """Return the half of the nearest joints in `named`, if they agree."""
    seen, ring = {joint}, {joint}
    while ring:
        near = {end for limb in skeleton.limbs for end in limb if ring & set(limb)}
        ring = near - seen
        seen |= ring
        halves = {named[end] for end in ring if end in named}
        if halves:
            return halves.pop() if len(halves) == 1 else None
    return None


class HalfBodyOptions(Options):
    """Options of `half_body`; labelled joints count if they are in the crop."""

    probability: float = Field(default=0.3, ge=0, le=1, description="Fraction of the persons with enough joints to augment")
    upper_probability: float = Field(default=0.7, ge=0, le=1, description="Probability of the upper half where both are possible")
    min_labelled_fraction: float = Field(
        default=0.5, ge=0, lt=1, description="Fraction of a person's joints that must be exceeded by the labelled ones"
    )
    min_joints: int = Field(default=3, ge=2, description="Smallest number of labelled joints of a half")
    padding: float = Field(default=1.5, ge=1, description="Side of the crop over the longer side of the joints' box")
    max_zoom: float = Field(default=2.0, ge=1, description="Largest enlargement, beyond which the crop has no further detail")


class HalfBody(Component[HalfBodyOptions]):
    """Only the upper or the lower half of a person; no effect, with a warning, for skeletons without halves."""

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """See `Augmentation`."""
        # Sampled for all persons, so that the numbers of a person do not depend on the others.
        samples = torch.rand(len(plan), 2, generator=generator, dtype=torch.float64)
        halves = find_body_halves(plan.skeleton)
        if not halves:
            return plan
        joints = plan.moved_joints()
        present = (plan.visibility > 0) & lies_inside(joints, plan.crop_size)
        upper, lower = self._choose_halves(present, halves, samples[:, 1] < self.options.upper_probability)
        shown = torch.where(upper.unsqueeze(1), _mask(halves.upper, present), _mask(halves.lower, present))
        chosen = (samples[:, 0] < self.options.probability) & (upper | lower)
        chosen &= present.double().mean(dim=1) > self.options.min_labelled_fraction
        moves = fit_boxes(*_boxes(joints, shown), plan.crop_size, self.options.padding, self.options.max_zoom)
        return plan.then_move(torch.where(chosen.view(-1, 1, 1), moves, torch.eye(2, 3, dtype=torch.float64)))

    def _choose_halves(self, present: Tensor, halves: BodyHalves, prefer_upper: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N,) bool each for the upper and the lower half; both are False if neither has enough joints."""
        upper, lower = (_mask(half, present).sum(dim=1) >= self.options.min_joints for half in (halves.upper, halves.lower))
        return upper & (prefer_upper | ~lower), lower & ~(prefer_upper & upper)


def _mask(half: tuple[int, ...], present: Tensor) -> Tensor:
    """Return (N, K) bool: the present joints of a half."""
    of_half = torch.zeros(present.shape[1], dtype=torch.bool)
    of_half[list(half)] = True
    return present & of_half


def _boxes(joints: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
    """Return the corners (N, 2) of the boxes of the shown joints (N, K, 2), (N, K); 0 without joints."""
    absent = ~shown.unsqueeze(-1)
    low = joints.masked_fill(absent, torch.inf).amin(dim=1)
    high = joints.masked_fill(absent, -torch.inf).amax(dim=1)
    return low.nan_to_num(posinf=0.0), high.nan_to_num(neginf=0.0)

"""Component `half_body`: show a person's upper or lower half alone, as in photographs that cut people off.

The half's labelled joints are put into the middle of the crop and enlarged until they fill it but for a margin. What lies outside
of the crop then is gone for the loss, as after any other move. Published with HRNet; the defaults follow mmpose's. There the half
is cut anew from the image; here the pixels are those of the crop, so that enlarging is bounded.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Generator, Tensor

from posescope.geometry.batch import fit_boxes, lies_inside
from posescope.plugins import Options
from posescope.training.body_halves import BodyHalves, halves_of
from posescope.training.plan import AugmentationPlan

__all__ = ["HalfBody", "HalfBodyOptions"]


class HalfBodyOptions(Options):
    """Options of `half_body`; a labelled joint counts while it lies in the crop."""

    probability: float = Field(default=0.3, ge=0, le=1, description="Share of the persons with joints enough that are halved")
    upper_share: float = Field(default=0.7, ge=0, le=1, description="Share of upper halves where both halves can be shown")
    labelled_share: float = Field(
        default=0.5, ge=0, lt=1, description="More than this share of a person's joints must be labelled"
    )
    half_joints: int = Field(default=3, ge=2, description="Labelled joints that a half must have to be shown")
    padding: float = Field(default=1.5, ge=1, description="Side of what is shown, over the longer side of the half's joints' box")
    largest_zoom: float = Field(default=2.0, ge=1, description="Largest enlargement; beyond it the crop has no detail to show")


class HalfBody:
    """Component `half_body`; for skeletons without halves (see `body_halves`) it does nothing, with a warning."""

    Options: ClassVar[type[Options]] = HalfBodyOptions

    def __init__(self, options: HalfBodyOptions) -> None:
        self.options = options

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """See `Augmentation`."""
        # Drawn for all persons, whether or not they can be halved: a person's numbers do not depend on its neighbours.
        draws = torch.rand(len(plan), 2, generator=generator, dtype=torch.float64)
        halves = halves_of(plan.skeleton)
        if not halves:
            return plan
        joints = plan.moved_joints()
        here = (plan.visibility > 0) & lies_inside(joints, plan.crop_size)
        upper, lower = self._shown(here, halves, draws[:, 1] < self.options.upper_share)
        shown = torch.where(upper.unsqueeze(1), _mask(halves.upper, here), _mask(halves.lower, here))
        chosen = (draws[:, 0] < self.options.probability) & (upper | lower)
        chosen &= here.double().mean(dim=1) > self.options.labelled_share
        moves = fit_boxes(*_boxes(joints, shown), plan.crop_size, self.options.padding, self.options.largest_zoom)
        return plan.then_move(torch.where(chosen.view(-1, 1, 1), moves, torch.eye(2, 3, dtype=torch.float64)))

    def _shown(self, here: Tensor, halves: BodyHalves, prefer_upper: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) bool each: whose upper, and whose lower half is to be shown; neither where neither has joints enough."""
        upper, lower = (_mask(half, here).sum(dim=1) >= self.options.half_joints for half in (halves.upper, halves.lower))
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

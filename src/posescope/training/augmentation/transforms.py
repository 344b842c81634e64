"""Augmentations as components: each draws from a generator and adds to the plan of a batch (see `plan`).

Random numbers come from the CPU generator that is handed in, never from a global one: the same on every device and after
every resume.
"""

import math
from dataclasses import replace
from typing import ClassVar

import torch
from pydantic import Field
from torch import Generator, Tensor

from posescope.core.plugins import Options
from posescope.geometry.warping import mirror_matrix
from posescope.training.augmentation.plan import AugmentationPlan

__all__ = [
    "ColourJitter",
    "ColourJitterOptions",
    "Flip",
    "FlipOptions",
    "RotateScale",
    "RotateScaleOptions",
    "Translate",
    "TranslateOptions",
]

# ITU-R BT.601: how bright red, green and blue look.
LUMA = (0.299, 0.587, 0.114)
IDENTITY = torch.eye(2, 3, dtype=torch.float64)


class FlipOptions(Options):
    """Options of `flip`."""

    probability: float = Field(default=0.5, ge=0, le=1, description="Share of persons that are mirrored")


class Flip:
    """Component `flip`: mirror the person; left joints become right ones."""

    Options: ClassVar[type[Options]] = FlipOptions

    def __init__(self, options: FlipOptions) -> None:
        self.options = options

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """See `Augmentation`."""
        chosen = _chosen(generator, len(plan), self.options.probability)
        moved = plan.then_move(_where(chosen, mirror_matrix(plan.crop_size[1]), IDENTITY))
        return replace(moved, mirrored=plan.mirrored ^ chosen)


class RotateScaleOptions(Options):
    """Options of `rotate_scale`."""

    probability: float = Field(default=1.0, ge=0, le=1, description="Share of persons that are moved")
    rotation_deg: float = Field(default=30.0, ge=0, le=180, description="Largest rotation about the crop's centre, degrees")
    scale: float = Field(default=0.25, ge=0, lt=1, description="The size is multiplied by 1 - scale .. 1 + scale")


class RotateScale:
    """Component `rotate_scale`: rotate and scale about the crop's centre; both uniformly at random."""

    Options: ClassVar[type[Options]] = RotateScaleOptions

    def __init__(self, options: RotateScaleOptions) -> None:
        self.options = options

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """See `Augmentation`."""
        options, count = self.options, len(plan)
        chosen = _chosen(generator, count, options.probability)
        angle = _uniform(generator, count, 1)[:, 0] * math.radians(options.rotation_deg)
        scale = 1 + _uniform(generator, count, 1)[:, 0] * options.scale
        return plan.then_move(_where(chosen, _similarity(angle, scale, plan.crop_size), IDENTITY))


class TranslateOptions(Options):
    """Options of `translate`."""

    probability: float = Field(default=0.3, ge=0, le=1, description="Share of persons that are shifted")
    shift: float = Field(default=0.16, ge=0, le=1, description="Largest shift in x and in y, as a share of the crop's side")


class Translate:
    """Component `translate`: shift the person, uniformly at random.

    A component of its own, and no option of `rotate_scale`, because the published recipes shift fewer persons than they turn.
    The defaults are theirs (mmpose), but for the truncated normal distribution that they draw from.
    """

    Options: ClassVar[type[Options]] = TranslateOptions

    def __init__(self, options: TranslateOptions) -> None:
        self.options = options

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """See `Augmentation`."""
        options, count = self.options, len(plan)
        chosen = _chosen(generator, count, options.probability)
        side = torch.tensor([plan.crop_size[1], plan.crop_size[0]], dtype=torch.float64)
        shift = _uniform(generator, count, 2) * options.shift * side
        moves = torch.cat([IDENTITY[:, :2].expand(count, 2, 2), shift.unsqueeze(-1)], dim=-1)
        return plan.then_move(_where(chosen, moves, IDENTITY))


class ColourJitterOptions(Options):
    """Options of `colour_jitter`; every strength s draws a factor from 1 - s .. 1 + s."""

    probability: float = Field(default=0.8, ge=0, le=1, description="Share of persons whose colours are changed")
    brightness: float = Field(default=0.2, ge=0, lt=1, description="Strength of the factor of all values")
    contrast: float = Field(default=0.2, ge=0, lt=1, description="Strength of the factor of the distance to middle grey")
    saturation: float = Field(default=0.2, ge=0, le=1, description="Strength of the factor of the distance to the pixel's grey")
    channel: float = Field(default=0.1, ge=0, lt=1, description="Strength of a factor of each of R, G and B alone")


class ColourJitter:
    """Component `colour_jitter`: brightness, contrast, saturation and tint, as one linear map of RGB a person."""

    Options: ClassVar[type[Options]] = ColourJitterOptions

    def __init__(self, options: ColourJitterOptions) -> None:
        self.options = options

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """See `Augmentation`."""
        options, count = self.options, len(plan)
        chosen = _chosen(generator, count, options.probability)
        draws = _uniform(generator, count, 6).float()
        contrast, saturation = 1 + draws[:, 0] * options.contrast, 1 + draws[:, 1] * options.saturation
        gains = (1 + draws[:, 2:3] * options.brightness) * (1 + draws[:, 3:] * options.channel)
        grey = torch.tensor(LUMA).expand(3, 3)
        mixed = saturation.view(-1, 1, 1) * torch.eye(3) + (1 - saturation).view(-1, 1, 1) * grey
        linear = (gains * contrast.unsqueeze(1)).unsqueeze(-1) * mixed
        offset = (0.5 * (1 - contrast)).view(-1, 1, 1).expand(count, 3, 1)
        drawn = torch.cat([linear, offset], dim=-1)
        return replace(plan, colour=_where(chosen, _after(drawn, plan.colour), plan.colour))


def _similarity(angle: Tensor, scale: Tensor, crop_size: tuple[int, int]) -> Tensor:
    """(N,) radians, (N,) factors -> (N, 2, 3) px about the crop's centre."""
    height, width = crop_size
    centre = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    linear = torch.stack([torch.stack([cos, -sin], dim=-1), torch.stack([sin, cos], dim=-1)], dim=-2)
    offset = centre - linear @ centre
    return torch.cat([linear, offset.unsqueeze(-1)], dim=-1)


def _after(second: Tensor, first: Tensor) -> Tensor:
    """Two colour maps (N, 3, 4) one after the other, as one."""
    linear, offset = second[..., :3], second[..., 3:]
    return torch.cat([linear @ first[..., :3], linear @ first[..., 3:] + offset], dim=-1)


def _chosen(generator: Generator, count: int, probability: float) -> Tensor:
    return torch.rand(count, generator=generator, dtype=torch.float64) < probability


def _uniform(generator: Generator, count: int, columns: int) -> Tensor:
    """(count, columns) float64 in -1..1."""
    return torch.rand(count, columns, generator=generator, dtype=torch.float64) * 2 - 1


def _where(chosen: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(chosen.view(-1, 1, 1), yes, no)

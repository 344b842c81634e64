"""Augmentations `flip`, `rotate_scale`, `translate` and `colour_jitter`: each samples parameters and adds them to a plan."""

import math
from dataclasses import replace

import torch
from pydantic import Field
from torch import Generator, Tensor

from posescope.core.plugins import Component, Options
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

# Luma coefficients of R, G and B (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
IDENTITY = torch.eye(2, 3, dtype=torch.float64)


class FlipOptions(Options):
    """Options of `flip`."""

    probability: float = Field(default=0.5, ge=0, le=1, description="Fraction of persons that are flipped")


class Flip(Component[FlipOptions]):
    """Horizontal flip, with left and right joints exchanged."""

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """See `Augmentation`."""
        chosen = _choose(generator, len(plan), self.options.probability)
        moved = plan.then_move(_where(chosen, mirror_matrix(plan.crop_size[1]), IDENTITY))
        return replace(moved, mirrored=plan.mirrored ^ chosen)


class RotateScaleOptions(Options):
    """Options of `rotate_scale`."""

    probability: float = Field(default=1.0, ge=0, le=1, description="Fraction of persons that are rotated and scaled")
    rotation_deg: float = Field(default=30.0, ge=0, le=180, description="Largest rotation about the centre of the crop, degrees")
    scale: float = Field(default=0.25, ge=0, lt=1, description="Scale factors are between 1 - scale and 1 + scale")


class RotateScale(Component[RotateScaleOptions]):
    """Rotation and scaling about the centre of the crop, both sampled uniformly."""

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """See `Augmentation`."""
        options, count = self.options, len(plan)
        chosen = _choose(generator, count, options.probability)
        angle = _sample_uniform(generator, count, 1)[:, 0] * math.radians(options.rotation_deg)
        scale = 1 + _sample_uniform(generator, count, 1)[:, 0] * options.scale
        return plan.then_move(_where(chosen, _similarity(angle, scale, plan.crop_size), IDENTITY))


class TranslateOptions(Options):
    """Options of `translate`."""

    probability: float = Field(default=0.3, ge=0, le=1, description="Fraction of persons that are shifted")
    shift: float = Field(default=0.16, ge=0, le=1, description="Largest shift in x and in y, as a fraction of the crop's side")


class Translate(Component[TranslateOptions]):
    """Shift, sampled uniformly.

    It is separate from `rotate_scale` because published recipes shift fewer persons than they rotate. The defaults are those of
    mmpose, which samples from a truncated normal distribution.
    """

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """See `Augmentation`."""
        options, count = self.options, len(plan)
        chosen = _choose(generator, count, options.probability)
        side = torch.tensor([plan.crop_size[1], plan.crop_size[0]], dtype=torch.float64)
        shift = _sample_uniform(generator, count, 2) * options.shift * side
        moves = torch.cat([IDENTITY[:, :2].expand(count, 2, 2), shift.unsqueeze(-1)], dim=-1)
        return plan.then_move(_where(chosen, moves, IDENTITY))


class ColourJitterOptions(Options):
    """Options of `colour_jitter`; a strength s samples a factor from 1 - s .. 1 + s."""

    probability: float = Field(default=0.8, ge=0, le=1, description="Fraction of persons whose colours change")
    brightness: float = Field(default=0.2, ge=0, lt=1, description="Strength for the factor of all values")
    contrast: float = Field(default=0.2, ge=0, lt=1, description="Strength for the factor of the distance to mid grey")
    saturation: float = Field(default=0.2, ge=0, le=1, description="Strength for the factor of the distance to the px's grey")
    channel: float = Field(default=0.1, ge=0, lt=1, description="Strength for separate factors of R, G and B")


class ColourJitter(Component[ColourJitterOptions]):
    """Brightness, contrast, saturation and tint, as one linear map of RGB per person."""

    def __call__(self, generator: Generator, plan: AugmentationPlan) -> AugmentationPlan:
        """See `Augmentation`."""
        options, count = self.options, len(plan)
        chosen = _choose(generator, count, options.probability)
        samples = _sample_uniform(generator, count, 6).float()
        contrast, saturation = 1 + samples[:, 0] * options.contrast, 1 + samples[:, 1] * options.saturation
        gains = (1 + samples[:, 2:3] * options.brightness) * (1 + samples[:, 3:] * options.channel)
        grey = torch.tensor(LUMA).expand(3, 3)
        mixed = saturation.view(-1, 1, 1) * torch.eye(3) + (1 - saturation).view(-1, 1, 1) * grey
        linear = (gains * contrast.unsqueeze(1)).unsqueeze(-1) * mixed
        offset = (0.5 * (1 - contrast)).view(-1, 1, 1).expand(count, 3, 1)
        jitter = torch.cat([linear, offset], dim=-1)
        return replace(plan, colour_matrix=_where(chosen, _after(jitter, plan.colour_matrix), plan.colour_matrix))


def _similarity(angle: Tensor, scale: Tensor, crop_size: tuple[int, int]) -> Tensor:
    """Return the maps (N, 2, 3) px about the centre of the crop by angles (N,) radians and factors (N,)."""
    height, width = crop_size
    centre = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    linear = torch.stack([torch.stack([cos, -sin], dim=-1), torch.stack([sin, cos], dim=-1)], dim=-2)
    offset = centre - linear @ centre
    return torch.cat([linear, offset.unsqueeze(-1)], dim=-1)


def _after(second: Tensor, first: Tensor) -> Tensor:
    """Return the colour map (N, 3, 4) that applies `first`, then `second`."""
    linear, offset = second[..., :3], second[..., 3:]
    return torch.cat([linear @ first[..., :3], linear @ first[..., 3:] + offset], dim=-1)


def _choose(generator: Generator, count: int, probability: float) -> Tensor:
    return torch.rand(count, generator=generator, dtype=torch.float64) < probability


def _sample_uniform(generator: Generator, count: int, columns: int) -> Tensor:
    """Sample (count, columns) float64 in -1..1."""
    return torch.rand(count, columns, generator=generator, dtype=torch.float64) * 2 - 1


def _where(chosen: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(chosen.view(-1, 1, 1), yes, no)

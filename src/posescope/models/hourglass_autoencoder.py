"""Hourglass with an autoencoder after the bottleneck, so that the coarsest level passes through a short code.

    ... level4 ─ bottleneck ─ encoder ─ code ─ decoder ─ restored ─ upsample ...

The skip connections bypass the code. All other weights have the names of the plain hourglass, so that a network can be composed
of a trained hourglass and an autoencoder that was trained on its features. The thesis's autoencoder, for 256 channels of 4x4 px
(1,578,994 parameters):

    256x4x4 ─ 3x3 192 ─ 3x3 128 ─ 3x3 64 ─ linear 1024 -> 50 ─> code
    256x4x4 <─ 3x3 256 ─ 3x3 192 ─ 3x3 128 ─ linear 50 -> 1024 <─ code

A ReLU follows each layer but the last, whose output has both signs.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from posescope.core.plugins import Options
from posescope.models.blocks import initialise_glorot
from posescope.models.hourglass import STRIDE, BottleneckTransform, Hourglass, HourglassOptions

__all__ = ["Autoencoder", "AutoencoderOptions", "HourglassAutoencoder", "HourglassAutoencoderOptions"]


class AutoencoderOptions(Options):
    """Options of the autoencoder; the defaults are those of the thesis."""

    channels: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(
        default=(192, 128, 64), min_length=1, max_length=6, description="Output channels of the 3x3 convolutions of the encoder"
    )
    code_size: int = Field(default=50, ge=1, le=4096, description="Length of the code")
    code_activation: Literal["relu", "none"] = Field(
        default="relu", description="Activation function of the code; with relu it is not negative"
    )


class Autoencoder(nn.Module):
    """Encoder and decoder of features (N, C, h, w); the code is (N, D, 1, 1), so that it can be handled like features."""

    def __init__(self, options: AutoencoderOptions, in_channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.options = options
        widths = (in_channels, *options.channels)
        deepest = (widths[-1], *size)
        numbers = widths[-1] * size[0] * size[1]
        self.encoder = nn.Sequential(*_convolutions(widths), nn.ReLU(), nn.Flatten(), nn.Linear(numbers, options.code_size))
        self.activation = nn.ReLU() if options.code_activation == "relu" else nn.Identity()
        self.code = nn.Unflatten(1, (options.code_size, 1, 1))
        self.decoder = nn.Sequential(
            nn.Linear(options.code_size, numbers), nn.ReLU(), nn.Unflatten(1, deepest), *_convolutions(widths[::-1])
        )
        initialise_glorot(self)

    def encode(self, features: Tensor) -> Tensor:
        """Return the codes (N, D, 1, 1) of features (N, C, h, w)."""
        code: Tensor = self.code(self.activation(self.encoder(features)))
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Return the features (N, C, h, w) of codes (N, D, 1, 1)."""
        features: Tensor = self.decoder(code.flatten(1))
        return features

    def forward(self, features: Tensor) -> Tensor:
        """Return the reconstruction (N, C, h, w) of features (N, C, h, w)."""
        return self.decode(self.encode(features))


def _convolutions(widths: Sequence[int]) -> list[nn.Module]:
    """Return 3x3 convolutions with these numbers of channels and ReLUs in between."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, kernel_size=3, padding=1), nn.ReLU()]
    return layers[:-1]


class HourglassAutoencoderOptions(HourglassOptions):
    """Options of the hourglass and of its autoencoder."""

    autoencoder: AutoencoderOptions = Field(
        default_factory=AutoencoderOptions, description="The autoencoder after the last bottleneck residual of each stack"
    )


class HourglassAutoencoder(Hourglass):
    """Stacked hourglass network with an autoencoder after each bottleneck.

    It has the layers of the hourglass and, after `stack{s}.bottleneck`, the output of the last bottleneck residual,
    `stack{s}.code` (N, D, 1, 1) and `stack{s}.restored`, from which the upper half of the stack continues.

    Raises:
        OptionsError: As for `Hourglass`.
    """

    Options: ClassVar[type[Options]] = HourglassAutoencoderOptions
    layers_within_bottleneck: ClassVar[Mapping[str, str]] = {
        "code": "autoencoders.{index}.code",
        "restored": "autoencoders.{index}",
    }

    def __init__(self, options: HourglassAutoencoderOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        super().__init__(options, crop_size, joint_count)
        divisor = STRIDE * 2**options.depth
        size = (crop_size[0] // divisor, crop_size[1] // divisor)
        stacks = range(options.stacks)
        self.autoencoders = nn.ModuleList(Autoencoder(options.autoencoder, options.channels, size) for _ in stacks)

    def bottleneck_transform(self, stack: int) -> BottleneckTransform:
        """Return the function from features (N, C, h, w) of a stack to their reconstruction from the code."""
        return self.autoencoders[stack - 1]

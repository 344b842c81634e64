"""The study's autoencoder of the bottleneck: features of a person to a few numbers, and back.

With the study's options, for 256 channels of 4x4 cells (1,578,994 parameters):

    256x4x4 ─ 3x3 192 ─ 3x3 128 ─ 3x3 64 ─ linear 1024 -> 50 ─> code
    256x4x4 <─ 3x3 256 ─ 3x3 192 ─ 3x3 128 ─ linear 50 -> 1024 <─ code

A ReLU follows every layer but the last: the features that come back have either sign.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from posescope.models.blocks import initialise_glorot
from posescope.plugins import Options

__all__ = ["Autoencoder", "AutoencoderOptions"]


class AutoencoderOptions(Options):
    """Options of the autoencoder; the defaults are the study's."""

    channels: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(
        default=(192, 128, 64), min_length=1, max_length=6, description="Channels after each 3x3 convolution of the encoder"
    )
    code_size: int = Field(default=50, ge=1, le=4096, description="Numbers of the code")
    code_activation: Literal["relu", "none"] = Field(
        default="relu", description="What follows the linear layer that makes the code; with relu no number of it is negative"
    )


class Autoencoder(nn.Module):
    """Encoder and decoder of features (N, C, h, w); the code is (N, D, 1, 1), so that it is read and edited like features."""

    def __init__(self, options: AutoencoderOptions, in_channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.options = options
        widths = (in_channels, *options.channels)
        deepest = (widths[-1], *size)
        numbers = widths[-1] * size[0] * size[1]
        self.encoder = nn.Sequential(*_convolutions(widths), nn.ReLU(), nn.Flatten(), nn.Linear(numbers, options.code_size))
        self.activation = nn.ReLU() if options.code_activation == "relu" else nn.Identity()
        self.decoder = nn.Sequential(
            nn.Linear(options.code_size, numbers), nn.ReLU(), nn.Unflatten(1, deepest), *_convolutions(widths[::-1])
        )
        initialise_glorot(self)

    def encode(self, features: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, D, 1, 1)."""
        code: Tensor = self.activation(self.encoder(features))
        return code[:, :, None, None]

    def decode(self, code: Tensor) -> Tensor:
        """(N, D, 1, 1) -> (N, C, h, w)."""
        features: Tensor = self.decoder(code.flatten(1))
        return features

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) -> what the code keeps of it, (N, C, h, w)."""
        return self.decode(self.encode(features))


def _convolutions(widths: Sequence[int]) -> list[nn.Module]:
    """3x3 convolutions through these widths, a ReLU between any two."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, kernel_size=3, padding=1), nn.ReLU()]
    return layers[:-1]

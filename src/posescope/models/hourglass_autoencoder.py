"""The study's autoencoder of the bottleneck: features of a person to a few numbers, and back.

With the study's options, for 256 channels of 4x4 cells (1,578,994 parameters):

    256x4x4 ─ 3x3 192 ─ 3x3 128 ─ 3x3 64 ─ linear 1024 -> 50 ─> code
    256x4x4 <─ 3x3 256 ─ 3x3 192 ─ 3x3 128 ─ linear 50 -> 1024 <─ code

A ReLU follows every layer but the last: the features that come back have either sign.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import Options
from posescope.models.blocks import initialise_glorot
from posescope.models.hourglass import STRIDE, ActivationHook, BottleneckTransform, Hourglass, HourglassOptions

__all__ = ["Autoencoder", "AutoencoderOptions", "HourglassAutoencoder", "HourglassAutoencoderOptions", "load_parts"]


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


# MERGED from hourglass_autoencoder: The hourglass with an autoencoder in its bottleneck: all that passes the coarsest
# level passes through a few numbers.
#
#     ... level4 ─ bottleneck ─ encoder ─ code ─ decoder ─ restored ─ upsample ...
#
# What the skips carry goes round it, as before. All other weights have the names that they have in the plain hourglass,
# so
# that a network can be put together from a trained hourglass and an autoencoder that was trained on its features.


class HourglassAutoencoderOptions(HourglassOptions):
    """Options of the hourglass, and of its autoencoder."""

    autoencoder: AutoencoderOptions = Field(
        default_factory=AutoencoderOptions, description="The autoencoder behind the last bottleneck residual of each stack"
    )


class HourglassAutoencoder(Hourglass):
    """Component `hourglass_autoencoder`.

    Taps: those of the hourglass, and behind `stack{s}.bottleneck`, which is still what the last bottleneck residual puts
    out, `stack{s}.code` (N, D, 1, 1) and `stack{s}.restored`, what the upper half goes on from.

    Raises:
        OptionsError: as the hourglass does.
    """

    Options: ClassVar[type[Options]] = HourglassAutoencoderOptions
    layers_within_bottleneck: ClassVar[tuple[str, ...]] = ("code", "restored")

    def __init__(self, options: HourglassAutoencoderOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        super().__init__(options, crop_size, joint_count)
        divisor = STRIDE * 2**options.depth
        size = (crop_size[0] // divisor, crop_size[1] // divisor)
        stacks = range(options.stacks)
        self.autoencoders = nn.ModuleList(Autoencoder(options.autoencoder, options.channels, size) for _ in stacks)

    def bottleneck_transform(self, stack: int) -> BottleneckTransform:
        """(N, C, h, w) -> what the code of this stack keeps of it."""
        autoencoder = cast(Autoencoder, self.autoencoders[stack - 1])

        def restore(x: Tensor, tap: ActivationHook) -> Tensor:
            code = tap("code", autoencoder.encode(x))
            return tap("restored", autoencoder.decode(code))

        return restore


def load_parts(
    network: HourglassAutoencoder, hourglass: Mapping[str, Tensor], autoencoders: Sequence[Mapping[str, Tensor]]
) -> None:
    """Give a network the weights of a plain hourglass and of autoencoders that were trained apart; changes it in place.

    Args:
        network: with the same options as they have.
        hourglass: weights by name (`state_dict`) of a `hourglass`.
        autoencoders: likewise of an `Autoencoder`, one a stack.

    Raises:
        OptionsError: if a weight is missing, unknown or of another shape, or there is not one autoencoder a stack; the
            network is then left as it was.
    """
    if len(autoencoders) != len(network.autoencoders):
        raise OptionsError(f"Expected {len(network.autoencoders)} autoencoders, one a stack, found {len(autoencoders)}.")
    own = {f"autoencoders.{i}.{name}": value for i, weights in enumerate(autoencoders) for name, value in weights.items()}
    parts = {**hourglass, **own}
    expected = network.state_dict()
    faults = list(expected.keys() ^ parts.keys())
    faults += [name for name in expected.keys() & parts.keys() if expected[name].shape != parts[name].shape]
    if faults:
        shown = ", ".join(sorted(faults)[:5]) + (", ..." if len(faults) > 5 else "")
        raise OptionsError(
            f"The parts do not fit a network of these options; missing, unknown or of another shape: {shown}. "
            "Build it with the options of the hourglass and of the autoencoder."
        )
    network.load_state_dict(parts)

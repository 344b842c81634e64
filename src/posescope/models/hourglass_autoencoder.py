"""The hourglass with an autoencoder in its bottleneck: all that passes the coarsest level passes through a few numbers.

    ... level4 ─ bottleneck ─ encoder ─ code ─ decoder ─ restored ─ upsample ...

What the skips carry goes round it, as before. All other weights have the names that they have in the plain hourglass, so
that a network can be put together from a trained hourglass and an autoencoder that was trained on its features.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from pydantic import Field
from torch import Tensor, nn

from posescope.errors import OptionsError
from posescope.models.autoencoder import Autoencoder, AutoencoderOptions
from posescope.models.hourglass import STRIDE, AtBottleneck, Hourglass, HourglassOptions, Tap
from posescope.plugins import Options

__all__ = ["HourglassAutoencoder", "HourglassAutoencoderOptions", "load_parts"]


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
    taps_within_bottleneck: ClassVar[tuple[str, ...]] = ("code", "restored")

    def __init__(self, options: HourglassAutoencoderOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        super().__init__(options, crop_size, joint_count)
        divisor = STRIDE * 2**options.depth
        size = (crop_size[0] // divisor, crop_size[1] // divisor)
        stacks = range(options.stacks)
        self.autoencoders = nn.ModuleList(Autoencoder(options.autoencoder, options.channels, size) for _ in stacks)

    def within_bottleneck(self, stack: int) -> AtBottleneck:
        """(N, C, h, w) -> what the code of this stack keeps of it."""
        autoencoder = cast(Autoencoder, self.autoencoders[stack - 1])

        def restore(x: Tensor, tap: Tap) -> Tensor:
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

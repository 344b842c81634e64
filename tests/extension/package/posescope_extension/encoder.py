"""Encoder of two convolutions, for the network `encoder_decoder`."""

from pydantic import Field
from torch import Tensor, nn

from posescope.core.plugins import Options
from posescope.models.encoders.base import Encoder

__all__ = ["TwoScales", "TwoScalesOptions"]


class TwoScalesOptions(Options):
    """Options of `two_scales`."""

    channels: int = Field(8, ge=1, description="channels of both feature maps")


class TwoScales(Encoder):
    """Encoder with feature maps at strides 4 and 8."""

    Options = TwoScalesOptions

    def __init__(self, options: TwoScalesOptions) -> None:
        super().__init__(options)
        self.channels, self.strides = (options.channels,) * 2, (4, 8)
        self.fine = nn.Conv2d(3, options.channels, kernel_size=7, stride=4, padding=3)
        self.coarse = nn.Conv2d(options.channels, options.channels, kernel_size=3, stride=2, padding=1)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return maps (N, C, H / 4, W / 4) and (N, C, H / 8, W / 8)."""
        fine = self.fine(images).relu()
        return [fine, self.coarse(fine).relu()]

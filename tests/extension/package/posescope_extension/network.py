"""Network of two convolutions."""

from pydantic import Field
from torch import Tensor, nn

from posescope.core.plugins import Options
from posescope.models.base import PoseNetwork

__all__ = ["TwoLayers", "TwoLayersOptions"]


class TwoLayersOptions(Options):
    """Options of `two_layers`."""

    channels: int = Field(8, ge=1, description="channels between the two convolutions")


class TwoLayers(PoseNetwork):
    """Network of two convolutions with stride 4."""

    Options = TwoLayersOptions

    def __init__(self, options: TwoLayersOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        super().__init__()
        self.map_size = (crop_size[0] // 4, crop_size[1] // 4)
        self.middle = nn.Sequential(nn.Conv2d(3, options.channels, kernel_size=7, stride=4, padding=3), nn.ReLU())
        self.last = nn.Conv2d(options.channels, joint_count, kernel_size=3, padding=1)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map (N, 3, H, W) to one heatmap tensor (N, K, H / 4, W / 4)."""
        return [self.last(self.middle(images))]

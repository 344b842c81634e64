"""A network of two convolutions."""

from pydantic import Field
from torch import Tensor, nn

from posescope.core.plugins import Options
from posescope.models.base import Interventions, PoseNetwork

__all__ = ["TwoLayers", "TwoLayersOptions"]


class TwoLayersOptions(Options):
    """Options of `two_layers`."""

    channels: int = Field(8, ge=1, description="channels between the two convolutions")


class TwoLayers(PoseNetwork):
    """Two convolutions, a quarter of the crop's size."""

    Options = TwoLayersOptions

    def __init__(self, options: TwoLayersOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        super().__init__()
        self.map_size = (crop_size[0] // 4, crop_size[1] // 4)
        self.layer_names = ("middle",)
        self.bottleneck_layer = "middle"
        self.skip_layers = ()
        self.first = nn.Conv2d(3, options.channels, kernel_size=7, stride=4, padding=3)
        self.second = nn.Conv2d(options.channels, joint_count, kernel_size=3, padding=1)

    def forward(self, images: Tensor, interventions: Interventions | None = None) -> list[Tensor]:
        """(N, 3, H, W) -> one (N, K, H / 4, W / 4)."""
        middle = self.first(images).relu()
        if interventions and "middle" in interventions:
            middle = interventions["middle"](middle)
        return [self.second(middle)]

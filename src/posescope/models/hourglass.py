"""The stacked hourglass (Newell, Yang and Deng, ECCV 2016), of which the thesis's single hourglass is one configuration.

One stack of depth 2 with its named layers:

    stem ──┬─ skip1 ───────────────────────────────────── + ─ up1 ── head ──> heatmaps of this stack
      downsample                                       upsample
           └ level1 ┬─ skip2 ──────────────── + ─ up2 ────┘
               downsample                  upsample
                    └ level2 ─ bottleneck ────┘

The input of a further stack is the sum of the previous stack's input, features and heatmaps, the latter two after a 1x1
convolution. Each stack is supervised by the target heatmaps (intermediate supervision). Published networks, with C = 256:

    the thesis's     residual_skip="3x3", head="thesis"                    14,526,053 parameters for 17 joints, 30.2 GMAC
    Newell's code    stacks=8, bottleneck_residuals=2,                     23,717,888 parameters for 16 joints
                     stem_channels=(64, 128, 128), head_residual=False
    PyTorch port     stacks=8, bottleneck_residuals=2,                     25,594,624 parameters for 16 joints
    of it            stem_channels=(64, 128, 256)
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, TypeAlias, cast

from pydantic import Field
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import Options
from posescope.models.base import PausedPass, PoseNetwork
from posescope.models.blocks import IdentityPath, Residual, downsample, initialise_glorot, upsample

__all__ = ["STRIDE", "BottleneckTransform", "Hourglass", "HourglassOptions"]

# The stem downsamples the crop twice: crop px per heatmap px.
STRIDE = 4

SkipKind: TypeAlias = Literal["residual", "identity", "none"]
HeadKind: TypeAlias = Literal["newell", "thesis"]
StemWidth: TypeAlias = Annotated[int, Field(ge=4, le=1024, multiple_of=2)]
# Features (N, C, h, w) at the bottleneck -> features of the same shape.
BottleneckTransform: TypeAlias = Callable[[Tensor], Tensor]
# Input and features of a stack, both (N, C, H/4, W/4) -> input of the next stack, and heatmaps (N, K, H/4, W/4).
StackEnd: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class HourglassOptions(Options):
    """Options of the hourglass."""

    stacks: int = Field(default=1, ge=1, le=8, description="Number of hourglasses in sequence")
    channels: int = Field(default=256, ge=4, le=1024, multiple_of=2, description="Channels of the features (even)")
    stem_channels: StemWidth | tuple[StemWidth, StemWidth, StemWidth] | None = Field(
        default=None,
        description="Channels of the stem at half the crop's resolution (even); null: as `channels`; three numbers: after the "
        "convolution, the first residual (both at half the resolution) and the second residual (at a quarter)",
    )
    depth: int = Field(default=4, ge=1, le=6, description="Levels of an hourglass: how often the features are downsampled by 2")
    bottleneck_residuals: int = Field(default=3, ge=1, le=8, description="Residuals at the coarsest level")
    skip: SkipKind = Field(default="residual", description="Skip connections: with a residual, as identity, or none")
    residual_skip: IdentityPath = Field(
        default="identity_or_1x1", description="Identity path of all residuals; the thesis has a 3x3 convolution"
    )
    head: HeadKind = Field(
        default="newell",
        description="After the head's residual: newell = 1x1 to `channels`, BN, ReLU, 1x1 to K; thesis = 1x1 to K, BN, ReLU, 1x1",
    )
    head_residual: bool = Field(default=True, description="Whether the head begins with a residual; Newell's code has none")
    init: Literal["glorot_normal"] = Field(default="glorot_normal", description="Initialisation of the weights; biases are zero")


class Hourglass(PoseNetwork):
    """Stacked hourglass network (Newell, Yang and Deng, 2016).

    Short names of the layers of stack s and level l (1 is the finest): `stack{s}.skip{l}`, the skip connection;
    `stack{s}.level{l}`, after the residual that follows the downsampling; `stack{s}.bottleneck`, after the last bottleneck
    residual; `stack{s}.up{l}`, after the addition and its residual. A forward pass can be paused at the
    bottleneck of a stack and resumed with other features.

    Raises:
        OptionsError: The crop cannot be downsampled `depth` + 2 times.
    """

    Options: ClassVar[type[Options]] = HourglassOptions
    # Further layers of a stack after its bottleneck: module path by name, with the place {index} of the stack's index.
    layers_within_bottleneck: ClassVar[Mapping[str, str]] = {}

    def __init__(self, options: HourglassOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        super().__init__()
        _check_crop_size(crop_size, options.depth)
        self.map_size = (crop_size[0] // STRIDE, crop_size[1] // STRIDE)
        stacks = range(1, options.stacks + 1)
        local_names = _layers_of_a_stack(options, self.layers_within_bottleneck)
        self.short_names = {
            f"stack{stack}.{name}": path.format(index=stack - 1) for stack in stacks for name, path in local_names.items()
        }
        self.skip_layers = tuple(name for name in self.short_names if ".skip" in name)
        self.bottleneck_layer = f"stack{options.stacks}.bottleneck"
        self.head_layers = ("heads", "merge_heatmaps")

        self.stem = _Stem(options)
        self.hourglasses = nn.ModuleList(_Stack(options) for _ in stacks)
        self.heads = nn.ModuleList(_Head(options, joint_count) for _ in stacks)
        between = range(options.stacks - 1)
        self.merge_features = nn.ModuleList(nn.Conv2d(options.channels, options.channels, kernel_size=1) for _ in between)
        self.merge_heatmaps = nn.ModuleList(nn.Conv2d(joint_count, options.channels, kernel_size=1) for _ in between)
        initialise_glorot(self)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return heatmaps (N, K, H/4, W/4) of each stack, the prediction last; see `PoseNetwork.forward`."""
        x = self.stem(images)  # (N, C, H/4, W/4), as all tensors of this level
        _, outputs = self._run_stacks(range(1, len(self.hourglasses) + 1), x)
        return outputs

    def pause(self, images: Tensor, stack: int | None = None) -> PausedPass:
        """Run the forward pass up to the bottleneck of a stack.

        Args:
            images: (N, 3, H, W) float, mean RGB subtracted.
            stack: number of the stack, from 1; None: the last.

        Raises:
            OptionsError: The stack does not exist.
        """
        stack = len(self.hourglasses) if stack is None else stack
        if not 1 <= stack <= len(self.hourglasses):
            raise OptionsError(f"The network has {len(self.hourglasses)} stacks, numbered from 1; found stack {stack}.")
        x, outputs = self._run_stacks(range(1, stack), self.stem(images))
        bottleneck, skips = self._stack(stack).descend(x)
        return PausedPass(stack, tuple(outputs), x, tuple(skips), bottleneck)

    def resume(self, paused: PausedPass) -> list[Tensor]:
        """Return the outputs of `forward`, continued from a paused pass without computing its first part again.

        Replace the bottleneck (`dataclasses.replace`) to decode other features (M, C, h, w). The paused pass must be of M images,
        or of one image; then its skip connections are used for all M features. Outputs of earlier stacks are unchanged.
        """
        bottleneck = self.bottleneck_transform(paused.stack)(paused.bottleneck)
        features = self._stack(paused.stack).ascend(bottleneck, paused.skips)
        x, heatmaps = self._stack_end(paused.stack)(paused.stack_input, features)
        _, following = self._run_stacks(range(paused.stack + 1, len(self.hourglasses) + 1), x)
        return [*paused.outputs, heatmaps, *following]

    def compiled_parts(self) -> Sequence[nn.Module]:
        """Return the stem and the stacks; all stacks but the last, which has no successor, share one compilation."""
        return [self.stem, *self.hourglasses]

    def bottleneck_transform(self, stack: int) -> BottleneckTransform:
        """Return the function between the downsampling and the upsampling half of a stack (from 1): here the identity."""
        return _identity  # one function for all stacks, so that they share a compilation

    def _run_stacks(self, stacks: range, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the input of the stack after `stacks` and the heatmaps of each of them."""
        outputs: list[Tensor] = []
        for stack in stacks:
            x, heatmaps = self._stack(stack)(x, self.bottleneck_transform(stack), self._stack_end(stack))
            outputs.append(heatmaps)
        return x, outputs

    def _stack_end(self, stack: int) -> StackEnd:
        """Return the head of a stack with the merge for the next stack; the last stack returns x unchanged."""
        head, index = self.heads[stack - 1], stack - 1
        merges = (self.merge_features[index], self.merge_heatmaps[index]) if stack < len(self.hourglasses) else ()

        def end(x: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
            features, heatmaps = head(features)
            if merges:
                x = x + merges[0](features) + merges[1](heatmaps)
            return x, heatmaps

        return end

    def _stack(self, stack: int) -> "_Stack":
        return cast(_Stack, self.hourglasses[stack - 1])  # a ModuleList has no type of its modules


class _Stem(nn.Module):
    """(N, 3, H, W) -> (N, C, H/4, W/4)."""

    def __init__(self, options: HourglassOptions) -> None:
        super().__init__()
        (first, second, third), path = _stem_widths(options), options.residual_skip
        self.conv = nn.Conv2d(3, first, kernel_size=7, stride=2, padding=3)
        self.norm = nn.BatchNorm2d(first)
        self.residual1 = Residual(first, second, path)
        self.residual2 = Residual(second, third, path)
        self.residual3 = Residual(third, options.channels, path)

    def forward(self, images: Tensor) -> Tensor:
        x = self.norm(self.conv(images)).relu_()  # (N, C, H/2, W/2)
        x = downsample(self.residual1(x))  # (N, C, H/4, W/4)
        features: Tensor = self.residual3(self.residual2(x))
        return features


class _Stack(nn.Module):
    """One hourglass: (N, C, h, w) -> bottleneck -> (N, C, h, w). Lists are indexed by level - 1."""

    def __init__(self, options: HourglassOptions) -> None:
        super().__init__()
        levels = range(1, options.depth + 1)
        self.skips = nn.ModuleList(_make_skip(options) for _ in levels if options.skip != "none")
        self.downs = nn.ModuleList(_make_residual(options) for _ in levels)
        self.bottleneck = nn.Sequential(*(_make_residual(options) for _ in range(options.bottleneck_residuals)))
        # The head begins with the residual of the addition at the finest level.
        self.ups = nn.ModuleList(nn.Identity() if level == 1 else _make_residual(options) for level in levels)

    def forward(self, x: Tensor, bottleneck_transform: BottleneckTransform, end: StackEnd) -> tuple[Tensor, Tensor]:
        """Run the whole stack; a single method, so that it is compiled as one region."""
        bottleneck, skips = self.descend(x)  # (N, C, h / 2^depth, ...)
        return end(x, self.ascend(bottleneck_transform(bottleneck), skips))

    def descend(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the bottleneck and the activations of the skip connections, finest level first."""
        skips: list[Tensor] = []
        for level, down in enumerate(self.downs, start=1):
            if len(self.skips):
                skips.append(self.skips[level - 1](x))  # (N, C, h / 2^(level-1), ...)
            x = down(downsample(x))  # (N, C, h / 2^level, ...)
        return self.bottleneck(x), skips  # (N, C, h / 2^depth, ...)

    def ascend(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Return the features of the stack from its bottleneck and skip connections (empty without skips)."""
        for level in range(len(self.downs), 0, -1):
            x = upsample(x)  # (N, C, h / 2^(level-1), ...)
            if skips:
                x = x + skips[level - 1]
            x = self.ups[level - 1](x)
        return x


class _Head(nn.Module):
    """(N, C, h, w) -> features (N, C, h, w) for the next stack, and heatmaps (N, K, h, w)."""

    def __init__(self, options: HourglassOptions, joint_count: int) -> None:
        super().__init__()
        self.squeezes = options.head == "thesis"
        width = joint_count if self.squeezes else options.channels
        self.residual = _make_residual(options) if options.head_residual else nn.Identity()
        self.conv = nn.Conv2d(options.channels, width, kernel_size=1)
        self.norm = nn.BatchNorm2d(width)
        self.project = nn.Conv2d(width, joint_count, kernel_size=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features: Tensor = self.residual(x)
        activations = self.norm(self.conv(features)).relu_()
        # Newell's stacks pass on the input of the projection; in the thesis head it has only K channels.
        return (features if self.squeezes else activations), self.project(activations)


def _stem_widths(options: HourglassOptions) -> tuple[int, int, int]:
    if isinstance(options.stem_channels, tuple):
        return options.stem_channels
    width = options.stem_channels or options.channels
    return width, width, options.channels


def _make_residual(options: HourglassOptions) -> Residual:
    return Residual(options.channels, options.channels, options.residual_skip)


def _make_skip(options: HourglassOptions) -> nn.Module:
    return nn.Identity() if options.skip == "identity" else _make_residual(options)


def _identity(x: Tensor) -> Tensor:
    return x


def _layers_of_a_stack(options: HourglassOptions, within_bottleneck: Mapping[str, str]) -> dict[str, str]:
    """Return the module paths of a stack's layers by name, in the order of its forward pass."""
    paths: dict[str, str] = {}
    for level in range(1, options.depth + 1):
        if options.skip != "none":
            paths[f"skip{level}"] = f"hourglasses.{{index}}.skips.{level - 1}"
        paths[f"level{level}"] = f"hourglasses.{{index}}.downs.{level - 1}"
    paths |= {"bottleneck": "hourglasses.{index}.bottleneck", **within_bottleneck}
    return paths | {f"up{level}": f"hourglasses.{{index}}.ups.{level - 1}" for level in range(options.depth, 0, -1)}


def _check_crop_size(crop_size: tuple[int, int], depth: int) -> None:
    divisor = STRIDE * 2**depth
    if any(side <= 0 or side % divisor for side in crop_size):
        raise OptionsError(
            f"hourglass: a depth of {depth} needs a crop whose height and width are multiples of {divisor} px, "
            f"found {crop_size[0]}x{crop_size[1]}. Choose another crop size or a smaller depth."
        )

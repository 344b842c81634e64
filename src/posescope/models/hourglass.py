"""The stacked hourglass (Newell, Yang and Deng, ECCV 2016), with the study's single hourglass as one setting of its options.

One stack of depth 2; every letter is a place that can be tapped:

    stem ──┬─ skip1 ───────────────────────────────────── + ─ up1 ── head ──> heatmaps of this stack
         halve                                         upsample
           └ level1 ┬─ skip2 ──────────────── + ─ up2 ────┘
                  halve                    upsample
                    └ level2 ─ bottleneck ────┘

A further stack reads what the one before it read, plus its features and its heatmaps, each through a 1x1 convolution. Every
stack is trained on the heatmaps (intermediate supervision). Networks of others, with C = 256 channels:

    the study's      residual_skip="3x3", head="thesis"                    14,526,053 parameters for 17 joints, 30.2 GMAC
    Newell's code    stacks=8, bottleneck_residuals=2,                     23,717,888 parameters for 16 joints
                     stem_channels=(64, 128, 128), head_residual=False
    its common port  stacks=8, bottleneck_residuals=2,                     25,594,624 parameters for 16 joints
    to PyTorch       stem_channels=(64, 128, 256)
"""

from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar, Literal, TypeAlias, cast

from pydantic import Field
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import Options
from posescope.models.base import Interventions, PausedPass, PoseNetwork
from posescope.models.blocks import IdentityPath, Residual, downsample, initialise_glorot, upsample

__all__ = ["STRIDE", "BottleneckTransform", "Hourglass", "HourglassOptions", "ActivationHook"]

# The stem halves the crop twice: heatmaps are four times smaller than crops.
STRIDE = 4

SkipKind: TypeAlias = Literal["residual", "identity", "none"]
HeadKind: TypeAlias = Literal["newell", "thesis"]
StemWidth: TypeAlias = Annotated[int, Field(ge=4, le=1024, multiple_of=2)]
# A tap's name within its stack, and the value there -> what the pass goes on with.
ActivationHook: TypeAlias = Callable[[str, Tensor], Tensor]
# Features at the bottleneck, (N, C, h, w), and the stack's tap -> features of the same shape.
BottleneckTransform: TypeAlias = Callable[[Tensor, ActivationHook], Tensor]
# What a stack read and its features, both (N, C, H/4, W/4) -> what the next stack reads, and heatmaps (N, K, H/4, W/4).
LeadOn: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class HourglassOptions(Options):
    """Options of the hourglass."""

    stacks: int = Field(default=1, ge=1, le=8, description="Hourglasses one after the other")
    channels: int = Field(default=256, ge=4, le=1024, multiple_of=2, description="Channels of all features (even)")
    stem_channels: StemWidth | tuple[StemWidth, StemWidth, StemWidth] | None = Field(
        default=None,
        description="Channels of the stem at half the crop's size, where the stem costs most (even); null: as `channels`; "
        "three numbers: after its convolution, its first residual (both at half the size) and its second (at a quarter)",
    )
    depth: int = Field(default=4, ge=1, le=6, description="Levels of an hourglass: how often the features are halved")
    bottleneck_residuals: int = Field(default=3, ge=1, le=8, description="Residuals at the coarsest level")
    skip: SkipKind = Field(default="residual", description="What stands on the skips: a residual, nothing, or no skip at all")
    residual_skip: IdentityPath = Field(
        default="identity_or_1x1", description="Identity path of every residual; the study has a 3x3 convolution there"
    )
    head: HeadKind = Field(
        default="newell",
        description="After the head's residual: newell = 1x1 to `channels`, BN, ReLU, 1x1 to K; thesis = 1x1 to K, BN, ReLU, 1x1",
    )
    head_residual: bool = Field(default=True, description="Whether the head begins with a residual; Newell's own code has none")
    init: Literal["glorot_normal"] = Field(default="glorot_normal", description="How weights start; biases start at zero")


class Hourglass(PoseNetwork):
    """Component `hourglass`.

    Taps, for stack s and level l (1 is the finest): `stack{s}.skip{l}` after the skip's branch, `stack{s}.level{l}` after the
    residual that follows the halving, `stack{s}.bottleneck` after the last bottleneck residual, `stack{s}.up{l}` after the
    addition and its residual. A pass can be paused at a stack's bottleneck and resumed from another value there.

    Raises:
        OptionsError: if the crop cannot be halved `depth` + 2 times; or, in a forward pass, if an edit names no tap.
    """

    Options: ClassVar[type[Options]] = HourglassOptions
    layers_within_bottleneck: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: HourglassOptions, crop_size: tuple[int, int], joint_count: int) -> None:
        super().__init__()
        _check_crop_size(crop_size, options.depth)
        self.map_size = (crop_size[0] // STRIDE, crop_size[1] // STRIDE)
        stacks = range(1, options.stacks + 1)
        local_taps = _tap_names(options, self.layers_within_bottleneck)
        self.layer_names = tuple(f"stack{stack}.{tap}" for stack in stacks for tap in local_taps)
        self.skip_layers = tuple(f"stack{stack}.{tap}" for stack in stacks for tap in local_taps if tap.startswith("skip"))
        self.bottleneck_layer = f"stack{options.stacks}.bottleneck"

        self.stem = _Stem(options)
        self.hourglasses = nn.ModuleList(_Stack(options) for _ in stacks)
        self.heads = nn.ModuleList(_Head(options, joint_count) for _ in stacks)
        between = range(options.stacks - 1)
        self.merge_features = nn.ModuleList(nn.Conv2d(options.channels, options.channels, kernel_size=1) for _ in between)
        self.merge_heatmaps = nn.ModuleList(nn.Conv2d(joint_count, options.channels, kernel_size=1) for _ in between)
        initialise_glorot(self)

    def forward(self, images: Tensor, interventions: Interventions | None = None) -> list[Tensor]:
        """(N, 3, H, W) float, mean RGB subtracted -> one (N, K, H/4, W/4) a stack; the last one is the answer."""
        interventions = _check_edits(interventions, self.layer_names)
        x = self.stem(images)  # (N, C, H/4, W/4), as is everything at this level
        _, outputs = self._pass_stacks(range(1, len(self.hourglasses) + 1), x, interventions)
        return outputs

    def pause(self, images: Tensor, stack: int | None = None, interventions: Interventions | None = None) -> PausedPass:
        """The forward pass of (N, 3, H, W) images as far as the bottleneck of a stack.

        Args:
            images: float, mean RGB subtracted.
            stack: 1 is the first; none: the last.
            interventions: for taps up to that bottleneck, that one included.

        Raises:
            OptionsError: if there is no such stack, or an edit names no tap up to there.
        """
        stack = len(self.hourglasses) if stack is None else stack
        interventions = _check_edits(interventions, self._taps_around(stack)[0])
        x, outputs = self._pass_stacks(range(1, stack), self.stem(images), interventions)
        bottleneck, skips = self._stack(stack).descend(x, _make_tap(interventions, stack))
        return PausedPass(stack, tuple(outputs), x, tuple(skips), bottleneck)

    def resume(self, paused: PausedPass, interventions: Interventions | None = None) -> list[Tensor]:
        """Go on from a paused pass: the same outputs as `forward`, and nothing before the bottleneck is computed again.

        To decode other values, replace the bottleneck (`dataclasses.replace`): M values (M, C, h, w) go with a pass of one
        image, whose skips then serve all of them, or with one of M images. Outputs of the stacks before stay as they were.

        Args:
            paused: by `pause` of this network.
            interventions: for taps behind that bottleneck.

        Raises:
            OptionsError: if an edit names no tap behind it.
        """
        interventions = _check_edits(interventions, self._taps_around(paused.stack)[1])
        tap = _make_tap(interventions, paused.stack)
        bottleneck = self.bottleneck_transform(paused.stack)(paused.bottleneck, tap)
        features = self._stack(paused.stack).ascend(bottleneck, paused.skips, tap)
        x, heatmaps = self._lead_on(paused.stack)(paused.read, features)
        _, following = self._pass_stacks(range(paused.stack + 1, len(self.hourglasses) + 1), x, interventions)
        return [*paused.outputs, heatmaps, *following]

    def compiled_parts(self) -> Sequence[nn.Module]:
        """See `PoseNetwork`: the stem and the stacks; all stacks but the last, which leads on to none, are of one kind."""
        return [self.stem, *self.hourglasses]

    def bottleneck_transform(self, stack: int) -> BottleneckTransform:
        """What stands between the two halves of a stack (1 is the first): nothing here."""
        return _pass_features_on

    def _pass_stacks(self, stacks: range, x: Tensor, interventions: Interventions) -> tuple[Tensor, list[Tensor]]:
        """What the stack after these reads, and the heatmaps of each."""
        outputs: list[Tensor] = []
        for stack in stacks:
            tap = _make_tap(interventions, stack)
            x, heatmaps = self._stack(stack)(x, self.bottleneck_transform(stack), self._lead_on(stack), tap)
            outputs.append(heatmaps)
        return x, outputs

    def _lead_on(self, stack: int) -> LeadOn:
        """What follows a stack: its head, and what the next stack reads beside; if there is no next one, x stays as it was."""
        head, index = self.heads[stack - 1], stack - 1
        merges = (self.merge_features[index], self.merge_heatmaps[index]) if stack < len(self.hourglasses) else ()

        def lead_on(x: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
            features, heatmaps = head(features)
            if merges:
                x = x + merges[0](features) + merges[1](heatmaps)
            return x, heatmaps

        return lead_on

    def _stack(self, stack: int) -> "_Stack":
        return cast(_Stack, self.hourglasses[stack - 1])  # a ModuleList forgets what its modules are

    def _taps_around(self, stack: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The taps up to the bottleneck of a stack, that one included, and those behind it."""
        if not 1 <= stack <= len(self.hourglasses):
            raise OptionsError(f"The network has {len(self.hourglasses)} stacks, the first is 1: there is no stack {stack}.")
        split = self.layer_names.index(f"stack{stack}.bottleneck") + 1
        return self.layer_names[:split], self.layer_names[split:]


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
    """One hourglass in two halves: (N, C, h, w) -> bottleneck -> (N, C, h, w). Lists are indexed by level - 1."""

    def __init__(self, options: HourglassOptions) -> None:
        super().__init__()
        levels = range(1, options.depth + 1)
        self.skips = nn.ModuleList(_make_skip(options) for _ in levels if options.skip != "none")
        self.downs = nn.ModuleList(_make_residual(options) for _ in levels)
        self.bottleneck = nn.Sequential(*(_make_residual(options) for _ in range(options.bottleneck_residuals)))
        # The addition at the finest level has no residual of its own: the head begins with one.
        self.ups = nn.ModuleList(nn.Identity() if level == 1 else _make_residual(options) for level in levels)

    def forward(
        self, x: Tensor, bottleneck_transform: BottleneckTransform, lead_on: LeadOn, tap: ActivationHook
    ) -> tuple[Tensor, Tensor]:
        """Down, up, and on to the next stack, as one, so that it can be compiled as one."""
        bottleneck, skips = self.descend(x, tap)  # (N, C, h / 2^depth, ...)
        return lead_on(x, self.ascend(bottleneck_transform(bottleneck, tap), skips, tap))

    def descend(self, x: Tensor, tap: ActivationHook) -> tuple[Tensor, list[Tensor]]:
        """The way down: the bottleneck, and what the skips carry, the finest level first."""
        skips: list[Tensor] = []
        for level, down in enumerate(self.downs, start=1):
            if len(self.skips):
                skips.append(tap(f"skip{level}", self.skips[level - 1](x)))  # (N, C, h / 2^(level-1), ...)
            x = tap(f"level{level}", down(downsample(x)))  # (N, C, h / 2^level, ...)
        return tap("bottleneck", self.bottleneck(x)), skips  # (N, C, h / 2^depth, ...)

    def ascend(self, x: Tensor, skips: Sequence[Tensor], tap: ActivationHook) -> Tensor:
        """The way up, from a bottleneck and what the skips carry (nothing, if there are none)."""
        for level in range(len(self.downs), 0, -1):
            x = upsample(x)  # (N, C, h / 2^(level-1), ...)
            if skips:
                x = x + skips[level - 1]
            x = tap(f"up{level}", self.ups[level - 1](x))
        return x


class _Head(nn.Module):
    """(N, C, h, w) -> the features that a further stack reads, (N, C, h, w), and heatmaps, (N, K, h, w)."""

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
        read = self.norm(self.conv(features)).relu_()
        # Newell's stacks pass on what the projection reads; the thesis head has squeezed that to K channels already.
        return (features if self.squeezes else read), self.project(read)


def _stem_widths(options: HourglassOptions) -> tuple[int, int, int]:
    if isinstance(options.stem_channels, tuple):
        return options.stem_channels
    width = options.stem_channels or options.channels
    return width, width, options.channels


def _make_residual(options: HourglassOptions) -> Residual:
    return Residual(options.channels, options.channels, options.residual_skip)


def _make_skip(options: HourglassOptions) -> nn.Module:
    return nn.Identity() if options.skip == "identity" else _make_residual(options)


def _make_tap(interventions: Interventions, stack: int) -> ActivationHook:
    if not interventions:
        return _pass_tap_on  # the same for each stack, so that what is compiled serves all

    def tap(name: str, value: Tensor) -> Tensor:
        edit = interventions.get(f"stack{stack}.{name}")
        return value if edit is None else edit(value)

    return tap


def _pass_tap_on(_name: str, value: Tensor) -> Tensor:
    return value


def _pass_features_on(x: Tensor, _tap: ActivationHook) -> Tensor:
    return x


def _tap_names(options: HourglassOptions, bottleneck_transform: tuple[str, ...]) -> tuple[str, ...]:
    """Names within one stack, in the order of its forward pass."""
    levels = range(1, options.depth + 1)
    places = ("level",) if options.skip == "none" else ("skip", "level")
    down = tuple(f"{place}{level}" for level in levels for place in places)
    return (*down, "bottleneck", *bottleneck_transform, *(f"up{level}" for level in reversed(levels)))


def _check_edits(interventions: Interventions | None, taps: tuple[str, ...]) -> Interventions:
    unknown = sorted(set(interventions or ()) - set(taps))
    if unknown:
        raise OptionsError(f"The network has no tap {', '.join(unknown)} here. Its taps are: {', '.join(taps)}.")
    return interventions or {}


def _check_crop_size(crop_size: tuple[int, int], depth: int) -> None:
    divisor = STRIDE * 2**depth
    if any(side <= 0 or side % divisor for side in crop_size):
        raise OptionsError(
            f"hourglass: a depth of {depth} needs a crop whose height and width are multiples of {divisor} px, "
            f"found {crop_size[0]}x{crop_size[1]}. Choose another crop size or a smaller depth."
        )

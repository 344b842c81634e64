"""The building blocks of the hourglass: a pre-activation residual, resampling by two, and how weights start.

A residual with `channels` C (`identity_or_1x1` on the left, `3x3`, as the study has it, on the right):

    x ──┬─ BN ReLU 1x1 C/2 ─ BN ReLU 3x3 C/2 ─ BN ReLU 1x1 C ─ + ──>      x ──┬─ ... the same ... ─ + ──>
        └──────────────── nothing (1x1 if C changes) ──────────┘              └─────── 3x3 C ───────┘
"""

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["IdentityPath", "Residual", "downsample", "initialise_glorot", "upsample"]

IdentityPath: TypeAlias = Literal["identity_or_1x1", "3x3"]


class Residual(nn.Module):
    """Pre-activation bottleneck residual: (BN, ReLU, convolution) three times, added to the identity path.

    He et al., "Identity mappings in deep residual networks" (ECCV 2016), in the form of Newell et al., "Stacked hourglass
    networks" (ECCV 2016), figure 4 left. Convolutions have biases.
    """

    def __init__(self, in_channels: int, out_channels: int, identity_path: IdentityPath) -> None:
        super().__init__()
        middle = out_channels // 2
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, middle, kernel_size=1)
        self.norm2 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, kernel_size=3, padding=1)
        self.norm3 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, out_channels, kernel_size=1)
        self.identity = _make_identity(in_channels, out_channels, identity_path)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H, W)."""
        # In place is safe: each ReLU overwrites only what the batch norm before it has just made.
        y = self.conv1(F.relu(self.norm1(x), inplace=True))
        y = self.conv2(F.relu(self.norm2(y), inplace=True))
        y = self.conv3(F.relu(self.norm3(y), inplace=True))
        summed: Tensor = y + self.identity(x)
        return summed


def downsample(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, H/2, W/2): the largest of each two by two cells."""
    return F.max_pool2d(x, kernel_size=2)


def upsample(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, 2H, 2W): each cell four times (nearest neighbour)."""
    if torch.is_grad_enabled() and torch.compiler.is_dynamo_compiling():
        upsampled: Tensor = _UpsampleTwice.apply(x)  # type: ignore[no-untyped-call]
        return upsampled
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class _UpsampleTwice(torch.autograd.Function):
    """The same with a backward pass that says outright that it sums four cells.

    Left to itself, torch.compile takes a scattered addition for it, which in deterministic mode sorts every cell's address: more
    than half of a training step on an H200 (docs/decisions/0020).
    """

    @staticmethod
    def forward(_context: Any, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest")

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        return 4 * F.avg_pool2d(gradients[0], kernel_size=2)


def initialise_glorot(network: nn.Module) -> None:
    """Start convolutions and linear layers with Glorot-normal weights, zero biases; batch norms keep scale 1 and shift 0.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010), equation 16 as a
    normal distribution. Draws from torch's global generator: seed it first.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _make_identity(in_channels: int, out_channels: int, identity_path: IdentityPath) -> nn.Module:
    if identity_path == "3x3":
        return nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Conv2d(in_channels, out_channels, kernel_size=1)

"""Building blocks of the hourglass: pre-activation residual, resampling by two, and weight initialisation.

Residual with `channels` C (`identity_or_1x1` on the left, the thesis's `3x3` on the right):

    x ──┬─ BN ReLU 1x1 C/2 ─ BN ReLU 3x3 C/2 ─ BN ReLU 1x1 C ─ + ──>      x ──┬─ ... the same ... ─ + ──>
        └──────────────── identity (1x1 if C changes) ─────────┘              └─────── 3x3 C ───────┘
"""

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["IdentityPath", "Residual", "downsample", "initialise_glorot", "upsample"]

IdentityPath: TypeAlias = Literal["identity_or_1x1", "3x3"]


class Residual(nn.Module):
    """Pre-activation bottleneck residual: three times (BN, ReLU, convolution), added to the identity path.

    He et al., "Identity mappings in deep residual networks" (ECCV 2016), as in Newell et al., "Stacked hourglass networks"
    (ECCV 2016), figure 4 left. Convolutions have biases.
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
        """Return (N, out_channels, H, W) for (N, in_channels, H, W)."""
        # In-place ReLUs are safe: each overwrites only the output of the batch norm before it.
        y = self.conv1(F.relu(self.norm1(x), inplace=True))
        y = self.conv2(F.relu(self.norm2(y), inplace=True))
        y = self.conv3(F.relu(self.norm3(y), inplace=True))
        summed: Tensor = y + self.identity(x)
        return summed


def downsample(x: Tensor) -> Tensor:
    """Return (N, C, H/2, W/2), the 2 x 2 max pooling of (N, C, H, W)."""
    return F.max_pool2d(x, kernel_size=2)


def upsample(x: Tensor) -> Tensor:
    """Return (N, C, 2H, 2W), the nearest-neighbour upsampling of (N, C, H, W)."""
    if torch.is_grad_enabled() and torch.compiler.is_dynamo_compiling():
        upsampled: Tensor = _UpsampleTwice.apply(x)  # type: ignore[no-untyped-call]
        return upsampled
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class _UpsampleTwice(torch.autograd.Function):
    """Nearest-neighbour upsampling whose backward pass sums 2 x 2 px explicitly.

    Otherwise torch.compile generates a scattered addition, which sorts all addresses in deterministic mode: more than half of a
    training step on an H200 (docs/decisions/0020).
    """

    @staticmethod
    def forward(_context: Any, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest")

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        return 4 * F.avg_pool2d(gradients[0], kernel_size=2)


def initialise_glorot(network: nn.Module) -> None:
    """Initialise convolutions and linear layers with Glorot-normal weights and zero biases; batch norms keep 1 and 0.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010), equation 16 as a
    normal distribution. The weights are sampled from torch's global generator, which the caller seeds.
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

"""Batch norms over the persons of all processes: torch's own on a GPU, and one for the CPU, where torch has none."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["SyncedBatchNorm2d", "sync_batch_norms"]


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` over the persons of all processes, which may hold unequal numbers (Ioffe and Szegedy, 2015, algorithm 1).

    In evaluation it is `nn.BatchNorm2d`. Mean and variance are summed one after the other: subtracting the mean before squaring
    loses no digits.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same; N may differ from process to process, but not be 0."""
        if not self.training:
            return super().forward(x)
        sums = _sum_over_processes(torch.cat([x.sum(dim=(0, 2, 3)), x.new_tensor([x.numel() / x.shape[1]])]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = x - mean.view(1, -1, 1, 1)
        variance = _sum_over_processes(centred.square().sum(dim=(0, 2, 3))) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        scaled = centred * (self.weight * torch.rsqrt(variance + self.eps)).view(1, -1, 1, 1)
        shifted: Tensor = scaled + self.bias.view(1, -1, 1, 1)
        return shifted

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def sync_batch_norms(network: nn.Module) -> nn.Module:
    """The network, each of its batch norms replaced by one over all processes, with the same weights and names."""
    if next(network.parameters()).device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return converted
    for module in network.modules():
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                module.add_module(name, _synced(child))
    return network


def _synced(norm: nn.BatchNorm2d) -> SyncedBatchNorm2d:
    synced = SyncedBatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    synced.weight, synced.bias = norm.weight, norm.bias
    for name, buffer in norm.named_buffers(recurse=False):
        synced.register_buffer(name, buffer)
    synced.training = norm.training
    return synced


def _sum_over_processes(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


class _Sum(torch.autograd.Function):
    """y = sum over processes of x. Every process's y depends on each x, so the gradient of x is the sum of those of all y."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        """The same sum in every process."""
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        """The sum of the gradients of every process."""
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total

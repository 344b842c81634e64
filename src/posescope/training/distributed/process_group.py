"""The processes that train one network together, each with its share of every batch; alone, nothing is exchanged.

    batch of 32 ──┬─ process 0: persons 0..15  ─ loss, gradient ─┐
                  └─ process 1: persons 16..31 ─ loss, gradient ─┴─ mean ─ the same step in both

What comes out is what one process makes of the whole batch, but for the order of sums in the last bits: batch norms count all
persons, augmentations are drawn for the whole batch, and shares of unequal size weigh as many persons as they hold.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["SINGLE_PROCESS", "ProcessGroup", "CpuSyncBatchNorm2d", "sync_batch_norms"]


@dataclass(frozen=True)
class ProcessGroup:
    """One process's view of the team.

    Attributes:
        rank: its number, from 0; process 0 leads: it writes and shows.
        size: processes in all. Of more than one, torch's default process group has been set up.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes checkpoints, sheets and logs."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of `count` persons are this process's; shares differ by one person at most."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def weight(self, count: int) -> float:
        """What the mean over this process's share of `count` persons counts in the mean of the processes' figures."""
        share = self.share(count)
        return float(share.stop - share.start) * self.size / count

    def sum(self, values: Tensor) -> Tensor:
        """The sum over the processes, the same bits in each."""
        if self.size == 1:
            return values
        total = values.detach().clone()
        dist.all_reduce(total)
        return total

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            dist.barrier()

    def synchronise(self, network: nn.Module) -> nn.Module:
        """The network with batch norms that count all processes' persons; alone, as it is."""
        return network if self.size == 1 else sync_batch_norms(network)

    def distribute(self, network: nn.Module, device: torch.device) -> nn.Module:
        """The network as it is called in a training step: its gradients are the mean over the processes."""
        if self.size == 1:
            return network
        return DistributedDataParallel(network, device_ids=[device] if device.type == "cuda" else None)


SINGLE_PROCESS = ProcessGroup()


# MERGED from synced_norm: Batch norms over the persons of all processes: torch's own on a GPU, and one for the CPU, where
# torch has none.


class CpuSyncBatchNorm2d(nn.BatchNorm2d):
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


def _synced(norm: nn.BatchNorm2d) -> CpuSyncBatchNorm2d:
    synced = CpuSyncBatchNorm2d(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
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

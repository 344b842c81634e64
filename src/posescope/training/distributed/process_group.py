"""The processes that train one network together, each on a slice of every batch, and batch norms over all of them.

    batch of 32 ──┬─ process 0: persons 0..15  ─ loss, gradient ─┐
                  └─ process 1: persons 16..31 ─ loss, gradient ─┴─ mean ─ the same step in both

The results are those of one process with the whole batch, up to the order of sums in the last bits: batch norms use the persons
of all processes, augmentations are sampled for the whole batch, and slices of unequal size are weighted by their size.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["SINGLE_PROCESS", "CpuSyncBatchNorm2d", "ProcessGroup"]


@dataclass(frozen=True)
class ProcessGroup:
    """The group of processes as seen by one of them. A group of one exchanges nothing.

    Attributes:
        rank: index of this process, from 0; the main process has rank 0.
        size: number of processes. If it is larger than 1, torch's default process group must be initialised.
        node: index of the machine of this process, from 0; the main process is on node 0.
    """

    rank: int = 0
    size: int = 1
    node: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this process writes checkpoints, image grids and logs."""
        return self.rank == 0

    def local_slice(self, count: int) -> slice:
        """Return the slice of `count` persons for this process; the slices differ by at most one person."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def loss_weight(self, count: int) -> float:
        """Return the weight of this process's mean over its slice of `count` persons in the mean over processes."""
        local = self.local_slice(count)
        return float(local.stop - local.start) * self.size / count

    def all_reduce(self, values: Tensor) -> Tensor:
        """Return the sum over the processes, identical in all of them."""
        return values if self.size == 1 else _all_reduced(values)

    def broadcast(self, content: bytes, device: torch.device) -> bytes:
        """Return the bytes of the main process in all processes.

        Args:
            content: bytes; only those of the main process count.
            device: device of this process, through which NCCL sends them.
        """
        if self.size == 1:
            return content
        length = torch.tensor([len(content)], dtype=torch.int64, device=device)
        dist.broadcast(length, src=0)
        if not int(length):
            return b""
        if self.is_main:
            values = torch.frombuffer(bytearray(content), dtype=torch.uint8).to(device)
        else:
            values = torch.empty(int(length), dtype=torch.uint8, device=device)
        dist.broadcast(values, src=0)
        return content if self.is_main else values.cpu().numpy().tobytes()

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            dist.barrier()

    def convert_batch_norms(self, network: nn.Module) -> nn.Module:
        """Return the network with batch norms over the persons of all processes; names and weights do not change."""
        if self.size == 1:
            return network
        if next(network.parameters()).device.type == "cuda":
            converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
            return converted
        for module in network.modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = CpuSyncBatchNorm2d
        return network

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Return the network as called in a training step, with gradients that are the mean over processes.

        Args:
            network: network with its weights on the device.
            device: device of this process.
        """
        if self.size == 1:
            return network
        return DistributedDataParallel(network, device_ids=[device] if device.type == "cuda" else None)


SINGLE_PROCESS = ProcessGroup()


class CpuSyncBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the persons of all processes on a CPU, where `nn.SyncBatchNorm` does not work.

    It makes two processes on a CPU comparable with one, which tests the code for several GPUs (docs/decisions/0031). Mean and
    variance are summed one after the other, since the variance of centred values loses no digits (Ioffe and Szegedy, 2015,
    algorithm 1). In evaluation mode it is `nn.BatchNorm2d`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W); N may differ between processes but not be 0."""
        if not self.training:
            return super().forward(x)
        sums = _sum_over_processes(torch.cat([x.sum(dim=(0, 2, 3)), x.new_tensor([x.numel() / x.shape[1]])]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = x - mean.view(1, -1, 1, 1)
        variance = _sum_over_processes(centred.square().sum(dim=(0, 2, 3))) / count
        self._update_statistics(mean.detach(), variance.detach() * count / (count - 1))
        scaled = centred * (self.weight * torch.rsqrt(variance + self.eps)).view(1, -1, 1, 1)
        shifted: Tensor = scaled + self.bias.view(1, -1, 1, 1)
        return shifted

    @torch.no_grad()
    def _update_statistics(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


def _sum_over_processes(values: Tensor) -> Tensor:
    total: Tensor = _AllReduce.apply(values)  # type: ignore[no-untyped-call]
    return total


class _AllReduce(torch.autograd.Function):
    """Sum over processes. The sum in each process depends on the values of all, so their gradient is the sum of gradients."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        return _all_reduced(values)

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        return _all_reduced(gradients[0].contiguous())


def _all_reduced(values: Tensor) -> Tensor:
    total = values.detach().clone()
    dist.all_reduce(total)
    return total

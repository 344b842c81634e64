"""The processes that train one network together, each with its share of every batch; alone, nothing is exchanged.

    batch of 32 ──┬─ process 0: persons 0..15  ─ loss, gradient ─┐
                  └─ process 1: persons 16..31 ─ loss, gradient ─┴─ mean ─ the same step in both

What comes out is what one process makes of the whole batch, but for the order of sums in the last bits: batch norms count all
persons, augmentations are drawn for the whole batch, and shares of unequal size weigh as many persons as they hold.
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from posescope.training.synced_norm import sync_batch_norms

__all__ = ["ALONE", "Team"]


@dataclass(frozen=True)
class Team:
    """One process's view of the team.

    Attributes:
        rank: its number, from 0; process 0 leads: it writes and shows.
        size: processes in all. Of more than one, torch's default process group has been set up.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
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


ALONE = Team()

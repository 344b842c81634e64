"""Training in a process whose peers are on several nodes: join them, check that all have the same run, train."""

import hashlib
from datetime import timedelta

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import PrefixStore, Store

from posescope.core.errors import OptionsError
from posescope.training.distributed.placement import READY, TorchrunProcess, open_store
from posescope.training.distributed.process_group import ProcessGroup
from posescope.training.distributed.worker import name_lost_connections, take_device
from posescope.training.epoch_loop import TrainingJob, run_epochs

__all__ = ["check_same_run", "train_as_process", "train_joined"]


def train_as_process(job: TrainingJob, device: torch.device, process: TorchrunProcess) -> None:
    """Train in this process, which torchrun has started.

    Args:
        job: the training job.
        device: device of the training; on CUDA the process takes the device of its local rank.
        process: ranks of this process.

    Raises:
        PosescopeError: As `epoch_loop.run_epochs`; or the processes have other options or data.
        LostProcessError: Another process has ended.
    """
    own = take_device(device.type, process.local_rank, process.local_size, job.options.threads)
    with name_lost_connections():
        store = open_store(job.options)
        if process.rank == 0:
            store.set(READY, job.fingerprint)
        train_joined(job, own, ProcessGroup(process.rank, process.size, process.node), PrefixStore("posescope", store))


def train_joined(job: TrainingJob, device: torch.device, process_group: ProcessGroup, store: Store | None = None) -> None:
    """Join the other processes and train.

    Args:
        job: the training job.
        device: device of this process.
        process_group: ranks of this process.
        store: store of all processes; None: that of the environment.

    Raises:
        PosescopeError: As `epoch_loop.run_epochs`; or the processes have other options or data.
        LostProcessError: Another process has ended.
    """
    limit = timedelta(seconds=job.options.rendezvous_timeout_s)
    with name_lost_connections():
        backend = "nccl" if device.type == "cuda" else "gloo"
        if store is None:
            dist.init_process_group(backend)
        else:
            store.set_timeout(limit)
            dist.init_process_group(backend, store=store, rank=process_group.rank, world_size=process_group.size)
        check_same_run(job.fingerprint, process_group, device)
        run_epochs(job, device, process_group=process_group)
        process_group.barrier()  # the main process writes the last checkpoint; until then the others give signs of life
        dist.destroy_process_group()


def check_same_run(fingerprint: str, process_group: ProcessGroup, device: torch.device) -> None:
    """Check that all processes have opened the same data with the same options.

    Args:
        fingerprint: fingerprint of options and data in this process.
        process_group: the processes.
        device: device of this process.

    Raises:
        OptionsError: in all processes.
    """
    digest = hashlib.sha256(fingerprint.encode()).digest()
    own = torch.frombuffer(bytearray(digest), dtype=torch.uint8).to(device)
    found = [torch.empty_like(own) for _ in range(process_group.size)]
    dist.all_gather(found, own)
    others = [str(rank) for rank, one in enumerate(found) if not torch.equal(one, found[0])]
    if others:
        raise OptionsError(
            f"Training processes {', '.join(others)} have other options or data than process 0 (here: run '{fingerprint}'). Run "
            "the same command on all nodes, with the same configuration and the same data_dir."
        )

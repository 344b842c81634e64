"""The place of this process among the nodes of a training: which node it is on, and who starts the training processes.

    the same `kedro run` on each node   posescope starts `processes` on each node; the node's rank is in the environment
    `torchrun ... -m posescope`         torchrun has started this process as one of the training processes

Node 0, or torchrun's process 0, runs the whole pipeline. The others wait until it trains, take part, and have no result.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from torch._C._distributed_c10d import Store
from torch.distributed import DistError
from torch.distributed.rendezvous import rendezvous

from posescope.core.errors import OptionsError, PosescopeError
from posescope.training.distributed.worker import MissingNodeError
from posescope.training.options import TrainingOptions

__all__ = ["NoResultError", "Placement", "TorchrunProcess", "find_placement", "may_take_part", "open_store", "wait_for_main"]

log = logging.getLogger(__name__)

NODE_RANK, SLURM_NODE_RANK = "POSESCOPE_NODE_RANK", "SLURM_NODEID"
READY = "posescope/ready"
_POLL_S = 1.0


class NoResultError(PosescopeError):
    """This process has trained for another one, which has the result."""


@dataclass(frozen=True)
class TorchrunProcess:
    """A training process as started by torchrun: rank among all processes, and rank among those of its node."""

    rank: int
    size: int
    local_rank: int
    local_size: int
    node: int


@dataclass(frozen=True)
class Placement:
    """The place of this process.

    Attributes:
        node: rank of its node.
        process: its rank if torchrun started it; None: posescope starts the training processes.
    """

    node: int = 0
    process: TorchrunProcess | None = None

    @property
    def is_main(self) -> bool:
        """Whether this process runs the whole pipeline and has the result."""
        return self.process.rank == 0 if self.process else self.node == 0

    def resolve(self, options: TrainingOptions) -> TrainingOptions:
        """Return the options with the number of processes that torchrun started; otherwise they are unchanged.

        Raises:
            OptionsError: The batch size is left open, which each node would measure for itself.
        """
        if options.batch_size == "auto" and (self.process or options.nodes > 1):
            raise OptionsError(
                "modelling.training.batch_size: expected a number for processes on several nodes, found 'auto', which each node "
                "would measure for itself. Set a number."
            )
        return options.on_one_node(self.process.size) if self.process else options


def may_take_part(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the environment names another node than 0, or another process of torchrun than 0."""
    names = ("RANK",) if _is_torchrun(environ) else (NODE_RANK, SLURM_NODE_RANK)
    found = next((environ[name] for name in names if environ.get(name)), "0")
    return found != "0"


def find_placement(options: TrainingOptions, environ: Mapping[str, str] = os.environ) -> Placement:
    """Return the place of this process.

    Args:
        options: options of the training.
        environ: variables of the environment.

    Raises:
        OptionsError: There are several nodes, and the environment does not name the rank of this one.
    """
    if _is_torchrun(environ):
        rank, size, local_rank, local_size, node = (
            int(environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK")
        )
        return Placement(node, TorchrunProcess(rank, size, local_rank, local_size, node))
    if options.nodes == 1:
        return Placement()
    name = next((name for name in (NODE_RANK, SLURM_NODE_RANK) if environ.get(name)), NODE_RANK)
    text = environ.get(name, "")
    if not text.isdecimal() or int(text) >= options.nodes:
        raise OptionsError(
            f"modelling.training.nodes is {options.nodes}: expected the rank of this node, 0 to {options.nodes - 1}, in the "
            f"environment variable {NODE_RANK} (Slurm sets {SLURM_NODE_RANK}), found {f'{name}={text!r}' if text else 'none'}. "
            "The node whose address is modelling.training.rendezvous has rank 0."
        )
    if name == SLURM_NODE_RANK and environ.get("SLURM_LOCALID", "0") != "0":
        raise OptionsError(
            "modelling.training.nodes: expected one task of Slurm per node, found several; posescope starts the processes of a "
            "node itself. Set --ntasks-per-node=1 and modelling.training.processes."
        )
    return Placement(int(text))


def wait_for_main(placement: Placement, options: TrainingOptions) -> None:
    """Wait until the main process has reached the training, so that the inputs of the training exist.

    Args:
        placement: place of this process, which is not the main one.
        options: options of the training.

    Raises:
        MissingNodeError: It has not reached it in time.
    """
    log.info("Waiting for the main process, at most %d s.", options.rendezvous_timeout_s)
    if placement.process:
        limit = timedelta(seconds=options.rendezvous_timeout_s)
        try:
            open_store(options).wait([READY], limit)
        except DistError as error:
            raise _not_reached("torchrun's store", options, str(error).splitlines()[0]) from error
    else:
        _wait_for_port(options)


def open_store(options: TrainingOptions) -> Store:
    """Return the store of the processes that torchrun started."""
    store: Store
    store, _, _ = next(rendezvous("env://", timeout=timedelta(seconds=options.rendezvous_timeout_s)))
    return store


def _is_torchrun(environ: Mapping[str, str]) -> bool:
    return "TORCHELASTIC_RUN_ID" in environ and "RANK" in environ


def _wait_for_port(options: TrainingOptions) -> None:
    """Wait until node 0 accepts connections, which it does when its agent starts."""
    address = options.rendezvous or ""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + options.rendezvous_timeout_s
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise _not_reached(address, options, error.strerror or str(error)) from error
            time.sleep(_POLL_S)
        else:
            return


def _not_reached(place: str, options: TrainingOptions, reason: str) -> MissingNodeError:
    return MissingNodeError(
        f"{place}: the main process has not begun the training within {options.rendezvous_timeout_s} s ({reason}). See its log; "
        "if it works on the data for longer, increase modelling.training.rendezvous_timeout_s."
    )

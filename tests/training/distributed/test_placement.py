"""Tests of posescope.training.distributed.placement."""

import socket
import threading
import time

import pytest

from posescope.core.errors import OptionsError
from posescope.training.distributed.placement import Placement, TorchrunProcess, find_placement, may_take_part, wait_for_main
from posescope.training.distributed.worker import MissingNodeError
from posescope.training.options import TrainingOptions

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none", "RANK": "5", "WORLD_SIZE": "6", "LOCAL_RANK": "2", "LOCAL_WORLD_SIZE": "3", "GROUP_RANK": "1"
}  # fmt: skip


def apart(port: int = 29500, timeout_s: int = 1) -> TrainingOptions:
    return TrainingOptions(nodes=3, rendezvous=f"127.0.0.1:{port}", rendezvous_timeout_s=timeout_s)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("environ", "node"),
    [
        ({"POSESCOPE_NODE_RANK": "0"}, 0),
        ({"POSESCOPE_NODE_RANK": "2"}, 2),
        ({"SLURM_NODEID": "1", "SLURM_LOCALID": "0"}, 1),
        ({"SLURM_NODEID": "1", "SLURM_LOCALID": "3", "POSESCOPE_NODE_RANK": "2"}, 2),
    ],
)
def test_rank_of_the_node_is_in_the_environment(environ: dict[str, str], node: int) -> None:
    found = find_placement(apart(), environ)
    assert (found.node, found.process, found.is_main) == (node, None, node == 0)
    assert may_take_part(environ) == (node > 0)
    assert found.resolve(apart()) == apart()


def test_one_node_needs_no_rank() -> None:
    # A step of Slurm on several nodes may run independent trainings.
    assert find_placement(TrainingOptions(), {"SLURM_NODEID": "1"}) == Placement()
    assert not may_take_part({})


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "POSESCOPE_NODE_RANK"),
        ({"POSESCOPE_NODE_RANK": "3"}, "'3'"),
        ({"POSESCOPE_NODE_RANK": "-1"}, "'-1'"),
        ({"SLURM_NODEID": "one"}, "SLURM_NODEID='one'"),
        ({"SLURM_NODEID": "1", "SLURM_LOCALID": "1"}, "ntasks-per-node"),
    ],
)
def test_wrong_ranks_are_refused(environ: dict[str, str], named: str) -> None:
    with pytest.raises(OptionsError, match=named):
        find_placement(apart(), environ)


def test_torchrun_has_started_the_processes() -> None:
    found = find_placement(TrainingOptions(), TORCHRUN)
    assert found.process == TorchrunProcess(rank=5, size=6, local_rank=2, local_size=3, node=1)
    assert not found.is_main
    assert may_take_part(TORCHRUN)
    assert not may_take_part({**TORCHRUN, "RANK": "0", "POSESCOPE_NODE_RANK": "1"})
    resolved = found.resolve(apart())
    assert (resolved.nodes, resolved.processes, resolved.rendezvous_timeout_s) == (1, 6, 1)


def test_a_batch_size_left_open_is_refused_on_several_nodes() -> None:
    left_open = apart().model_copy(update={"batch_size": "auto"})
    with pytest.raises(OptionsError, match="batch_size"):
        Placement(1).resolve(left_open)
    assert Placement().resolve(left_open.on_one_node()).batch_size == "auto"


def test_another_node_waits_until_node_0_accepts_connections() -> None:
    port = free_port()
    server = socket.socket()

    def open_later() -> None:
        time.sleep(0.2)
        server.bind(("127.0.0.1", port))
        server.listen()

    opener = threading.Thread(target=open_later)
    opener.start()
    with server:
        wait_for_main(Placement(1), apart(port, timeout_s=30))
        opener.join()


def test_another_node_does_not_wait_for_ever() -> None:
    with pytest.raises(MissingNodeError, match="rendezvous_timeout_s"):
        wait_for_main(Placement(1), apart(free_port()))

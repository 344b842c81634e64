"""Tests of posescope.training.distributed.watched_rendezvous: agents in one process, with a clock of the test."""

import socket
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from torch.distributed import TCPStore
from torch.distributed.elastic.rendezvous import RendezvousParameters, rendezvous_handler_registry

from posescope.training.distributed import watched_rendezvous
from posescope.training.distributed.watched_rendezvous import BACKEND, WatchedRendezvous, register_backend
from posescope.training.distributed.worker import LostProcessError


@pytest.fixture
def store() -> TCPStore:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)


@pytest.fixture
def set_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(watched_rendezvous, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return lambda seconds: setattr(clock, "now", 100.0 + seconds)


def make_agents(store: object, count: int) -> list[WatchedRendezvous]:
    agents = [WatchedRendezvous("127.0.0.1:1", rank, count, "run", 5, lost_after_s=10) for rank in range(count)]
    for agent in agents:
        agent._store = store
    return agents


def test_agents_that_give_signs_of_life_are_not_lost(store: TCPStore, set_time: Callable[[float], None]) -> None:
    agents = make_agents(store, 3)
    for second in range(30):
        set_time(second)
        assert [agent.num_nodes_waiting() for agent in agents] == [0, 0, 0]


@pytest.mark.parametrize(("silent", "watching"), [(1, 0), (2, 0), (0, 1)])
def test_a_silent_node_is_lost(store: TCPStore, set_time: Callable[[float], None], silent: int, watching: int) -> None:
    agents = make_agents(store, 3)
    for second in range(3):
        set_time(second)
        for agent in agents:
            agent.num_nodes_waiting()
    living = [agent for agent in agents if agent.rank != silent]
    for second in range(3, 13):
        set_time(second)
        for agent in living:
            agent.num_nodes_waiting()
    set_time(13.5)
    with pytest.raises(LostProcessError, match=f"Node {silent} "):
        agents[watching].num_nodes_waiting()


def test_a_node_that_never_gave_a_sign_is_lost(store: TCPStore, set_time: Callable[[float], None]) -> None:
    agent = make_agents(store, 2)[0]
    for second in (0, 9.5):
        set_time(second)
        agent.num_nodes_waiting()
    set_time(11)
    with pytest.raises(LostProcessError, match="Node 1 "):
        agent.num_nodes_waiting()


def test_a_store_that_is_gone_is_reported_after_the_errors_of_processes(set_time: Callable[[float], None]) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    server.close()
    master = TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)
    agent = make_agents(TCPStore("127.0.0.1", port, is_master=False, wait_for_workers=False), 2)[1]
    agent.num_nodes_waiting()
    del master
    for second in (2, 6.5):
        set_time(second)
        assert agent.num_nodes_waiting() == 0
    set_time(8)
    with pytest.raises(LostProcessError, match="Node 0 "):
        agent.num_nodes_waiting()


def test_a_store_that_never_answers_is_lost(set_time: Callable[[float], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_rendezvous, "_ANSWER_S", 0.01)
    answer = threading.Event()
    silent = SimpleNamespace(set_timeout=lambda _: answer.wait(), set=lambda *_: None, check=lambda _: False)
    agent = make_agents(silent, 2)[1]
    for second in (0, 5, 9.5):
        set_time(second)
        assert agent.num_nodes_waiting() == 0
    set_time(11)
    with pytest.raises(LostProcessError, match="Node 0 "):
        agent.num_nodes_waiting()
    answer.set()


def test_rendezvous_is_known_to_torch_elastic() -> None:
    register_backend()
    register_backend()
    parameters = RendezvousParameters(BACKEND, "node0:29500", "run", 2, 2, rank=1, timeout=5, lost_after_s=7)
    made = rendezvous_handler_registry.create_handler(parameters)
    assert isinstance(made, WatchedRendezvous)
    assert (made.master_addr, made.master_port, made.rank, made.world_size, made.lost_after_s) == ("node0", 29500, 1, 2, 7)
    assert made.get_backend() == BACKEND

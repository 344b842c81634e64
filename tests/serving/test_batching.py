"""Tests of the batches across requests."""

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from posescope.core.records import CropJoints
from posescope.serving.batching import Batcher
from posescope.serving.refusals import BusyError


class Network:
    """Returns the first value of each crop as the score. Until `gate` is set, calls wait."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def __call__(self, crops: NDArray[np.uint8]) -> CropJoints:
        self.entered.set()
        assert self.gate.wait(10)
        self.sizes.append(len(crops))
        self.threads.add(threading.get_ident())
        if (crops == 255).any():
            raise ValueError("broken")
        values = crops[:, 0, 0, :1].astype(np.float32)
        return CropJoints(np.repeat(values[:, :, None], 2, axis=2), values)


def crops_of(*values: int) -> NDArray[np.uint8]:
    return np.array(values, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(3, axis=3)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def make_batcher(network: Network) -> Iterator[Callable[..., Batcher]]:
    made: list[Batcher] = []

    def make(max_batch: int = 4, max_wait_s: float = 0.0, max_waiting: int = 100) -> Batcher:
        made.append(Batcher(network, max_batch, max_wait_s, max_waiting, lambda persons, seconds: None))
        return made[-1]

    yield make
    network.gate.set()
    for batcher in made:
        batcher.close()


def test_requests_that_wait_share_a_batch_and_get_their_own_rows(network: Network, make_batcher: Callable[..., Batcher]) -> None:
    batcher = make_batcher()
    network.gate.clear()
    first = batcher.submit(crops_of(1))
    assert network.entered.wait(10)
    others = [batcher.submit(crops_of(*values)) for values in ((2, 3), (4,), (5, 6))]
    assert batcher.waiting == 5
    network.gate.set()
    assert first.result(10).scores.tolist() == [[1.0]]
    assert [one.result(10).scores.ravel().tolist() for one in others] == [[2.0, 3.0], [4.0], [5.0, 6.0]]
    assert others[0].result().joints.shape == (2, 1, 2)
    assert network.sizes == [1, 3, 2]  # the fourth request does not fit into the second batch
    assert len(network.threads) == 1
    assert batcher.waiting == 0


def test_large_request_is_split(network: Network, make_batcher: Callable[..., Batcher]) -> None:
    found = make_batcher(max_waiting=1).submit(crops_of(*range(10))).result(10)
    assert found.scores.ravel().tolist() == list(range(10))
    assert network.sizes == [4, 4, 2]


def test_large_request_delays_others_by_one_batch(network: Network, make_batcher: Callable[..., Batcher]) -> None:
    batcher = make_batcher()
    network.gate.clear()
    running = batcher.submit(crops_of(0))
    assert network.entered.wait(10)
    large, small = batcher.submit(crops_of(*range(1, 12))), batcher.submit(crops_of(90, 91))
    order: list[str] = []
    large.add_done_callback(lambda _: order.append("large"))
    small.add_done_callback(lambda _: order.append("small"))
    assert batcher.waiting == 13
    network.gate.set()
    assert large.result(10).scores.ravel().tolist() == list(range(1, 12))
    assert small.result(10).scores.ravel().tolist() == [90.0, 91.0]
    assert running.result(10).scores.tolist() == [[0.0]]
    assert order == ["small", "large"]
    assert network.sizes == [1, 4, 4, 4, 1]
    assert batcher.waiting == 0


def test_large_request_that_fails_or_is_cancelled_leaves_the_queue(
    network: Network, make_batcher: Callable[..., Batcher]
) -> None:
    batcher = make_batcher()
    with pytest.raises(ValueError, match="broken"):
        batcher.submit(crops_of(255, *[1] * 11)).result(10)
    assert network.sizes == [4]
    network.gate.clear()
    network.entered.clear()
    large = batcher.submit(crops_of(*range(12)))
    assert network.entered.wait(10)
    assert large.cancel()  # while its first batch runs
    last = batcher.submit(crops_of(7))
    network.gate.set()
    assert last.result(10).scores.tolist() == [[7.0]]
    assert network.sizes == [4, 4, 1]
    assert batcher.waiting == 0


def test_batch_waits_for_expected_requests_only(network: Network, make_batcher: Callable[..., Batcher]) -> None:
    batcher = make_batcher(max_wait_s=10.0)
    started = time.monotonic()
    assert len(batcher.submit(crops_of(1)).result(10).scores) == 1  # no other is expected
    with batcher.expect():
        first = batcher.submit(crops_of(1))
        time.sleep(0.05)
        second = batcher.submit(crops_of(2))
    assert (len(first.result(10).scores), len(second.result(10).scores)) == (1, 1)
    assert network.sizes == [1, 2]
    assert time.monotonic() - started < 5


def test_wait_is_bounded(network: Network, make_batcher: Callable[..., Batcher]) -> None:
    batcher = make_batcher(max_wait_s=0.05)
    with batcher.expect():
        assert len(batcher.submit(crops_of(1)).result(10).scores) == 1


def test_error_reaches_the_requests_of_its_batch_only(make_batcher: Callable[..., Batcher]) -> None:
    batcher = make_batcher()
    with pytest.raises(ValueError, match="broken"):
        batcher.submit(crops_of(255)).result(10)
    assert batcher.is_running
    assert batcher.submit(crops_of(3)).result(10).scores.tolist() == [[3.0]]


def test_cancelled_request_is_not_computed(network: Network, make_batcher: Callable[..., Batcher]) -> None:
    batcher = make_batcher()
    network.gate.clear()
    first = batcher.submit(crops_of(1))
    assert network.entered.wait(10)
    cancelled, last = batcher.submit(crops_of(2)), batcher.submit(crops_of(3))
    assert cancelled.cancel()
    network.gate.set()
    assert first.result(10).scores.tolist() == [[1.0]]
    assert last.result(10).scores.tolist() == [[3.0]]
    assert network.sizes == [1, 1]


def test_full_queue_is_refused(network: Network, make_batcher: Callable[..., Batcher]) -> None:
    batcher = make_batcher(max_waiting=3)
    network.gate.clear()
    running = batcher.submit(crops_of(1))
    assert network.entered.wait(10)
    waiting = batcher.submit(crops_of(2, 3))
    with pytest.raises(BusyError):
        batcher.submit(crops_of(4, 5))
    network.gate.set()
    assert [len(one.result(10).scores) for one in (running, waiting)] == [1, 2]


def test_close_answers_what_waits_and_refuses_the_rest(network: Network, make_batcher: Callable[..., Batcher]) -> None:
    batcher = make_batcher()
    network.gate.clear()
    futures = [batcher.submit(crops_of(value)) for value in (1, 2)]
    closing = threading.Thread(target=batcher.close)
    closing.start()
    network.gate.set()
    closing.join(10)
    assert [one.result(0).scores.tolist() for one in futures] == [[[1.0]], [[2.0]]]
    assert not batcher.is_running
    with pytest.raises(BusyError):
        batcher.submit(crops_of(1))


def test_closing_does_not_wait_for_ever() -> None:
    network = Network()
    network.gate.clear()
    batcher = Batcher(network, 2, 0.0, 10, lambda *_: None)
    future = batcher.submit(crops_of(1))
    assert network.entered.wait(5)
    started = time.monotonic()
    batcher.close(0.1)
    assert time.monotonic() - started < 2
    network.gate.set()
    assert future.result(5).scores.tolist() == [[1.0]]

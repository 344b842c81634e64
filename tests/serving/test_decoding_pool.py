"""Tests of the threads that decode: dropped jobs free their work and end, and closing is bounded."""

import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest

from posescope.serving.decoding_pool import DecodingPool
from posescope.serving.refusals import BusyError


class Blocker:
    """Work that waits for `gate`, then calls `check` and returns 5."""

    def __init__(self) -> None:
        self.entered, self.gate = threading.Event(), threading.Event()

    def __call__(self, check: Callable[[], None]) -> int:
        self.entered.set()
        assert self.gate.wait(10)
        check()
        return 5


@pytest.fixture
def pool() -> Iterator[DecodingPool]:
    pool = DecodingPool(1)
    yield pool
    pool.close(5)


def test_result_and_error(pool: DecodingPool) -> None:
    def fail(_: Callable[[], None]) -> None:
        raise ValueError("bad")

    assert pool.submit(lambda _: 3).future.result(5) == 3
    assert isinstance(pool.submit(fail).future.exception(5), ValueError)
    assert pool.submit(lambda _: 4).future.result(5) == 4


def test_dropped_job_that_waits_frees_its_work_at_once(pool: DecodingPool) -> None:
    running = Blocker()
    job = pool.submit(running)
    assert running.entered.wait(5)
    waits = Blocker()
    held, dropped = weakref.ref(waits), pool.submit(waits)
    del waits
    assert held() is not None
    dropped.drop()
    assert held() is None
    assert dropped.future.cancelled()
    running.gate.set()
    assert job.future.result(5) == 5
    assert pool.submit(lambda _: 1).future.result(5) == 1


def test_dropped_job_that_runs_ends_at_its_next_check(pool: DecodingPool) -> None:
    running = Blocker()
    job = pool.submit(running)
    assert running.entered.wait(5)
    job.drop()
    assert not job.future.done()
    running.gate.set()
    assert isinstance(job.future.exception(5), BusyError)


def test_closing_drops_what_waits_and_does_not_wait_for_ever() -> None:
    pool, running = DecodingPool(1), Blocker()
    job, waits = pool.submit(running), pool.submit(lambda _: 1)
    assert running.entered.wait(5)
    started = time.monotonic()
    pool.close(0.2)
    assert 0.1 < time.monotonic() - started < 2
    assert waits.future.cancelled()
    with pytest.raises(BusyError):
        pool.submit(lambda _: 1)
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("decoding"))
    running.gate.set()
    assert isinstance(job.future.exception(5), BusyError)

"""Batches across requests: one thread runs the network for the persons of all requests that wait.

    request -> crops -+
    request -> crops -+-> queue -> one forward pass of at most `max_batch` persons -> joints -> each request gets its own
    request -> crops -+

A batch starts as soon as it is full or no other request is expected. Otherwise it waits for those that are being decoded, for at
most `max_wait_s`. A lone request never waits.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posescope.core.records import CropJoints
from posescope.serving.refusals import BusyError

__all__ = ["Batcher"]

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Job:
    crops: NDArray[np.uint8]
    future: "Future[CropJoints]" = field(default_factory=Future)


class Batcher:
    """Runs crops of several requests together, in a thread of its own.

    Args:
        run: runs the network for crops (N, H, W, 3) uint8 RGB; called by one thread only.
        max_batch: maximum number of persons per call.
        max_wait_s: maximum time for which a batch waits for expected requests.
        max_waiting: maximum number of persons in the queue. A request with more is accepted if the queue is empty.
        observe: called after each batch with the number of persons and the seconds.
    """

    def __init__(
        self,
        run: Callable[[NDArray[np.uint8]], CropJoints],
        max_batch: int,
        max_wait_s: float,
        max_waiting: int,
        observe: Callable[[int, float], None],
    ) -> None:
        self._run, self._observe = run, observe
        self._max_batch, self._max_wait_s, self._max_waiting = max_batch, max_wait_s, max_waiting
        self._jobs: deque[_Job] = deque()
        self._waiting = self._expected = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether crops are accepted and the thread lives."""
        return self._thread.is_alive() and not self._is_closed

    @property
    def waiting(self) -> int:
        """Number of persons in the queue."""
        return self._waiting

    @contextmanager
    def expect(self) -> Iterator[None]:
        """Let batches wait for the request of this block, until it has been submitted or the block ends."""
        with self._changed:
            self._expected += 1
        try:
            yield
        finally:
            with self._changed:
                self._expected -= 1
                self._changed.notify()

    def submit(self, crops: NDArray[np.uint8]) -> "Future[CropJoints]":
        """Add the crops of a request to the queue.

        Args:
            crops: (n, H, W, 3) uint8 RGB, n > 0.

        Returns:
            Joints and scores of the n crops, or the error of the network. A future that is cancelled before its batch starts is
            not computed.

        Raises:
            BusyError: if the queue is full, or the server is stopping.
        """
        with self._changed:
            if self._is_closed:
                raise BusyError("The server is stopping.")
            if self._jobs and self._waiting + len(crops) > self._max_waiting:
                raise BusyError(f"The server is busy: {self._waiting} persons wait for prediction; repeat the request later.")
            job = _Job(crops)
            self._jobs.append(job)
            self._waiting += len(crops)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Compute what waits, and end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while jobs := self._next_jobs():
            started = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if started:
                self._answer(started)

    def _next_jobs(self) -> list[_Job]:
        """Return the jobs of the next batch; none at the end. One job may be larger than a batch."""
        with self._changed:
            while not self._jobs and not self._is_closed:
                self._changed.wait()
            deadline = time.monotonic() + self._max_wait_s
            while self._expected and self._waiting < self._max_batch and not self._is_closed:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            jobs: list[_Job] = []
            persons = 0
            while self._jobs and (not jobs or persons + len(self._jobs[0].crops) <= self._max_batch):
                jobs.append(self._jobs.popleft())
                persons += len(jobs[-1].crops)
            self._waiting -= persons
            return jobs

    def _answer(self, jobs: list[_Job]) -> None:
        started = time.perf_counter()
        try:
            found = self._run_all(np.concatenate([job.crops for job in jobs]))
        except Exception as error:
            _log.exception("The network failed for %d crops.", sum(len(job.crops) for job in jobs))
            for job in jobs:
                job.future.set_exception(error)
            return
        first = 0
        for job in jobs:
            rows = slice(first, first + len(job.crops))
            job.future.set_result(CropJoints(found.joints[rows], found.scores[rows]))
            first = rows.stop
        self._observe(first, time.perf_counter() - started)

    def _run_all(self, crops: NDArray[np.uint8]) -> CropJoints:
        parts = [self._run(crops[start : start + self._max_batch]) for start in range(0, len(crops), self._max_batch)]
        return CropJoints(np.concatenate([part.joints for part in parts]), np.concatenate([part.scores for part in parts]))

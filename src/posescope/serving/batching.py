"""Batches across requests: one thread runs the network for the persons of all requests that wait.

    request -> crops -+
    request -> crops -+-> queue -> one forward pass of at most `max_batch` persons -> joints -> each request gets its own
    request -> crops -+

A batch starts as soon as it is full or no other request is expected. Otherwise it waits for those that are being decoded, for at
most `max_wait_s`. A lone request never waits. A request with more persons than a batch goes back to the end of the queue after
each batch, so that it delays the others by one batch only.
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
    """The crops of a request. Attributes: crops; future; started: number of crops that are in a batch; parts: their joints."""

    crops: NDArray[np.uint8]
    future: "Future[CropJoints]" = field(default_factory=Future)
    started: int = 0
    parts: list[CropJoints] = field(default_factory=list)

    @property
    def left(self) -> int:
        return len(self.crops) - self.started

    def add(self, part: CropJoints) -> None:
        self.parts.append(part)
        if sum(len(one.scores) for one in self.parts) == len(self.crops) and self.future.set_running_or_notify_cancel():
            joints, scores = ([getattr(one, name) for one in self.parts] for name in ("joints", "scores"))
            self.future.set_result(CropJoints(np.concatenate(joints), np.concatenate(scores)))

    def fail(self, error: Exception) -> None:
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


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

    def close(self, max_wait_s: float | None = None) -> None:
        """Compute what waits, and end the thread.

        Args:
            max_wait_s: maximum time to wait for the thread, s; then it is left to itself, with a warning. None: no limit.
        """
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(max_wait_s)
        if self._thread.is_alive():
            _log.warning("The network was still running %g s after the end of the server.", max_wait_s)

    def _work(self) -> None:
        while batch := self._next_batch():
            self._answer(batch)

    def _next_batch(self) -> list[tuple[_Job, slice]]:
        """Return the rows of each job in the next batch; none at the end."""
        batch: list[tuple[_Job, slice]] = []
        with self._changed:
            while not batch:
                while not self._jobs and not self._is_closed:
                    self._changed.wait()
                if not self._jobs:
                    return []
                self._wait_for_expected()
                batch = self._take_batch()
        return batch

    def _wait_for_expected(self) -> None:
        deadline = time.monotonic() + self._max_wait_s
        while self._expected and self._waiting < self._max_batch and not self._is_closed:
            left = deadline - time.monotonic()
            if left <= 0 or not self._changed.wait(left):
                return

    def _take_batch(self) -> list[tuple[_Job, slice]]:
        """Take jobs from the queue; none if all were cancelled. A job is split only if it is larger than a batch."""
        batch: list[tuple[_Job, slice]] = []
        room = self._max_batch
        while self._jobs and room:
            job = self._jobs[0]
            if not job.future.done() and batch and not job.started and room < job.left <= self._max_batch:
                break
            self._jobs.popleft()
            count = job.left if job.future.done() else min(room, job.left)
            self._waiting -= count
            if job.future.done():  # cancelled, or failed in an earlier batch
                continue
            batch.append((job, slice(job.started, job.started + count)))
            job.started, room = job.started + count, room - count
            if job.left:
                self._jobs.append(job)
        return batch

    def _answer(self, batch: list[tuple[_Job, slice]]) -> None:
        started = time.perf_counter()
        try:
            found = self._run(np.concatenate([job.crops[rows] for job, rows in batch]))
        except Exception as error:
            _log.exception("The network failed for %d crops.", sum(rows.stop - rows.start for _, rows in batch))
            for job, _ in batch:
                job.fail(error)
            return
        first = 0
        for job, rows in batch:
            own = slice(first, first + rows.stop - rows.start)
            job.add(CropJoints(found.joints[own], found.scores[own]))
            first = own.stop
        self._observe(first, time.perf_counter() - started)

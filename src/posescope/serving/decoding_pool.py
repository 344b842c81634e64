"""Threads that decode images; a job can be dropped while it waits and while it runs.

`ThreadPoolExecutor` keeps the arguments of a cancelled job until a thread is free, and the interpreter waits at its end for the
threads. Here a dropped job frees its arguments at once, and the threads are daemonic.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from posescope.serving.refusals import BusyError

__all__ = ["DecodingJob", "DecodingPool"]

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")


class DecodingJob(Generic[_Result]):
    """Work for a thread of the pool.

    Args:
        work: called with the function `check`, which it calls before each piece of work.

    Attributes:
        future: the result, or the error of the work.
    """

    def __init__(self, work: Callable[[Callable[[], None]], _Result]) -> None:
        self.future: Future[_Result] = Future()
        self._work: Callable[[Callable[[], None]], _Result] | None = work
        self._is_dropped = False

    def check(self) -> None:
        """Do nothing unless the job was dropped.

        Raises:
            BusyError: if the job was dropped.
        """
        if self._is_dropped:
            raise BusyError("The request was dropped: its time is over, or the server is stopping.")

    def drop(self) -> None:
        """Cancel a job that waits, and free its work; let one that runs end at its next check."""
        self._is_dropped = True
        self._work = None
        self.future.cancel()

    def run(self) -> None:
        """Do the work, unless the job was dropped."""
        work, self._work = self._work, None
        if work is None or not self.future.set_running_or_notify_cancel():
            return
        try:
            result = work(self.check)
        except Exception as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class DecodingPool:
    """Daemonic threads that run jobs in their order.

    Args:
        count: number of threads.
    """

    def __init__(self, count: int) -> None:
        self._waiting: queue.SimpleQueue[DecodingJob[object] | None] = queue.SimpleQueue()
        self._running: set[DecodingJob[object]] = set()
        self._lock = threading.Lock()
        self._is_closed = False
        self._threads = [threading.Thread(target=self._work, name=f"decoding-{one}", daemon=True) for one in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[Callable[[], None]], _Result]) -> DecodingJob[_Result]:
        """Add a job.

        Args:
            work: as in `DecodingJob`.

        Raises:
            BusyError: if the server is stopping.
        """
        job = DecodingJob(work)
        with self._lock:
            if self._is_closed:
                raise BusyError("The server is stopping.")
            self._waiting.put(job)  # type: ignore[arg-type]
        return job

    def close(self, max_wait_s: float) -> None:
        """Drop the jobs that wait, and let the others end; drop those that take too long, with a warning.

        Args:
            max_wait_s: maximum time in which running jobs may end, s.
        """
        with self._lock:
            self._is_closed = True
        while not self._waiting.empty():
            self._drop_next()
        for _ in self._threads:
            self._waiting.put(None)
        deadline = time.monotonic() + max_wait_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            late = list(self._running)
        for job in late:
            job.drop()
        if late:
            _log.warning("%d requests were still being decoded %g s after the end of the server.", len(late), max_wait_s)

    def _drop_next(self) -> None:
        try:
            job = self._waiting.get_nowait()
        except queue.Empty:  # a thread was faster
            return
        if job is not None:
            job.drop()

    def _work(self) -> None:
        while job := self._waiting.get():
            with self._lock:
                self._running.add(job)
            job.run()
            with self._lock:
                self._running.discard(job)
            del job  # the thread would keep it until the next one

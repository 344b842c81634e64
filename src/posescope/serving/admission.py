"""Admission of requests: bounds on their number, and on the bytes of their bodies together."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from posescope.serving.refusals import BusyError

__all__ = ["Admission", "Hold"]

Hold = Callable[["Future[Any]"], None]


class Admission:
    """Counts requests that are unanswered or whose bodies are still in use. It is safe for threads.

    Attributes:
        max_requests: maximum number of requests.
        max_bytes: maximum size of their bodies together.
        requests, bytes: the present values.
    """

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self.max_requests, self.max_bytes = max_requests, max_bytes
        self.requests = self.bytes = 0
        self._lock = threading.Lock()

    @contextmanager
    def admit(self, body_bytes: int) -> Iterator[Hold]:
        """Count a request until the end of the block, and of the futures that the block passes to the yielded function.

        Args:
            body_bytes: size of its body, or the largest possible one.

        Raises:
            BusyError: if there are too many requests already.
        """
        with self._lock:
            if self.requests >= self.max_requests or self.bytes + body_bytes > self.max_bytes:
                raise BusyError(f"The server is busy with {self.requests} requests; repeat this one later.")
            self.requests, self.bytes = self.requests + 1, self.bytes + body_bytes
        holders = 1

        def release(_: "Future[Any] | None" = None) -> None:
            nonlocal holders
            with self._lock:
                holders -= 1
                if not holders:
                    self.requests, self.bytes = self.requests - 1, self.bytes - body_bytes

        def hold_until(done: "Future[Any]") -> None:
            nonlocal holders
            with self._lock:
                holders += 1
            done.add_done_callback(release)  # may run in the thread that does the work

        try:
            yield hold_until
        finally:
            release()

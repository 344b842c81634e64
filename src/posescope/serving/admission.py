"""Admission of requests: bounds on their number, and on the bytes of their bodies together."""

from collections.abc import Iterator
from contextlib import contextmanager

from posescope.serving.refusals import BusyError

__all__ = ["Admission"]


class Admission:
    """Counts unanswered requests. It is used by the thread of the event loop only.

    Attributes:
        max_requests: maximum number of requests.
        max_bytes: maximum size of their bodies together.
        requests, bytes: the present values.
    """

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self.max_requests, self.max_bytes = max_requests, max_bytes
        self.requests = self.bytes = 0

    @contextmanager
    def admit(self, body_bytes: int) -> Iterator[None]:
        """Count a request until the end of the block.

        Args:
            body_bytes: size of its body, or the largest possible one.

        Raises:
            BusyError: if there are too many requests already.
        """
        if self.requests >= self.max_requests or self.bytes + body_bytes > self.max_bytes:
            raise BusyError(f"The server is busy with {self.requests} requests; repeat this one later.")
        self.requests, self.bytes = self.requests + 1, self.bytes + body_bytes
        try:
            yield
        finally:
            self.requests, self.bytes = self.requests - 1, self.bytes - body_bytes

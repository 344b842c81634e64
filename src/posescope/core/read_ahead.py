"""Reading ahead: several calls of a function under way, for files whose latency is longer than their processing."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["map_ahead"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_ahead(function: Callable[[_Item], _Result], items: Iterable[_Item], in_flight: int) -> Iterator[_Result]:
    """Yield the results of a function in the order of its arguments, with several calls ahead in threads.

    Args:
        function: Called once per argument. The first error ends the iteration.
        items: The arguments; no more are taken than calls may be under way.
        in_flight: Number of calls under way, and of results held in memory, at least 1.
    """
    waiting: deque[Future[_Result]] = deque()
    executor = ThreadPoolExecutor(max_workers=in_flight, thread_name_prefix="read-ahead")
    try:
        for item in items:
            waiting.append(executor.submit(function, item))
            if len(waiting) >= in_flight:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)

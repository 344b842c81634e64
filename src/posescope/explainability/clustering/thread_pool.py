"""Many small calculations in parallel, each on one thread.

Numerical libraries split one operation among threads, which spend more time on synchronisation than on work where operations
are short (15 times slower on cores that are shared). Whole calculations in parallel need no synchronisation, and their results
do not depend on the number of cores. Fewer run at once where each needs much memory.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]
from tqdm import tqdm

from posescope.core.hardware import available_cpus

__all__ = ["map_in_threads"]

_MAX_BYTES = 4 * 2**30  # of all calculations that run at the same time

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def map_in_threads(
    calculate: Callable[[Item], Answer], items: Iterable[Item], description: str, bytes_each: int = 0
) -> list[Answer]:
    """Return the results for all items, in their order. Each calculation has one thread and one core.

    Args:
        calculate: a function that spends its time in NumPy or scikit-learn, which release the interpreter lock.
        items: its arguments.
        description: description of the progress bar.
        bytes_each: memory of one calculation, where that is much; as many run at once as fit in 4 GB, at least one.
    """
    work = list(items)
    cores = max(1, min(len(work), available_cpus(), _MAX_BYTES // max(1, bytes_each)))
    # OpenMP limits its threads per calling thread, so each worker sets its own limit; BLAS limits them per process.
    with _libraries().limit(limits=1), ThreadPoolExecutor(cores, initializer=_limit_this_thread) as pool:
        return list(tqdm(pool.map(calculate, work), total=len(work), desc=description, leave=False, delay=2))


def _limit_this_thread() -> None:
    _libraries().limit(limits=1)


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()  # cached: it scans all loaded libraries, which takes longer than a small calculation

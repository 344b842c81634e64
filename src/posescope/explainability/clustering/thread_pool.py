"""Many small calculations at once, each on one thread.

Numerical libraries divide one operation among threads, which then wait for one another more than they work where the operation
is short: 15 times slower where other work shares the cores. Whole calculations side by side need not wait, and what they give
does not depend on the number of cores. Where each needs much memory, fewer go at once than there are cores.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]
from tqdm import tqdm

from posescope.core.hardware import available_cpus

__all__ = ["map_in_threads"]

_MOST_BYTES = 4 * 2**30  # that the calculations under way may take together

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def map_in_threads(
    calculate: Callable[[Item], Answer], items: Iterable[Item], description: str, bytes_each: int = 0
) -> list[Answer]:
    """The answers for all items, in their order; one thread a core, and one core a calculation.

    Args:
        calculate: spends its time in NumPy or scikit-learn, which let other threads work meanwhile.
        items: in any number.
        description: of the progress bar.
        bytes_each: memory that a calculation takes while it is under way, where that is much: as many are under way as 4 GB
            hold, and one at least.
    """
    work = list(items)
    cores = max(1, min(len(work), available_cpus(), _MOST_BYTES // max(1, bytes_each)))
    # OpenMP counts threads by the thread that asks, so each worker limits its own; BLAS counts for the whole process.
    with _libraries().limit(limits=1), ThreadPoolExecutor(cores, initializer=_limit_this_thread) as pool:
        return list(tqdm(pool.map(calculate, work), total=len(work), desc=description, leave=False, delay=2))


def _limit_this_thread() -> None:
    _libraries().limit(limits=1)


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()  # it looks through all that is loaded, which takes longer than a small calculation

import os
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from posescope.explainability.clustering.thread_pool import map_in_threads


def numbers_of_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info()]


def test_results_are_in_order_and_each_has_one_thread() -> None:
    np.ones((8, 8)) @ np.ones((8, 8))  # loads a BLAS library
    before = numbers_of_threads()
    found = map_in_threads(lambda item: (item, max(numbers_of_threads())), range(7), "numbers")
    assert found == [(item, 1) for item in range(7)]
    assert numbers_of_threads() == before
    assert map_in_threads(str, [], "nothing") == []


def test_concurrency_is_limited_by_memory(monkeypatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    for bytes_each, most in [(2**30, 4), (2**40, 1), (0, 8)]:
        names = map_in_threads(lambda _: (time.sleep(0.002), threading.current_thread().name)[1], range(16), "names", bytes_each)
        assert 1 <= len(set(names)) <= most


def test_error_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        map_in_threads(lambda item: 1 // item, [1, 0], "fractions")

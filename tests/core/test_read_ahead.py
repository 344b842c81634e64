"""Tests of posescope.core.read_ahead: order, the number of calls under way, errors."""

import threading
from collections.abc import Iterator

import pytest

from posescope.core.read_ahead import map_ahead


def test_results_are_in_order() -> None:
    assert list(map_ahead(lambda number: number * 2, range(20), 4)) == [2 * number for number in range(20)]
    assert list(map_ahead(str, [], 4)) == []


def test_as_many_calls_are_under_way_as_asked() -> None:
    barrier = threading.Barrier(3, timeout=5)  # is passed by three calls at once, or not at all
    assert len(list(map_ahead(lambda _: barrier.wait(), range(6), 3))) == 6


def test_no_more_arguments_are_taken_than_needed() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = map_ahead(str, items(), 3)
    assert next(results) == "0"
    assert taken == [0, 1, 2]


def test_an_error_ends_the_iteration() -> None:
    results = map_ahead(lambda number: 1 / number, [1, 0, 1], 2)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        list(results)

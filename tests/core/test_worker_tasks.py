import copy
import platform
import threading
from typing import Any

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.core.worker_tasks import (
    Shared,
    TaskBatch,
    TaskError,
    TaskFailure,
    WorkerVersionError,
    describe_differences,
    keep_shared,
    run_batch,
    try_batch,
    version_fault,
    versions_here,
)


def scale(item: int, factor: int) -> int:
    return item * factor


def test_the_items_of_a_batch_run_in_order() -> None:
    batch = TaskBatch(scale, (3, 1, 2), versions_here())
    assert run_batch(batch, Shared.of((10,))) == [30, 10, 20]


def test_an_empty_batch_has_no_results() -> None:
    assert run_batch(TaskBatch(scale, (), versions_here()), Shared.of((10,))) == []


def test_preparations_run_before_the_items() -> None:
    order: list[str] = []
    batch = TaskBatch(order.append, ("item",), versions_here(), (lambda: order.append("prepared"),))
    run_batch(batch, Shared.of(()))
    assert order == ["prepared", "item"]


def test_another_version_is_named_with_both_numbers() -> None:
    batch = TaskBatch(scale, (1,), {**versions_here(), "numpy": "1.0.0"})
    with pytest.raises(WorkerVersionError) as caught:
        run_batch(batch, Shared.of((1,)))
    assert f"numpy {np.__version__} (here 1.0.0)" in str(caught.value)
    assert "torch" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_versions_are_those_of_the_imported_packages() -> None:
    found = versions_here()
    assert found["numpy"] == np.__version__
    assert found["python"] == ".".join(platform.python_version_tuple()[:2])
    assert all("+" not in text for text in found.values())


def test_a_worker_that_lacks_a_package_differs() -> None:
    assert describe_differences({"torch": "2.9"}, {}) == "torch missing (here 2.9)"
    assert describe_differences({"torch": "2.9"}, {"torch": "2.9", "other": "1"}) == ""


def test_all_workers_that_differ_are_listed() -> None:
    text = version_fault({"tcp://a:1": "numpy 1 (here 2)", "tcp://b:1": "torch 1 (here 2)"})
    assert "tcp://a:1: numpy 1 (here 2); tcp://b:1: torch 1 (here 2)" in text


def test_shared_objects_are_read_once_and_kept() -> None:
    shared = Shared.of((np.arange(3), "x"))
    assert keep_shared(shared) is shared
    (array, name) = shared.objects()
    assert (array.tolist(), name) == ([0, 1, 2], "x")
    assert shared.objects()[0] is array


def test_what_a_task_does_to_shared_objects_is_not_sent_on() -> None:
    """As with a network, in which a task has registered hooks while another worker asks for it."""
    shared = Shared.of(({"hooks": []},))
    shared.objects()[0]["hooks"].append("of a task")
    assert copy.copy(shared).objects() == ({"hooks": []},)


class LockedError(DataError):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


def fail_with_lock(item: int) -> None:
    raise LockedError(f"has a\nlock {item}")


def stop(item: int) -> None:
    raise StopIteration(item)


def make_lock(item: int) -> Any:
    return item, threading.Lock()


def fail(item: int) -> None:
    raise KeyError(item)


def tried(function: Any) -> Exception:
    pytest.importorskip("distributed")
    found = try_batch(TaskBatch(function, (7,), versions_here()), Shared.of(()))
    assert isinstance(found, TaskFailure)
    return found.error


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (fail_with_lock, "fail_with_lock failed in a Dask worker: LockedError: has a lock 7"),
        (stop, "StopIteration: 7"),
        (make_lock, "make_lock: expected a result that can be pickled"),
    ],
)
def test_what_cannot_be_sent_is_named_in_one_line(function: Any, text: str) -> None:
    from distributed.protocol.pickle import dumps, loads  # noqa: PLC0415  (an extra)

    error = tried(function)
    assert type(loads(dumps(error))) is TaskError
    assert text in str(error)
    assert "\n" not in str(error)


def test_an_unexpected_error_keeps_its_traceback_as_a_note() -> None:
    error = tried(fail)
    assert isinstance(error, KeyError)
    assert error.args == (7,)
    assert "raise KeyError(item)" in error.__notes__[0]


def test_results_of_a_tried_batch_are_returned() -> None:
    pytest.importorskip("distributed")
    assert try_batch(TaskBatch(scale, (3, 1), versions_here()), Shared.of((10,))) == [30, 10]

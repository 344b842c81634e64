import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from posescope.core.compute import ComputeOptions, current_cluster, run_in_processes, use_cluster
from posescope.core.paths import LEASES_VARIABLE, STORAGE_OPTIONS_VARIABLE


def add(item: int, offset: int) -> int:
    return item + offset


class Recorder:
    """A cluster that runs everything at once and keeps how it was called."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def map(
        self, function: Callable[..., Any], items: Iterable[Any], *, shared: tuple[Any, ...] = (), **options: Any
    ) -> Iterator[Any]:
        self.calls.append(options)
        return (function(item, *shared) for item in items)


def test_items_run_in_order_in_local_processes() -> None:
    assert list(run_in_processes(add, range(5), shared=(10,), workers=1, batch_size=2)) == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("variable", [STORAGE_OPTIONS_VARIABLE, LEASES_VARIABLE])
def test_processes_that_are_used_again_get_new_credentials_and_leases(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    names = [variable] * 2
    for text in ("{}", '{"s3": {}}'):
        monkeypatch.setenv(variable, text)
        assert list(run_in_processes(os.getenv, names, workers=2)) == [text] * 2
    monkeypatch.delenv(variable)
    assert list(run_in_processes(os.getenv, names, workers=2)) == [None] * 2


def test_no_items_give_no_results() -> None:
    assert list(run_in_processes(add, [], shared=(1,), workers=1)) == []


def test_an_error_of_a_task_is_raised_as_it_is() -> None:
    with pytest.raises(TypeError):
        list(run_in_processes(add, ["a"], shared=(1,), workers=1))


def test_the_current_cluster_gets_the_same_items_and_options() -> None:
    cluster = Recorder()
    with use_cluster(cluster):
        found = list(run_in_processes(add, range(3), shared=(1,), workers=5, batch_size=16, ordered=False))
    assert found == [1, 2, 3]
    assert cluster.calls == [{"batch_size": 16, "ordered": False}]


def fail_with(cluster: Recorder) -> None:
    with use_cluster(cluster):
        assert current_cluster() is cluster
        raise KeyError


def test_a_cluster_is_current_within_its_block_only() -> None:
    with pytest.raises(KeyError):
        fail_with(Recorder())
    assert current_cluster() is None


@pytest.mark.parametrize(
    "options",
    [
        {"backend": "spark"},
        {"scheduler": "tcp://host:8786"},
        {"backend": "dask", "scheduler": "host:8786"},
        {"backend": "dask", "scheduler": "http://host:8786"},
        {"backend": "dask", "scheduler": "tcp://host:8786", "workers": 2},
        {"backend": "dask", "scheduler": "tcp://host:8786", "worker_memory_gb": 2},
        {"backend": "dask", "workers": 0},
        {"backend": "dask", "worker_memory_gb": 0},
        {"allowed_failures": -1},
        {"connect_timeout_s": 0},
        {"nonsense": 1},
    ],
    ids=lambda options: ",".join(f"{name}={value}" for name, value in options.items()),
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ComputeOptions.model_validate(options)


@pytest.mark.parametrize("scheduler", ["tcp://127.0.0.1:8786", "tls://head.cluster:8786", "tcp://[::1]:8786"])
def test_addresses_of_schedulers_are_accepted(scheduler: str) -> None:
    assert ComputeOptions(backend="dask", scheduler=scheduler).scheduler == scheduler

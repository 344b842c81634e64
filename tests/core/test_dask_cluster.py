import socket
import sys

import pytest

from posescope.core.compute import ComputeOptions
from posescope.core.dask_cluster import ClusterError, ClusterUnavailableError, open_cluster

# Tests with a real scheduler and real workers: tests/cluster/test_dask.py.


def test_a_scheduler_that_does_not_answer_is_named_with_its_address() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nothing listens there, and no other process gets the port
        address = f"tcp://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(ClusterUnavailableError) as caught:
            open_cluster(ComputeOptions(backend="dask", scheduler=address, connect_timeout_s=0.5))
    assert str(caught.value).startswith(f"{address}: ")
    assert "compute.scheduler" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError) as caught:
        open_cluster(ComputeOptions(backend="dask"))
    assert "posescope[cluster]" in str(caught.value)
    assert not caught.value.may_pass

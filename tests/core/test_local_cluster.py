import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from posescope.core.local_cluster import MALLOC_ENVIRONMENT, limit_logs

# Tests with real workers: tests/cluster/test_dask.py.

LOGGERS = ("distributed", "distributed.comm", "distributed.nanny", "distributed.nanny.memory")


@pytest.fixture
def _levels() -> Iterator[None]:
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("_levels")
def test_dask_logs_a_worker_near_its_memory_limit_but_no_lost_connection() -> None:
    limit_logs()
    assert not logging.getLogger("distributed.comm").isEnabledFor(logging.ERROR)
    assert not logging.getLogger("distributed.nanny").isEnabledFor(logging.ERROR)
    assert logging.getLogger("distributed.nanny.memory").isEnabledFor(logging.WARNING)
    assert not logging.getLogger("distributed").isEnabledFor(logging.INFO)


def test_page_states_the_settings_of_local_clusters() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/how-to/cluster.md").read_text()
    assert all(f"export {name}={value}\n" in page for name, value in MALLOC_ENVIRONMENT.items())

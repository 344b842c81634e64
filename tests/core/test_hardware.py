"""Tests of posescope.core.hardware: affinity masks and limits count."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from posescope.core import hardware
from posescope.core.hardware import available_cpus, available_memory, configure_thread_pools

COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Remove limits from the environment and restore it after the test."""
    for name in (*COUNTS, "LOKY_MAX_CPU_COUNT", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "1")
        monkeypatch.delenv(name)
    return monkeypatch


def test_at_least_one_and_at_most_the_machine() -> None:
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity masks")
def test_affinity_mask_counts() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from posescope.core.hardware import available_cpus; print(available_cpus())"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "1"


def test_limit_of_the_user_counts(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert available_cpus() == 1


def test_thread_pools_are_limited_to_available_cpus(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setattr("posescope.core.hardware.available_cpus", lambda: 3)
    clean_environment.setattr("os.cpu_count", lambda: 64)
    clean_environment.setenv("OMP_NUM_THREADS", "2")
    configure_thread_pools()
    assert [os.environ[name] for name in COUNTS] == ["2", "3", "3", "3"]  # the value of the user is kept


@pytest.mark.parametrize(
    ("own", "expected"), [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None)]
)
def test_spin_count_is_set_unless_the_user_sets_it(
    clean_environment: pytest.MonkeyPatch, own: dict[str, str], expected: str | None
) -> None:
    for name, value in own.items():
        clean_environment.setenv(name, value)
    configure_thread_pools()
    assert os.environ.get("GOMP_SPINCOUNT") == expected


def test_thread_pools_are_not_limited_if_all_cpus_are_available(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setattr("posescope.core.hardware.available_cpus", lambda: 64)
    clean_environment.setattr("os.cpu_count", lambda: 64)
    configure_thread_pools()
    assert not set(COUNTS) & set(os.environ)


def test_available_memory_is_that_of_the_machine_or_of_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_MEMORY_CGROUPS", ((tmp_path, "memory.max", "memory.current"),))
    of_machine = available_memory()
    assert 2**20 < of_machine <= psutil.virtual_memory().total
    (tmp_path / "memory.max").write_text("max\n")  # no limit
    (tmp_path / "memory.current").write_text("1000\n")
    assert available_memory() > 2**20
    (tmp_path / "memory.max").write_text("5000\n")
    assert available_memory() == 4000
    (tmp_path / "memory.current").write_text("6000\n")
    assert available_memory() == 0

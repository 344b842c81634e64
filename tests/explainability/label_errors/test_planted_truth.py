"""A reduced form of benchmarks/truth/label_errors.py: synthetic persons with a network that errs."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "truth" / "label_errors.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("truth_of_label_errors", SCRIPT)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["swapped", "displaced", "mirrored"])
def test_most_planted_errors_are_at_the_top(benchmark, kind) -> None:
    found, planted = benchmark._count_found(benchmark.synthetic_persons(seed=100, count=1000), kind, seed=100)
    assert planted == 50
    assert found >= 0.6 * planted

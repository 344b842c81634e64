import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from posescope.explainability.clustering import base, silhouettes
from posescope.explainability.clustering.silhouettes import describe_structure, measure_silhouettes
from posescope.explainability.features import row_blocks


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(400, 6)) + 50


def labellings(count: int, *clusters: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, k, count) for k in clusters]


def test_four_points_on_a_line_by_hand() -> None:
    # On a line at 0, 1 | 5, 9: own distances 1, 1, 4, 4; to the others 7, 6, 4.5, 8.5.
    (found,) = measure_silhouettes(np.array([[0.0], [1], [5], [9]]), [np.array([0, 0, 1, 1])])
    np.testing.assert_allclose(found.own, [1, 1, 4, 4])
    np.testing.assert_allclose(found.values, [6 / 7, 5 / 6, 0.5 / 4.5, 4.5 / 8.5])


def test_several_labellings_as_scikit_learn(points) -> None:
    labels = labellings(len(points), 2, 3, 7)
    for own, one in zip(measure_silhouettes(points, labels), labels, strict=True):
        np.testing.assert_allclose(own.values, silhouette_samples(points, one), atol=1e-9)


def test_float32_and_many_blocks(points, monkeypatch) -> None:
    monkeypatch.setattr(base, "_FLOAT64_VALUES", 0)
    monkeypatch.setattr(silhouettes, "_ROWS", 30)
    monkeypatch.setattr(silhouettes, "_COLUMNS", 70)
    (labels,) = labellings(len(points), 4)
    np.testing.assert_allclose(measure_silhouettes(points, [labels])[0].values, silhouette_samples(points, labels), atol=1e-5)


def test_one_copy_of_the_points_is_held(monkeypatch) -> None:
    monkeypatch.setattr(row_blocks, "_BLOCK_NUMBERS", 100_000)  # 0.8 MB
    points = np.random.default_rng(0).normal(size=(50_000, 60)).astype(np.float32)  # 12 MB
    (labels,) = labellings(len(points), 3)
    tracemalloc.start()
    measure_silhouettes(points, [labels], np.arange(20))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * points.nbytes


def test_sample_is_measured_against_all_points(points) -> None:
    labels, rows = labellings(len(points), 3), np.array([300, 2, 41])
    np.testing.assert_allclose(
        measure_silhouettes(points, labels, rows)[0].values, silhouette_samples(points, labels[0])[rows], atol=1e-9
    )


def test_singletons_and_coincident_points_have_0() -> None:
    (found,) = measure_silhouettes(np.array([[0.0], [1], [9]]), [np.array([0, 0, 1])])
    assert found.values[2] == 0
    (found,) = measure_silhouettes(np.ones((4, 2)), [np.array([0, 0, 1, 1])])
    assert found.values.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("value", "description"), [(0.1, "no substantial"), (0.3, "could be artificial"), (0.6, "reasonable"), (0.8, "a strong")]
)
def test_description_of_the_size(value: float, description: str) -> None:
    assert description in describe_structure(value)

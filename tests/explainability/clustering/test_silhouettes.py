import tracemalloc

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_samples

from posescope.explainability.clustering import silhouettes
from posescope.explainability.clustering import torch_backend as silhouettes_on_device
from posescope.explainability.clustering.silhouettes import describe_structure, measure_silhouettes
from posescope.explainability.features import row_blocks


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(400, 6)) + 50


def divisions(count: int, *clusters: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, k, count) for k in clusters]


def test_by_hand() -> None:
    # On a line at 0, 1 | 5, 9: own distances 1, 1, 4, 4; to the others 7, 6, 4.5, 8.5.
    (found,) = measure_silhouettes(np.array([[0.0], [1], [5], [9]]), [np.array([0, 0, 1, 1])])
    np.testing.assert_allclose(found.own, [1, 1, 4, 4])
    np.testing.assert_allclose(found.other, [7, 6, 4.5, 8.5])
    np.testing.assert_allclose(found.values, [6 / 7, 5 / 6, 0.5 / 4.5, 4.5 / 8.5])


def test_those_of_scikit_learn_in_several_divisions_at_once(points) -> None:
    labels = divisions(len(points), 2, 3, 7)
    for own, one in zip(measure_silhouettes(points, labels), labels, strict=True):
        np.testing.assert_allclose(own.values, silhouette_samples(points, one), atol=1e-9)


def test_in_float32_and_in_many_blocks(points, monkeypatch) -> None:
    monkeypatch.setattr(silhouettes, "_FEW_NUMBERS", 0)
    monkeypatch.setattr(silhouettes, "_ROWS", 30)
    monkeypatch.setattr(silhouettes, "_COLUMNS", 70)
    (labels,) = divisions(len(points), 4)
    np.testing.assert_allclose(measure_silhouettes(points, [labels])[0].values, silhouette_samples(points, labels), atol=1e-5)


@pytest.mark.parametrize(("few", "atol"), [(2_000_000, 1e-9), (0, 1e-5)], ids=["float64", "float32"])
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("block", [70, 16_384])
def test_on_a_device_in_several_divisions_at_once(points, monkeypatch, few: int, atol: float, block: int) -> None:
    monkeypatch.setattr(silhouettes, "_FEW_NUMBERS", few)
    monkeypatch.setattr(silhouettes_on_device, "_ROWS", 30)
    monkeypatch.setattr(silhouettes_on_device, "_COLUMNS", block)
    labels, rows = divisions(len(points), 2, 3, 7), np.random.default_rng(0).permutation(len(points))[:150]
    found = measure_silhouettes(points, labels, rows, torch.device("cpu"))
    for own, one in zip(found, labels, strict=True):
        np.testing.assert_allclose(own.values, silhouette_samples(points, one)[rows], atol=atol)


def test_one_copy_of_the_points_is_held(monkeypatch) -> None:
    monkeypatch.setattr(row_blocks, "_BLOCK_NUMBERS", 100_000)  # 0.8 MB
    points = np.random.default_rng(0).normal(size=(50_000, 60)).astype(np.float32)  # 12 MB
    (labels,) = divisions(len(points), 3)
    tracemalloc.start()
    measure_silhouettes(points, [labels], np.arange(20))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * points.nbytes


def test_a_sample_is_measured_against_everybody(points) -> None:
    labels, rows = divisions(len(points), 3), np.array([300, 2, 41])
    np.testing.assert_allclose(
        measure_silhouettes(points, labels, rows)[0].values, silhouette_samples(points, labels[0])[rows], atol=1e-9
    )


def test_alone_or_all_alike_is_zero() -> None:
    (found,) = measure_silhouettes(np.array([[0.0], [1], [9]]), [np.array([0, 0, 1])])
    assert found.values[2] == 0
    (found,) = measure_silhouettes(np.ones((4, 2)), [np.array([0, 0, 1, 1])])
    assert found.values.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("value", "words"), [(0.1, "no substantial"), (0.3, "could be artificial"), (0.6, "reasonable"), (0.8, "a strong")]
)
def test_words_for_their_size(value: float, words: str) -> None:
    assert words in describe_structure(value)

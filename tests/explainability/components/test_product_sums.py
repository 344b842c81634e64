import uuid
from pathlib import Path

import numpy as np
import pytest
from tests.pickling_cluster import PicklingCluster

from posescope.core.compute import use_cluster
from posescope.core.errors import DataError
from posescope.core.mirrors import open_mirror, publish
from posescope.explainability.components import product_sums
from posescope.explainability.components.product_sums import sum_covariance, sum_gram
from posescope.explainability.features import row_blocks

# With a real cluster: tests/cluster/test_dask.py.


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "_BLOCK_NUMBERS", 40)
    monkeypatch.setattr(product_sums, "_BLOCKS_PER_GROUP", 3)


def features_of(rows: int, width: int) -> np.ndarray:
    return np.random.default_rng(rows).normal(size=(rows, width)).astype(np.float32)


def test_covariance_is_that_of_numpy(small_blocks: None) -> None:
    values = features_of(101, 7)
    total = sum_covariance(values, values.mean(axis=0, dtype=np.float64))
    np.testing.assert_allclose(total.covariance(), np.cov(values.T.astype(np.float64)), atol=1e-12)
    assert total.count == 101


def test_gram_matrix_is_that_of_numpy(small_blocks: None) -> None:
    values = features_of(7, 101)
    mean = values.mean(axis=0, dtype=np.float64)
    centred = values.astype(np.float64) - mean
    np.testing.assert_allclose(sum_gram(values, mean), centred @ centred.T, atol=1e-12)


def test_few_rows_are_summed_block_by_block() -> None:
    """Up to a group of blocks, the bits are those of a plain sum over the rows."""
    values = features_of(50, 6)
    mean = values.mean(axis=0, dtype=np.float64)
    centred = values.astype(np.float64) - mean
    expected = (centred.T @ centred - np.outer(centred.sum(axis=0), centred.sum(axis=0) / 50)) / 49
    np.testing.assert_array_equal(sum_covariance(values, mean).covariance(), expected)


@pytest.mark.parametrize("start", [0, 5])
def test_a_cluster_gives_the_same_bits_and_reads_the_file_itself(small_blocks: None, tmp_path: Path, start: int) -> None:
    np.save(tmp_path / "values.npy", features_of(120, 8))
    values = np.load(tmp_path / "values.npy", mmap_mode="r")[start:]
    mean = values.mean(axis=0, dtype=np.float64)
    expected = sum_covariance(values, mean)
    cluster = PicklingCluster()
    with use_cluster(cluster):
        found = sum_covariance(values, mean)
    np.testing.assert_array_equal(found.covariance(), expected.covariance())
    np.testing.assert_array_equal(found.mean(), expected.mean())
    assert len(cluster.sizes) > 5
    assert max(cluster.sizes) < 1000, "the place in the file is sent, not the values"


@pytest.mark.parametrize("local", ["none", "other", "short"])
def test_a_worker_fetches_the_features_that_were_sent(small_blocks: None, tmp_path: Path, local: str) -> None:
    """The machine of a worker may have no file, or that of an earlier run."""
    values, mean, path = stored_features(tmp_path)
    expected = sum_covariance(values, mean)
    former = {"other": features_of(120, 8)[::-1], "short": features_of(3, 8)}.get(local)
    path.unlink()  # the memory map of this process keeps the former file
    if former is not None:
        np.save(path, former)
    with use_cluster(PicklingCluster()):
        found = sum_covariance(values, mean)
    np.testing.assert_array_equal(found.covariance(), expected.covariance())


def test_features_that_were_replaced_in_the_store_are_an_error(small_blocks: None, tmp_path: Path) -> None:
    values, mean, path = stored_features(tmp_path)
    path.unlink()
    np.save(path, features_of(120, 8)[::-1])
    publish(path)
    with use_cluster(PicklingCluster()), pytest.raises(DataError, match="memory://"):
        sum_covariance(values, mean)


def stored_features(folder: Path) -> tuple[np.ndarray, np.ndarray, Path]:
    """Return features (120, 8) of an object store as a memory map, their mean and their file."""
    path = open_mirror(f"memory://{uuid.uuid4().hex}", folder).root / "values.npy"
    np.save(path, features_of(120, 8))
    publish(path)
    values = np.load(path, mmap_mode="r")
    return values, values.mean(axis=0, dtype=np.float64), path


def test_a_cluster_gives_the_same_gram_matrix_of_values_in_memory(small_blocks: None) -> None:
    values = features_of(8, 120)
    mean = values.mean(axis=0, dtype=np.float64)
    expected = sum_gram(values, mean)
    cluster = PicklingCluster()
    with use_cluster(cluster):
        np.testing.assert_array_equal(sum_gram(values, mean), expected)
    assert len(cluster.sizes) > 5


def test_no_rows_have_an_empty_sum() -> None:
    assert sum_covariance(np.zeros((0, 3), dtype=np.float32), np.zeros(3)).count == 0

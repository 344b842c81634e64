"""Tests of posescope.datasets.records.ArraysDataset."""

from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError

from posescope.core.errors import DataError
from posescope.core.records import PoseTargets
from posescope.datasets import ArraysDataset

NAN = float("nan")
TARGETS = PoseTargets(
    person_ids=np.array([4, 7], dtype=np.int64),
    joints=np.array([[[1, 2], [NAN, NAN]], [[3.5, 4], [5, 6]]], dtype=np.float32),
    visibility=np.array([[2, 0], [1, 2]], dtype=np.uint8),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "targets.npz"


@pytest.fixture
def dataset(path: Path) -> ArraysDataset:
    return ArraysDataset(record="posescope.core.records.PoseTargets", filepath=str(path))


def test_round_trip(dataset: ArraysDataset) -> None:
    assert not dataset.exists()
    dataset.save(TARGETS)
    assert dataset.exists()
    read = dataset.load()
    for name in ("person_ids", "joints", "visibility"):
        found, expected = getattr(read, name), getattr(TARGETS, name)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


def test_no_persons_round_trip(dataset: ArraysDataset) -> None:
    dataset.save(PoseTargets(np.empty(0, np.int64), np.empty((0, 3, 2), np.float32), np.empty((0, 3), np.uint8)))
    assert dataset.load().joints.shape == (0, 3, 2)


def test_missing_file_is_named(dataset: ArraysDataset) -> None:
    with pytest.raises(DatasetError, match=r"targets\.npz") as caught:
        dataset.load()
    assert isinstance(caught.value.__cause__, DataError)


def test_pickled_objects_are_not_read(dataset: ArraysDataset, path: Path) -> None:
    path.parent.mkdir()
    objects = np.array([{"a": 1}], dtype=object)
    np.savez(path, person_ids=objects, joints=objects, visibility=objects)
    with pytest.raises(DatasetError, match="allow_pickle=False"):
        dataset.load()


def test_another_type_is_refused(dataset: ArraysDataset) -> None:
    with pytest.raises(DatasetError, match="ndarray"):
        dataset.save(np.zeros(3))


def test_failed_save_keeps_the_old_file(dataset: ArraysDataset, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset.save(TARGETS)
    before = path.read_bytes()

    def fail_after_writing(file: Path, **arrays: object) -> None:
        Path(file).write_bytes(b"partial")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", fail_after_writing)
    with pytest.raises(DatasetError, match="No space left"):
        dataset.save(TARGETS)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]

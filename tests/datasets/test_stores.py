"""Tests of posescope.datasets.stores."""

from pathlib import Path

import pytest
from kedro.io import DatasetError

from posescope.core.errors import DataError
from posescope.data.crops.crop_store import CropStore
from posescope.datasets import StoreDataset
from posescope.prediction.overlays import OverlayFolder

STORE = "posescope.data.crops.crop_store.CropStore"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "crops"


@pytest.fixture
def workspace(root: Path) -> StoreDataset:
    return StoreDataset(store=STORE, filepath=str(root), role="workspace")


@pytest.fixture
def result(root: Path) -> StoreDataset:
    return StoreDataset(store=STORE, filepath=str(root))


def finish(root: Path) -> CropStore:
    store = CropStore(root)
    store.begin()
    store.finish([])
    return store


def test_workspace_always_exists(workspace: StoreDataset, root: Path) -> None:
    assert workspace.exists()
    assert workspace.load() == CropStore(root)
    assert not root.exists(), "loading creates no folder"


def test_result_exists_after_finishing(result: StoreDataset, root: Path) -> None:
    assert not result.exists()
    CropStore(root).begin()
    assert not result.exists()
    finish(root)
    assert result.exists()
    assert result.load() == CropStore(root)


def test_unfinished_result_is_not_loaded(result: StoreDataset) -> None:
    with pytest.raises(DatasetError, match="CropStore") as caught:
        result.load()
    assert isinstance(caught.value.__cause__, DataError)


def test_finished_store_of_the_folder_is_accepted_unchanged(result: StoreDataset, root: Path) -> None:
    store = finish(root)
    before = (root / "crops.json").read_bytes()
    result.save(store)
    assert (root / "crops.json").read_bytes() == before


def test_unfinished_store_is_refused(result: StoreDataset, root: Path) -> None:
    with pytest.raises(DatasetError, match="finished"):
        result.save(CropStore(root))


def test_store_of_another_folder_is_refused(result: StoreDataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="CropStore"):
        result.save(finish(tmp_path / "other"))


def test_another_type_is_refused(result: StoreDataset, root: Path) -> None:
    root.mkdir()
    with pytest.raises(DatasetError, match="CropStore"):
        result.save(OverlayFolder(root))


def test_unknown_role_is_refused(root: Path) -> None:
    with pytest.raises(DatasetError, match="input"):
        StoreDataset(store=STORE, filepath=str(root), role="input")  # type: ignore[arg-type]


def test_description_contains_store_path_and_role(workspace: StoreDataset, root: Path) -> None:
    assert workspace._describe() == {"store": "CropStore", "filepath": str(root), "role": "workspace"}

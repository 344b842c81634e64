"""Tests of posescope.datasets.images_and_plots.ImageDataset."""

import base64
import errno
from pathlib import Path

import cv2
import numpy as np
import pytest
from kedro.io import DatasetError

from posescope.core.errors import DataError
from posescope.datasets import ImageDataset
from posescope.drawing.rgb_images import PngImage

# All values differ, so that exchanged axes or channels are detected.
IMAGE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "grid.png"


@pytest.fixture
def dataset(path: Path) -> ImageDataset:
    return ImageDataset(filepath=str(path))


def test_round_trip(dataset: ImageDataset) -> None:
    assert not dataset.exists()
    dataset.save(IMAGE)
    assert dataset.exists()
    read = dataset.load()
    np.testing.assert_array_equal(read.image, IMAGE)
    assert (read.image.dtype, read.text) == (np.uint8, {})


def test_text_is_stored_in_the_file(dataset: ImageDataset, path: Path) -> None:
    dataset.save(PngImage(IMAGE, {"model": "5dff31d2e0abdc8b", "data": ""}))
    read = dataset.load()
    assert read.text == {"model": "5dff31d2e0abdc8b", "data": ""}
    np.testing.assert_array_equal(read.image, IMAGE)
    np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], IMAGE, "other readers get the same image")
    path.write_bytes(path.read_bytes().replace(b"5dff", b"0000"))
    with pytest.raises(DatasetError, match="readable"):  # a changed chunk no longer fits its checksum
        dataset.load()


def test_file_is_rgb_for_other_readers(dataset: ImageDataset, path: Path) -> None:
    dataset.save(np.full((2, 2, 3), (200, 100, 0), dtype=np.uint8))
    blue, green, red = cv2.imread(str(path))[0, 0]
    assert (red, green, blue) == (200, 100, 0)


def test_preview_is_the_png_in_base64(dataset: ImageDataset, path: Path) -> None:
    dataset.save(IMAGE)
    content = base64.b64decode(dataset.preview(), validate=True)
    assert content.startswith(b"\x89PNG")
    assert content == path.read_bytes()


def test_missing_file_is_named(dataset: ImageDataset) -> None:
    with pytest.raises(DatasetError, match=r"grid\.png") as caught:
        dataset.load()
    assert isinstance(caught.value.__cause__, DataError)


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5, 3), np.float32)],
    ids=["grey", "rgba", "float"],
)
def test_other_arrays_are_refused(dataset: ImageDataset, array: np.ndarray) -> None:
    with pytest.raises(DatasetError, match=r"grid\.png"):
        dataset.save(array)
    assert not dataset.exists()


def test_another_type_is_refused(dataset: ImageDataset) -> None:
    with pytest.raises(DatasetError):
        dataset.save("grid")  # type: ignore[arg-type]


def test_failed_save_keeps_the_old_file(dataset: ImageDataset, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset.save(IMAGE)
    before = path.read_bytes()

    def fail_after_writing(path: Path, content: bytes) -> None:
        path.write_text("partial")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail_after_writing)
    with pytest.raises(DatasetError, match="could not write"):
        dataset.save(IMAGE)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]

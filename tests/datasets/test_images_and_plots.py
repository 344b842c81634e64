"""Tests of posescope.datasets.images_and_plots."""

import base64
import errno
from pathlib import Path

import cv2
import numpy as np
import pytest
from kedro.io import DatasetError
from PIL import Image

from posescope.core.errors import DataError
from posescope.datasets import ImageDataset
from posescope.drawing.rgb_images import PngImage

# Every channel of every pixel differs, so that an exchange of axes or channels shows.
PICTURE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "sheet.png"


@pytest.fixture
def dataset(path: Path) -> ImageDataset:
    return ImageDataset(filepath=str(path))


def test_round_trip(dataset: ImageDataset) -> None:
    assert not dataset.exists()
    dataset.save(PICTURE)
    assert dataset.exists()
    read = dataset.load()
    np.testing.assert_array_equal(read.image, PICTURE)
    assert (read.image.dtype, read.text) == (np.uint8, {})


def test_text_survives_in_the_file(dataset: ImageDataset, path: Path) -> None:
    dataset.save(PngImage(PICTURE, {"model": "5dff31d2e0abdc8b", "data": ""}))
    read = dataset.load()
    assert read.text == {"model": "5dff31d2e0abdc8b", "data": ""}
    np.testing.assert_array_equal(read.image, PICTURE)
    np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], PICTURE, "other readers see the picture as before")
    path.write_bytes(path.read_bytes().replace(b"5dff", b"0000"))
    with pytest.raises(DatasetError, match="readable"):  # a changed chunk no longer fits its checksum
        dataset.load()


def test_the_file_is_rgb_to_others(dataset: ImageDataset, path: Path) -> None:
    dataset.save(np.full((2, 2, 3), (200, 100, 0), dtype=np.uint8))
    blue, green, red = cv2.imread(str(path))[0, 0]
    assert (red, green, blue) == (200, 100, 0)


def test_the_preview_is_the_png_in_base64(dataset: ImageDataset, path: Path) -> None:
    dataset.save(PICTURE)
    content = base64.b64decode(dataset.preview(), validate=True)
    assert content.startswith(b"\x89PNG")
    assert content == path.read_bytes()


def test_a_missing_file_is_named(dataset: ImageDataset) -> None:
    with pytest.raises(DatasetError, match=r"sheet\.png") as caught:
        dataset.load()
    assert isinstance(caught.value.__cause__, DataError)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5, 3), np.float32)],
    ids=["grey", "rgba", "float"],
)
def test_other_arrays_are_refused(dataset: ImageDataset, wrong: np.ndarray) -> None:
    with pytest.raises(DatasetError, match=r"sheet\.png"):
        dataset.save(wrong)
    assert not dataset.exists()


def test_another_type_is_refused(dataset: ImageDataset) -> None:
    with pytest.raises(DatasetError):
        dataset.save("sheet")  # type: ignore[arg-type]


def test_a_failing_save_leaves_the_old_file(dataset: ImageDataset, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset.save(PICTURE)
    before = path.read_bytes()

    def write_half(_: Image.Image, place: Path, *__: object, **___: object) -> None:
        place.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", write_half)
    with pytest.raises(DatasetError, match="could not write"):
        dataset.save(PICTURE)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]

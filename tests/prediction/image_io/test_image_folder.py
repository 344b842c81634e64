"""Tests of posescope.prediction.image_io.image_folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.prediction.image_io.image_folder import ImageFolder, ImageIdAllocator, assign_image_ids


def test_image_is_read_as_rgb(tmp_path: Path, write_image: Any) -> None:
    image = write_image("a.png", (6, 8), (1, 2), (5, 3))
    np.testing.assert_array_equal(ImageFolder(tmp_path / "images").read("a.png"), image)


def test_image_file_is_a_folder_of_one_image(tmp_path: Path, write_image: Any) -> None:
    image = write_image("a.png", (6, 8), (1, 2), (5, 3))
    write_image("b.png", (6, 8), (1, 2), (5, 3))
    folder = ImageFolder(tmp_path / "images" / "a.png")
    assert folder.is_finished()
    np.testing.assert_array_equal(folder.read("a.png"), image)


@pytest.mark.parametrize("make", [True, False], ids=["empty", "absent"])
def test_folder_without_images_is_not_finished(tmp_path: Path, make: bool) -> None:
    folder = ImageFolder(tmp_path / "nothing")
    if make:
        folder.root.mkdir()
    assert not folder.is_finished()


def test_damaged_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="decoded"):
        ImageFolder(tmp_path).read("a.png")


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["000000000139.jpg", "below/zebra.png"], [139, 140]),
        (["1.png", "a.png", "b.png", "below/0002.png"], [1, 3, 4, 2]),
        (["a/1.png", "b/1.png", "c.png"], [1, 2, 3]),  # the first image with a number has priority
        (["a.png", "b.png"], [0, 1]),
    ],
)
def test_ids_are_the_unique_numbers_in_names(names: list[str], ids: list[int]) -> None:
    assert assign_image_ids(names) == ids


def test_known_ids_precede_numbers_in_names() -> None:
    assert assign_image_ids(["1.png", "2.png", "a.png"], {"1.png": 2}) == [2, 3, 4]


def test_ids_of_a_stream_are_unique() -> None:
    ids = ImageIdAllocator()
    assert [ids.allocate(requested) for requested in (None, 0, 3, None, None, 3, 5, None)] == [0, 1, 3, 2, 4, 5, 6, 7]

"""Tests of posescope.prediction.image_io.image_folder."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.prediction.image_io.image_folder import ImageFolder, ImageIdAllocator, read_images
from posescope.prediction.poses import ImageInfo


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    (tmp_path / "images").mkdir()
    return ImageFolder(tmp_path / "images")


def listed(folder: ImageFolder) -> list[ImageInfo]:
    return [info for info, _ in read_images(folder)]


def test_names_are_sorted_and_relative(tmp_path: Path, write_image: Any) -> None:
    for name in ("b.png", "a.JPG", "below/c.png"):
        write_image(name, (8, 8), (1, 1), (2, 2))
    (tmp_path / "images" / "notes.txt").write_text("no image")
    folder = ImageFolder(tmp_path / "images")
    assert folder.is_finished()
    assert folder.names() == ("a.JPG", "b.png", "below/c.png")


def test_an_image_is_read_as_rgb(tmp_path: Path, write_image: Any) -> None:
    image = write_image("a.png", (6, 8), (1, 2), (5, 3))
    np.testing.assert_array_equal(ImageFolder(tmp_path / "images").read("a.png"), image)


def test_one_file_is_a_folder_of_one(tmp_path: Path, write_image: Any) -> None:
    image = write_image("a.png", (6, 8), (1, 2), (5, 3))
    write_image("b.png", (6, 8), (1, 2), (5, 3))
    folder = ImageFolder(tmp_path / "images" / "a.png")
    assert folder.is_finished()
    assert folder.names() == ("a.png",)
    np.testing.assert_array_equal(folder.read("a.png"), image)


@pytest.mark.parametrize("make", [True, False], ids=["empty", "absent"])
def test_no_images(tmp_path: Path, make: bool) -> None:
    folder = ImageFolder(tmp_path / "nothing")
    if make:
        folder.root.mkdir()
    assert not folder.is_finished()
    with pytest.raises(DataError, match="no images here"):
        folder.names()


def test_a_broken_image_has_its_name_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a\.png: cannot be decoded"):
        ImageFolder(tmp_path).read("a.png")


def test_images_are_read_with_number_and_size(folder: ImageFolder, write_image: Any) -> None:
    write_image("000000000139.jpg", (40, 30), (1, 1), (2, 2))
    write_image("below/zebra.png", (20, 50), (1, 1), (2, 2))
    assert listed(folder) == [
        ImageInfo("000000000139.jpg", 139, (40, 30)),
        ImageInfo("below/zebra.png", 140, (20, 50)),
    ]


def test_no_image_gets_the_number_of_another(folder: ImageFolder, write_image: Any) -> None:
    for name in ("1.png", "a.png", "b.png", "below/0002.png"):
        write_image(name, (20, 50), (1, 1), (2, 2))
    assert {info.name: info.image_id for info in listed(folder)} == {"1.png": 1, "a.png": 3, "b.png": 4, "below/0002.png": 2}


def test_of_two_with_one_number_the_first_gets_it(folder: ImageFolder, write_image: Any) -> None:
    for name in ("a/1.png", "b/1.png", "c.png"):
        write_image(name, (20, 50), (1, 1), (2, 2))
    assert [info.image_id for info in listed(folder)] == [1, 2, 3]


def test_numbers_of_a_stream_are_never_given_twice() -> None:
    numbers = ImageIdAllocator()
    assert [numbers.give(wanted) for wanted in (None, 0, 3, None, None, 3, 5, None)] == [0, 1, 3, 2, 4, 5, 6, 7]


def test_images_without_numbers_are_counted_from_0(folder: ImageFolder, write_image: Any) -> None:
    for name in ("a.png", "b.png"):
        write_image(name, (20, 50), (1, 1), (2, 2))
    assert [info.image_id for info in listed(folder)] == [0, 1]


def test_a_broken_image_is_named_and_left_out(folder: ImageFolder, write_image: Any, caplog: pytest.LogCaptureFixture) -> None:
    write_image("1.png", (40, 30), (1, 1), (2, 2))
    (folder.root / "2.png").write_bytes(b"no image")
    with caplog.at_level(logging.WARNING, logger="posescope"):
        assert [info.name for info in listed(folder)] == ["1.png"]
    assert [record.getMessage() for record in caplog.records if "2.png" in record.getMessage()] == [
        f"left out: {folder.root / '2.png'}: cannot be decoded as an image."
    ]


def test_only_broken_images_are_an_error(folder: ImageFolder) -> None:
    (folder.root / "1.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="none of the 1 images can be read"):
        listed(folder)


def test_no_images_are_an_error(folder: ImageFolder) -> None:
    with pytest.raises(DataError, match="no images here"):
        listed(folder)

"""Tests of posescope.inference.images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posescope.errors import DataError
from posescope.inference.images import ImageFolder


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


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a\.png: cannot be decoded"):
        ImageFolder(tmp_path).read("a.png")

"""Tests of posescope.prediction.image_io.image_source."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.prediction.image_io.folder_listing import VIDEO
from posescope.prediction.image_io.image_source import ImageSource
from posescope.prediction.image_io.video import open_video_writer


@pytest.fixture
def root(tmp_path: Path, write_image: Any) -> Path:
    """Return a folder of two images, a damaged image, and a video of two frames."""
    for name in ("7.png", "a.png"):
        write_image(name, (40, 30), (1, 1), (2, 2))
    (tmp_path / "images" / "broken.png").write_text("no image")
    with open_video_writer(tmp_path / "images" / "clip.avi", 10, (48, 64)) as append:
        for _ in range(2):
            append(np.zeros((48, 64, 3), np.uint8))
    return tmp_path / "images"


def read(source: ImageSource, **known: int) -> tuple[list[tuple[str, int]], list[str]]:
    """Return names and ids of readable images, and the names of skipped files."""
    skipped: list[str] = []
    return [(image.name, image.image_id) for image in source.read(lambda name, _: skipped.append(name), known)], skipped


def test_images_precede_frames_which_get_the_next_ids(root: Path) -> None:
    found, skipped = read(ImageSource([root]))
    assert found == [("7.png", 7), ("a.png", 8), ("clip.avi#0", 10), ("clip.avi#1", 11)]
    assert skipped == ["broken.png"]


def test_videos_are_skipped_with_a_reason_if_disabled(root: Path) -> None:
    source = ImageSource([root], videos=False)
    assert read(source)[0] == [("7.png", 7), ("a.png", 8)]
    assert [(file.name, file.reason) for file in source.skipped_files] == [("clip.avi", VIDEO)]
    assert source.count() == 3


def test_known_ids_are_used(root: Path) -> None:
    assert read(ImageSource([root / "a.png"]), **{"a.png": 3})[0] == [("a.png", 3)]


def test_info_contains_name_id_and_size(root: Path) -> None:
    (image,) = ImageSource([root / "7.png"]).read(lambda *_: None)
    assert (image.info.name, image.info.image_id, image.info.size) == ("7.png", 7, (40, 30))


def test_two_images_of_one_name_are_an_error(root: Path) -> None:
    with pytest.raises(DataError, match=r"7\.png"):
        ImageSource([root, root / "7.png"])


def test_path_without_images_is_an_error_if_it_is_the_only_one(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        ImageSource([tmp_path / "empty"])
    assert read(ImageSource([tmp_path / "empty", root / "7.png"])) == ([("7.png", 7)], [str(tmp_path / "empty")])

"""Tests of posescope.prediction.image_io.folder_listing: every file is an image or video, or skipped with a reason."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from posescope.prediction.image_io.folder_listing import IMAGE_SUFFIXES, SkippedFile, count_reasons, list_media, mark_output
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.image_io.image_source import ImageSource

PNG = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()


def write(root: Path, *names: str, content: bytes = b"") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def reasons(root: Path) -> dict[str, str]:
    return {file.name: file.reason for file in list_media(root).skipped_files}


def test_every_file_is_listed_or_skipped(tmp_path: Path) -> None:
    write(tmp_path, "b.png", "a.JPG", "sub/c.jfif", "clip.MP4", "notes.txt", "photo.HEIC", "archive.zip")
    write(tmp_path, ".DS_Store", "._a.jpg", "Thumbs.db", "__MACOSX/a.jpg", ".git/a.jpg", "sub/desktop.ini")
    listing = list_media(tmp_path)
    assert listing.images == ("a.JPG", "b.png", "sub/c.jfif")
    assert listing.videos == ("clip.MP4",)
    system_files = dict.fromkeys(
        [".DS_Store", "._a.jpg", "Thumbs.db", "__MACOSX", ".git", "sub/desktop.ini"], "hidden or system file"
    )
    others = dict.fromkeys(["notes.txt", "archive.zip"], "no image or video by its suffix")
    assert reasons(tmp_path) == system_files | others | {"photo.HEIC": "image of a kind that cannot be read"}
    expected = "6 hidden or system file, 2 no image or video by its suffix, 1 image of a kind that cannot be read"
    assert count_reasons(listing.skipped_files) == expected


def test_file_without_suffix_is_an_image_by_its_first_bytes(tmp_path: Path) -> None:
    write(tmp_path, "000139", "sub/v1", content=PNG)
    write(tmp_path, "README", content=b"no image")
    assert list_media(tmp_path).images == ("000139", "sub/v1")
    assert reasons(tmp_path) == {"README": "no image or video by its suffix"}


def test_single_file_is_an_image_with_any_name(tmp_path: Path) -> None:
    write(tmp_path, ".hidden", "b.jpg", "c.webm")
    assert list_media(tmp_path / ".hidden").images == (".hidden",)
    assert list_media(tmp_path / "c.webm").videos == ("c.webm",)
    assert list_media(tmp_path / "absent") == list_media(tmp_path / "also absent")


def test_links_are_followed_without_loops(tmp_path: Path) -> None:
    write(tmp_path, "other/d.jpg", "photos/a.jpg", "photos/sub/b.jpg")
    root = tmp_path / "photos"
    (root / "link.jpg").symlink_to(tmp_path / "other" / "d.jpg")
    (root / "Elsewhere").symlink_to(tmp_path / "other")
    (root / "again").symlink_to(root / "sub")
    (root / "sub" / "up").symlink_to(root)
    (root / "missing.jpg").symlink_to(root / "absent.jpg")
    (root / "self.jpg").symlink_to(root / "self.jpg")
    listing = list_media(root)
    assert listing.images == ("Elsewhere/d.jpg", "a.jpg", "link.jpg", "sub/b.jpg")
    assert SkippedFile("again", "folder is listed already", "as sub") in listing.skipped_files
    assert SkippedFile("sub/up", "folder is listed already", "as the folder itself") in listing.skipped_files
    assert reasons(root)["missing.jpg"] == reasons(root)["self.jpg"] == "link to nothing"
    assert len(listing.skipped_files) == 4
    assert ImageSource([root], videos=False).names() == listing.images


def test_special_files_are_skipped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    assert list_media(tmp_path).images == ()
    assert reasons(tmp_path) == dict.fromkeys(["pipe", "pipe.jpg"], "no regular file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every folder")
def test_unreadable_folder_is_skipped_with_a_reason(tmp_path: Path) -> None:
    write(tmp_path, "closed/a.jpg", "b.jpg")
    (tmp_path / "closed").chmod(0)
    try:
        assert list_media(tmp_path).images == ("b.jpg",)
        assert reasons(tmp_path) == {"closed": "cannot be read"}
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_output_of_posescope_is_skipped_with_any_name(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "renamed/a.jpg.png", "old/overlays/b.png", "old/poses.json", "overlays/own.jpg")
    mark_output(tmp_path / "renamed")
    written = "written by posescope"
    assert reasons(tmp_path) == {"renamed": written, "old/overlays": written, "old/poses.json": "no image or video by its suffix"}
    assert list_media(tmp_path).images == ("a.jpg", "overlays/own.jpg"), "a folder of this name without mark is the user's"
    assert list_media(tmp_path / "renamed").images == ()


def test_data_dir_of_a_run_is_skipped_except_its_raw_data(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "out/01_raw/b.jpg", "out/08_reporting/c.png", "out/05_model_input/d.png", "08_reporting/own.jpg")
    (tmp_path / "out" / "07_model_output").mkdir()
    assert list_media(tmp_path).images == ("a.jpg", "out/01_raw/b.jpg")
    assert list_media(tmp_path / "out").images == ("01_raw/b.jpg",)


def test_linked_output_of_posescope_is_skipped(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "out/08_reporting/c.png", "old/overlays/b.png", "old/poses.json", "else/overlays/d.jpg")
    for link, target in (("plots", "out/08_reporting"), ("drawn", "old/overlays"), ("own", "else/overlays")):
        (tmp_path / link).symlink_to(tmp_path / target)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "plots").symlink_to(tmp_path / "plots")
    assert list_media(tmp_path).images == ("a.jpg", "else/overlays/d.jpg")
    assert reasons(tmp_path)["plots"] == reasons(tmp_path)["drawn"] == "written by posescope"
    assert reasons(tmp_path / "photos") == {"plots": "written by posescope"}


SUFFIX_FORMATS = {
    **dict.fromkeys([".jpg", ".jpeg", ".jpe", ".jfif"], "JPEG"),
    **dict.fromkeys([".png", ".apng"], "PNG"),
    **dict.fromkeys([".tif", ".tiff"], "TIFF"),
    **dict.fromkeys([".pbm", ".pgm", ".ppm", ".pnm"], "PPM"),
    ".mpo": "MPO",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
}


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_decoder_reads_every_suffix(tmp_path: Path, suffix: str) -> None:
    image = Image.new({".pbm": "1", ".pgm": "L"}.get(suffix, "RGB"), (60, 40), "white")
    image.save(tmp_path / f"a{suffix}", SUFFIX_FORMATS[suffix])
    folder = ImageFolder(tmp_path)
    assert list_media(tmp_path).images == (f"a{suffix}",)
    pixels = folder.read(f"a{suffix}")
    assert pixels.shape == (40, 60, 3)
    assert pixels.min() >= 250

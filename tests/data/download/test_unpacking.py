"""Tests of posescope.data.download.unpacking, also with malicious archives."""

import os
import stat
import zipfile
from collections import namedtuple

import pytest

from posescope.core.errors import DataError
from posescope.data.download.local_files import DiskSpaceError
from posescope.data.download.unpacking import ArchiveError, has_size, unpack

LIMITS = {"max_unpacked_bytes": 1_000_000, "min_free_bytes": 0}
FILES = {"val2017/1.jpg": b"one" * 1000, "val2017/2.jpg": b"two" * 2000, "val2017/read.me": b"text", "other/3.jpg": b"three"}


def is_selected(name):
    return name.startswith("val2017/") and name.endswith(".jpg")


@pytest.fixture
def folder(tmp_path):
    """Return the folder to unpack into; no file may appear outside of it."""
    return tmp_path / "data"


@pytest.fixture
def archive(tmp_path, make_zip):
    path = tmp_path / "val2017.zip"
    path.write_bytes(make_zip(FILES, zipfile.ZIP_STORED))
    return path


def read_files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_selected_files_are_unpacked(archive, folder):
    members, written = unpack(archive, folder, is_selected, **LIMITS)
    assert read_files(folder) == {name: FILES[name] for name in ("val2017/1.jpg", "val2017/2.jpg")}
    assert [(name, size) for name, (size, _) in members.items()] == [("val2017/1.jpg", 3000), ("val2017/2.jpg", 6000)]
    assert written == 2


def test_folders_of_an_archive_are_not_listed(tmp_path, folder):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("val2017/", b"")
        archive.writestr("val2017/1.jpg", b"one")
    assert list(unpack(path, folder, lambda name: True, **LIMITS)[0]) == ["val2017/1.jpg"]


def test_complete_files_are_not_written_again(archive, folder):
    unpack(archive, folder, is_selected, **LIMITS)
    first = folder / "val2017" / "1.jpg"
    os.utime(first, (1, 1))
    assert unpack(archive, folder, is_selected, **LIMITS)[1] == 0
    assert first.stat().st_mtime == 1


@pytest.mark.parametrize("damaged", [b"", b"one" * 999, b"One" * 1000], ids=["empty", "truncated", "same size"])
def test_damaged_file_is_written_again(archive, folder, damaged):
    unpack(archive, folder, is_selected, **LIMITS)
    (folder / "val2017" / "1.jpg").write_bytes(damaged)
    assert unpack(archive, folder, is_selected, **LIMITS)[1] == 1
    assert read_files(folder) == {name: FILES[name] for name in ("val2017/1.jpg", "val2017/2.jpg")}


def test_partial_files_of_a_killed_run_are_overwritten(archive, folder):
    (folder / "val2017").mkdir(parents=True)
    (folder / "val2017" / ".1.jpg.part").write_bytes(b"partial")
    unpack(archive, folder, is_selected, **LIMITS)
    assert set(read_files(folder)) == {"val2017/1.jpg", "val2017/2.jpg"}


def test_folder_that_is_a_link_is_followed(archive, folder, tmp_path):
    (tmp_path / "large_disk").mkdir()
    folder.mkdir()
    (folder / "val2017").symlink_to(tmp_path / "large_disk")
    unpack(archive, folder, is_selected, **LIMITS)
    assert {path.name for path in (tmp_path / "large_disk").iterdir()} == {"1.jpg", "2.jpg"}


def write_archive(path, name, *, mode=0, content=b"evil", flags=0):
    """Write an archive of a harmless file and a file with the given properties."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("val2017/1.jpg", b"one")
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        info.external_attr = mode << 16
        archive.writestr(info, content)
        info.flag_bits |= flags  # written to the central directory when the archive is closed


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg", "val2017/../../evil.jpg", "val2017/..", "..", "/etc/evil.jpg", "//host/evil.jpg", "val2017//evil.jpg",
        "./evil.jpg", "val2017/./evil.jpg", "C:evil.jpg", "C:/evil.jpg", "C:\\evil.jpg", "..\\evil.jpg",
        "val2017\\..\\..\\evil.jpg", "\\\\host\\evil.jpg", "val2017/evil.jpg\x00.txt", "val2017/1.jpg:stream",
    ],
)  # fmt: skip
def test_name_outside_the_folder_is_refused_before_writing(tmp_path, folder, name):
    path = tmp_path / "evil.zip"
    write_archive(path, name)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(ArchiveError, match=r"evil\.zip"):
        unpack(path, folder, lambda name: True, **LIMITS)
    with pytest.raises(ArchiveError):  # also if the file is not selected
        unpack(path, folder, lambda name: name == "val2017/1.jpg", **LIMITS)
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path, folder, kind):
    path = tmp_path / "evil.zip"
    write_archive(path, "val2017/link.jpg", mode=kind | 0o777, content=b"/etc/passwd")
    with pytest.raises(ArchiveError, match="link"):
        unpack(path, folder, is_selected, **LIMITS)
    assert not folder.exists()


def test_encrypted_file_is_refused(tmp_path, folder):
    path = tmp_path / "secret.zip"
    write_archive(path, "val2017/2.jpg", flags=1)
    with pytest.raises(ArchiveError, match="encrypted"):
        unpack(path, folder, is_selected, **LIMITS)


def test_two_files_of_one_name_are_refused(tmp_path, folder):
    path = tmp_path / "twice.zip"
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_archive(path, "val2017/1.jpg")
    with pytest.raises(ArchiveError, match="several"):
        unpack(path, folder, is_selected, **LIMITS)


def test_archive_that_states_too_many_bytes_is_refused(tmp_path, folder, make_zip):
    path = tmp_path / "bomb.zip"
    path.write_bytes(make_zip({"val2017/1.jpg": b"\0" * 600_000, "val2017/2.jpg": b"\0" * 400_001}))
    assert path.stat().st_size < 2000
    with pytest.raises(ArchiveError, match="max_unpacked_bytes"):
        unpack(path, folder, is_selected, **LIMITS)
    assert not folder.exists()
    assert unpack(path, folder, lambda name: name == "val2017/1.jpg", **LIMITS)[1] == 1, "only selected files count"


def test_archive_that_states_too_few_bytes_is_refused(tmp_path, folder):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("val2017/1.jpg", b"\0" * 5_000_000)
        archive.getinfo("val2017/1.jpg").file_size = 1000  # the size that the central directory states
    with pytest.raises(ArchiveError):
        unpack(path, folder, is_selected, **LIMITS)
    assert read_files(folder) == {}


def test_file_shorter_than_stated_is_refused(tmp_path, folder):
    path = tmp_path / "short.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("val2017/1.jpg", b"one")
        archive.getinfo("val2017/1.jpg").file_size = 1000
    with pytest.raises(ArchiveError, match="1000"):
        unpack(path, folder, is_selected, **LIMITS)
    assert read_files(folder) == {}


def test_damaged_file_is_detected_and_the_others_are_kept(archive, folder):
    raw = archive.read_bytes()
    assert raw.count(FILES["val2017/2.jpg"]) == 1, "stored, not compressed"
    archive.write_bytes(raw.replace(b"twotwo", b"twoTwo", 1))
    with pytest.raises(ArchiveError, match="CRC-32"):
        unpack(archive, folder, is_selected, **LIMITS)
    assert read_files(folder) == {"val2017/1.jpg": FILES["val2017/1.jpg"]}


@pytest.mark.parametrize("raw", [b"", b"<html>please log in</html>", None], ids=["empty", "a page", "truncated"])
def test_file_that_is_no_archive_is_refused(archive, folder, raw):
    archive.write_bytes(archive.read_bytes()[:-30] if raw is None else raw)
    with pytest.raises(ArchiveError, match="zip"):
        unpack(archive, folder, is_selected, **LIMITS)


def test_archive_without_selected_files_is_refused(archive, folder):
    with pytest.raises(ArchiveError, match="none"):
        unpack(archive, folder, lambda name: name.startswith("train2017/"), **LIMITS)


def test_only_missing_files_need_space(archive, folder, monkeypatch):
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(0, 0, 8_999))
    with pytest.raises(DiskSpaceError, match=r"9\.0 kB"):
        unpack(archive, folder, is_selected, **LIMITS)
    assert not folder.exists()
    (folder / "val2017").mkdir(parents=True)
    (folder / "val2017" / "1.jpg").write_bytes(FILES["val2017/1.jpg"])
    assert unpack(archive, folder, is_selected, **LIMITS)[1] == 1


def test_file_in_place_of_a_folder_is_refused(archive, folder):
    folder.mkdir()
    (folder / "val2017").write_text("of the user")
    with pytest.raises(DataError, match="written"):
        unpack(archive, folder, is_selected, **LIMITS)
    assert (folder / "val2017").read_text() == "of the user"


def test_only_a_regular_file_has_a_size(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert has_size(tmp_path / "a", 3)
    assert not has_size(tmp_path / "a", 4)
    assert not has_size(tmp_path / "a" / "b", 4)
    assert not has_size(tmp_path / "none", 0)
    assert not has_size(tmp_path, tmp_path.stat().st_size)

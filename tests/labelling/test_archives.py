"""Zip archives: members that would leave the folder, links, and archives that expand too far."""

import stat
import zipfile
from pathlib import Path

import pytest

from posescope.core.errors import DataError
from posescope.labelling.archives import unpacked
from posescope.labelling.label_set import LabelError


def make(path: Path, *members: str | zipfile.ZipInfo) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.writestr(member, "0" * 1000)
    return path


def test_members_are_unpacked_and_removed_and_images_left_out(tmp_path: Path) -> None:
    with unpacked(make(tmp_path / "a.zip", "a/b.xml", "a/c.jpg")) as folder:
        assert [path.name for path in folder.rglob("*.*")] == ["b.xml"]
        kept = folder
    assert not kept.exists()
    with unpacked(tmp_path / "a.zip", images=True) as folder:
        assert len(list(folder.rglob("*.*"))) == 2


def test_file_and_folder_are_themselves(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<a/>")
    for path in (tmp_path, tmp_path / "a.xml"):
        with unpacked(path) as place:
            assert place == path


def link_member() -> zipfile.ZipInfo:
    member = zipfile.ZipInfo("link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize("member", ["../a.xml", "a/../../b.xml", "/etc/a.xml", "..\\a.xml", "C:\\a.xml", link_member()], ids=str)
def test_unsafe_members_are_refused(member: str | zipfile.ZipInfo, tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", "fine.xml", member)
    with pytest.raises(LabelError), unpacked(path):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["a.zip"]


def test_large_damaged_and_missing_archives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError), unpacked(make(tmp_path / "a.zip", "a.xml", "b.xml"), max_bytes=1999):
        pass
    (tmp_path / "b.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:100])
    with pytest.raises(LabelError), unpacked(tmp_path / "b.zip"):
        pass
    with pytest.raises(DataError), unpacked(tmp_path / "c.zip"):
        pass

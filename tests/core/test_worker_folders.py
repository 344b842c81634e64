from pathlib import Path

import pytest

from posescope.core.mirrors import open_mirror
from posescope.core.worker_folders import MissingFolderError, SharedFolders, share_folders


def test_folders_that_the_worker_sees_are_accepted(tmp_path: Path) -> None:
    shared = share_folders([tmp_path, tmp_path])
    assert shared == SharedFolders(present=(tmp_path,))
    shared()


def test_a_folder_that_the_worker_lacks_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    shared = share_folders([folder])
    folder.rmdir()
    with pytest.raises(MissingFolderError) as caught:
        shared()
    assert str(caught.value).startswith(f"{folder}: ")
    assert "\n" not in str(caught.value)


def test_a_folder_that_does_not_exist_yet_is_left_out(tmp_path: Path) -> None:
    assert share_folders([tmp_path / "later"]) == SharedFolders()


def test_no_folders_need_no_preparation() -> None:
    share_folders([])()


def test_a_mirror_is_left_to_the_worker(tmp_path: Path) -> None:
    remote = open_mirror("memory://bucket/run", tmp_path)
    assert share_folders([remote.root, remote.root / "05_model_input", tmp_path]) == SharedFolders(present=(tmp_path,))

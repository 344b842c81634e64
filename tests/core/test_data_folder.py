"""Tests of posescope.core.data_folder: the lock, and checksums of files and folders."""

import errno
import fcntl
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import xxhash

from posescope.core.data_folder import ChecksumRecord, DataFolder, FolderInUseError, checksum_of, share_folder_lock
from posescope.core.errors import DataError

HOLD = """
import os, sys, time
from pathlib import Path
from posescope.core.data_folder import DataFolder
held = DataFolder(Path(sys.argv[1])).acquire_lock("pipelines modelling")
child = os.fork() if sys.argv[2] == "fork" else -1
os.write(1, f"{os.getpid() if child == 0 else 'held'}\\n".encode())  # in one piece: two processes write
time.sleep(60)
"""
WORK = """
import sys, time
from pathlib import Path
from posescope.core.data_folder import share_folder_lock
with share_folder_lock(Path(sys.argv[1])):
    print("at work", flush=True)
    time.sleep(60)
"""


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Start a Python process, wait for its first line, and kill it at the end."""
    started = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        assert started.stdout is not None
        started.stdout.close()


def first_lines(started: subprocess.Popen[str], count: int = 1) -> list[str]:
    assert started.stdout is not None
    return [started.stdout.readline().strip() for _ in range(count)]


def wait_until_free(folder: Path) -> None:
    for _ in range(100):
        try:
            DataFolder(folder).acquire_lock("test").release()
        except FolderInUseError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the folder stays locked")


def test_second_run_is_refused_with_a_description_of_the_first(tmp_path):
    held = DataFolder(tmp_path).acquire_lock("pipelines modelling")
    with pytest.raises(FolderInUseError) as caught:
        DataFolder(tmp_path).acquire_lock("another")
    assert f"process {os.getpid()} on " in str(caught.value)
    assert "pipelines modelling" in str(caught.value)
    assert "\n" not in str(caught.value)
    held.release()
    held.release()  # a second release has no effect
    DataFolder(tmp_path).acquire_lock("another").release()
    assert (tmp_path / ".lock").read_text() == ""


def test_links_and_relative_paths_are_the_same_folder(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    monkeypatch.chdir(tmp_path)
    held = DataFolder(tmp_path / "data").acquire_lock("first")
    for name in ("link", "data", "data/../link", "./data/"):
        with pytest.raises(FolderInUseError):
            DataFolder(Path(name)).acquire_lock("second")
    DataFolder(tmp_path / "elsewhere").acquire_lock("second").release()
    held.release()


def test_lock_ends_with_a_killed_run(tmp_path):
    with process(HOLD, tmp_path, "exclusive") as run:
        first_lines(run)
        with pytest.raises(FolderInUseError, match=rf"process {run.pid} .*pipelines modelling"):
            DataFolder(tmp_path).acquire_lock("second")
    DataFolder(tmp_path).acquire_lock("second").release()


def test_forked_process_keeps_the_lock_of_a_killed_run(tmp_path):
    with process(HOLD, tmp_path, "fork") as run:
        child = next(int(line) for line in first_lines(run, 2) if line.isdigit())
    with pytest.raises(FolderInUseError):
        DataFolder(tmp_path).acquire_lock("second")
    os.kill(child, 9)
    wait_until_free(tmp_path)


def test_worker_keeps_the_folder_locked_after_its_run_was_killed(tmp_path):
    crops = tmp_path / "05_model_input" / "crops"
    crops.mkdir(parents=True)
    with process(HOLD, tmp_path, "exclusive") as run:
        first_lines(run)
        with process(WORK, crops) as worker:
            assert first_lines(worker) == ["at work"]
            run.kill()
            run.wait()
            with pytest.raises(FolderInUseError, match="processes of an earlier run"):
                DataFolder(tmp_path).acquire_lock("second")
    wait_until_free(tmp_path)


def test_sharing_without_a_lock_or_by_the_owner_does_not_lock(tmp_path):
    with share_folder_lock(tmp_path / "crops"):
        assert list(tmp_path.iterdir()) == []
    held = DataFolder(tmp_path).acquire_lock("first")
    with share_folder_lock(tmp_path):
        held.release()
        DataFolder(tmp_path).acquire_lock("second").release()


@pytest.mark.parametrize("kind", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_file_system_without_locks_gives_a_warning(tmp_path, monkeypatch, caplog, kind):
    def refuse(*_):
        raise OSError(kind, os.strerror(kind))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level(logging.WARNING):
        DataFolder(tmp_path).acquire_lock("first").release()
        DataFolder(tmp_path).acquire_lock("second").release()
    assert str(tmp_path) in caplog.text


def test_unwritable_folder_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/data: "):
        DataFolder(tmp_path / "file" / "data").acquire_lock("first")


def test_checksum_records_round_trip_and_follow_links(tmp_path):
    folder, path = DataFolder(tmp_path), tmp_path / "03_primary" / "persons.parquet"
    assert folder.read_checksum(path) is None
    folder.write_checksum(path, ChecksumRecord("ab", {"keypoints": "cd"}))
    assert folder.read_checksum(path) == ChecksumRecord("ab", {"keypoints": "cd"})
    (tmp_path.parent / f"{tmp_path.name}-link").symlink_to(tmp_path)
    assert DataFolder(tmp_path.parent / f"{tmp_path.name}-link").read_checksum(path) == ChecksumRecord("ab", {"keypoints": "cd"})
    folder.write_checksum(tmp_path.parent / "outside.csv", ChecksumRecord("ab"))
    assert folder.read_checksum(tmp_path.parent / "outside.csv") is None


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"checksum": 1, "made_from": {}}', '{"checksum": "a", "made_from": {"b": 2}}', "{"]
)
def test_damaged_checksum_record_is_an_error(tmp_path, text):
    folder, path = DataFolder(tmp_path), tmp_path / "a.csv"
    folder.write_checksum(path, ChecksumRecord("ab"))
    folder.checksum_path(path).write_text(text)
    with pytest.raises(DataError, match=r"a\.csv\.json: "):
        folder.read_checksum(path)


def test_checksum_is_xxh3_of_content_and_of_names_in_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_bytes(b"x" * 5_000_000)
    assert checksum_of(tmp_path / "a" / "b.txt") == xxhash.xxh3_128_hexdigest(b"x" * 5_000_000)
    whole = checksum_of(tmp_path / "a")
    (tmp_path / "a" / ".DS_Store").touch()
    assert checksum_of(tmp_path / "a") == whole
    (tmp_path / "a" / "d.txt").touch()
    assert checksum_of(tmp_path / "a") != whole
    assert checksum_of(tmp_path / "a", without=("d.txt",)) == whole
    (tmp_path / "a" / "d.txt").unlink()
    (tmp_path / "a" / "b.txt").rename(tmp_path / "a" / "c.txt")
    assert checksum_of(tmp_path / "a") != whole


def test_folder_created_for_the_lock_is_removed_when_abandoned(tmp_path):
    DataFolder(tmp_path / "new").acquire_lock("refused").abandon()
    assert list(tmp_path.iterdir()) == []


def test_existing_or_used_folder_is_kept_when_abandoned(tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    DataFolder(there).acquire_lock("refused").abandon()
    held = DataFolder(tmp_path / "new").acquire_lock("refused")
    (tmp_path / "new" / "mine.txt").touch()
    held.abandon()
    assert there.is_dir()
    assert (tmp_path / "new" / "mine.txt").is_file()
    DataFolder(there).acquire_lock("the next").release()


def test_the_folder_is_free_after_a_lease_that_cannot_be_released(tmp_path: Path) -> None:
    class Lease:
        def release(self) -> None:
            raise DataError("unreachable")

    held = DataFolder(tmp_path).acquire_lock("modelling")
    held.lease = Lease()  # type: ignore[assignment]  # only its release is called
    with pytest.raises(DataError, match="unreachable"):
        held.release()
    DataFolder(tmp_path).acquire_lock("another").release()

"""Cropping that is killed at any moment: the next run writes only the missing files, with the same bytes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from posescope.data.crops import shard_writer as shard_file
from posescope.data.crops.crop_store import CropStore

# The moments at which the process is killed: its n-th write of a crop, or its n-th renaming of a file.
WRITES = [("write", number) for number in range(1, 8)]  # seven crops
RENAMES = [("rename", number) for number in range(1, 8)]  # three shards of two files each, and `crops.json`


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return the content of all files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def patch_to_kill_itself(monkeypatch: pytest.MonkeyPatch, event: str, number: int) -> None:
    """Make the process kill itself in the middle of its n-th write, or before or after its n-th renaming."""
    count = 0

    def is_due() -> bool:
        nonlocal count
        count += 1
        return count == number

    def append(self, person_id, crop, *colours, original=shard_file.ShardWriter.append):
        if is_due():
            self.stream.write(crop.data[: len(crop) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        original(self, person_id, crop, *colours)

    def replace(source, target, *, original=os.replace):
        due = is_due()
        if due and number % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        original(source, target)
        if due:
            os.kill(os.getpid(), signal.SIGKILL)

    if event == "write":
        monkeypatch.setattr(shard_file.ShardWriter, "append", append)
    else:
        monkeypatch.setattr("posescope.core.files.os.replace", replace)


def run_and_kill(monkeypatch: pytest.MonkeyPatch, event: str, number: int, work: Callable[[], object]) -> int:
    """Run `work` in a forked process that kills itself; return its exit code."""
    child = os.fork()
    if child == 0:
        patch_to_kill_itself(monkeypatch, event, number)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(("event", "number"), WRITES + RENAMES)
def test_killed_run_is_resumed(tiny_coco, cut, monkeypatch, tmp_path, event, number):
    def crop():
        return cut(tiny_coco.root, shard_persons=2, size_px=16)

    expected = bytes_of(crop().store.root)
    for path in (tmp_path / "crops").iterdir():
        path.unlink()
    assert run_and_kill(monkeypatch, event, number, crop) == -signal.SIGKILL

    store = CropStore(tmp_path / "crops")
    assert not store.is_finished()
    finished = {
        path.name: path.stat().st_mtime_ns for path in store.root.glob("shard-*.npy") if path.with_suffix(".json").exists()
    }
    crop()
    assert bytes_of(store.root) == expected
    assert {name: (store.root / name).stat().st_mtime_ns for name in finished} == finished


PROGRAM = """
import sys
from pathlib import Path
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.options import CropOptions
from posescope.data.crops.crop_store import CropStore

options = CropOptions(rule="padded_square", size_px=1024, workers=2, shard_persons=1)
folder, source = CocoFolder(Path(sys.argv[1])), SourceOptions()
found = read_annotations(folder, source)
boxed = box_persons(found.persons, found.keypoints, options)
write_crops(folder, source, boxed.persons, boxed.crop_boxes, CropStore(Path(sys.argv[2])), options)
"""


def start(source: Path, target: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, source, target], start_new_session=True, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("killed", ["process group", "parent"])
def test_two_killed_processes_are_resumed(tiny_coco, tmp_path, killed):
    assert start(tiny_coco.root, tmp_path / "complete").wait() == 0
    process = start(tiny_coco.root, tmp_path / "killed")
    deadline = time.monotonic() + 60
    while not list((tmp_path / "killed").glob("*.npy")) and time.monotonic() < deadline:
        time.sleep(0.001)
    (os.killpg if killed == "process group" else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    assert start(tiny_coco.root, tmp_path / "killed").wait() == 0
    expected, resumed = bytes_of(tmp_path / "complete"), bytes_of(tmp_path / "killed")
    # The children of a killed parent may still write the same bytes under temporary names.
    assert {name: content for name, content in resumed.items() if ".tmp" not in name} == expected

"""Runs of conf/test with all data in object storage, in processes that are killed; and what such a run must have made."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from posescope.core.object_store import ObjectStore

__all__ = ["StoredRun", "contents_of"]

REPOSITORY = Path(__file__).resolve().parents[2]
# Everything else names a time, a machine or an order: records of runs, checksums of records, versions, logs of nodes.
_COMPARED = ("metrics.json", "findings.json", "model.safetensors", "person_scores.csv", "targets.npz", ".npy")


@dataclass
class StoredRun:
    """Runs with one data_dir; each is a process of its own, with the mirrors of its machine.

    Attributes:
        data_dir, raw_dir: addresses.
        folder: mirrors, and the log of all runs.
        extra: further parameters, `key=value`.
        environment: further environment variables.
    """

    data_dir: str
    raw_dir: str
    folder: Path
    extra: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None
    machine: int = 0

    @property
    def log(self) -> Path:
        return self.folder / "run.log"

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a run of conf/test, or of the pipelines that the options select."""
        log = str(self.folder / "access_log.json")
        paths = {"data_dir": self.data_dir, "raw_dir": self.raw_dir, "test_access_log": log}
        params = ",".join([*(f"{name}={value}" for name, value in paths.items()), *self.extra])
        variables = {
            **os.environ, "POSESCOPE_CACHE_DIR": str(self.folder / f"machine-{self.machine}"), **(self.environment or {}),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")])),
        }  # fmt: skip
        with self.log.open("ab") as log_file:
            return subprocess.Popen(
                [sys.executable, "-m", "kedro", "run", "--env", "test", *options, "--params", params],
                cwd=REPOSITORY, env=variables, stdout=log_file, stderr=log_file, start_new_session=True,
            )  # fmt: skip

    def run(self, *options: str) -> None:
        """Run to the end."""
        process = self.start(*options)
        assert process.wait() == 0, self.log.read_text()[-3000:]

    def run_until(self, is_time: Callable[[], bool], *options: str) -> None:
        """Start a run and kill it with all its processes once `is_time`; it must not have ended before."""
        process = self.start(*options)
        while not is_time():
            assert process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def change_machine(self) -> None:
        """Let the next runs find nothing of the earlier ones on their machine."""
        shutil.rmtree(self.folder / f"machine-{self.machine}", ignore_errors=True)
        self.machine += 1

    def has_logged(self, text: str, since: int = 0) -> bool:
        """Return whether the log contains a text after its first `since` bytes."""
        return self.log.exists() and text.encode() in self.log.read_bytes()[since:]

    def count_kept_shards(self, since: int = 0) -> int:
        """Return how many shards a run did not write again, by its log after the first `since` bytes."""
        found = re.search(rb"(\d+) of them already complete", self.log.read_bytes()[since:])
        return 0 if found is None else int(found[1])


def contents_of(place: ObjectStore | Path) -> dict[str, str]:
    """Return the SHA-256 of each compared file of a data_dir, by its name without versions.

    Args:
        place: the data_dir, local or in object storage.
    """
    if isinstance(place, Path):
        files = {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if _is_compared(path.name)}
    else:
        files = {one.name: place.read(one.name) for one in place.list() if _is_compared(one.name)}
    missing = [end for end in _COMPARED if not any(name.endswith(end) for name in files)]
    assert missing == [], f"{place}: nothing to compare of {missing}"
    return {_without_version(name): hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def _is_compared(name: str) -> bool:
    return name.endswith(_COMPARED)


def _without_version(name: str) -> str:
    return "/".join(part for part in name.split("/") if not part[:4].isdigit())

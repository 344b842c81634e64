"""A file system of fsspec, `slow:///folder`: a local disk whose calls take as long as those of an object store.

Child processes import this file by the entry point that `make_importable` writes: fsspec finds it on their `PYTHONPATH`.
"""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

__all__ = ["SLOW_DELAY_VARIABLE", "SlowFileSystem", "make_importable"]

SLOW_DELAY_VARIABLE = "POSESCOPE_TEST_DELAY_S"


class SlowFileSystem(LocalFileSystem):  # type: ignore[misc]
    """A local disk with a latency of $POSESCOPE_TEST_DELAY_S seconds per call."""

    protocol = "slow"

    @classmethod
    def _strip_protocol(cls, path: Any) -> str:
        text = os.fspath(path)
        return str(LocalFileSystem._strip_protocol(text.removeprefix("slow://")))

    def _wait(self) -> None:
        time.sleep(float(os.environ.get(SLOW_DELAY_VARIABLE, "0.02")))

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        self._wait()
        with Path(path).open("rb") as stream:
            stream.seek(start or 0)
            return stream.read() if end is None else stream.read(end - (start or 0))

    def get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        self._wait()
        shutil.copyfile(rpath, lpath)

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        self._wait()
        shutil.copyfile(lpath, rpath)

    def pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        self._wait()
        super().pipe_file(path, value, **kwargs)

    def find(self, path: str, **kwargs: Any) -> Any:
        self._wait()
        return LocalFileSystem().find(path, **kwargs)

    def ls(self, path: str, detail: bool = False, **_: Any) -> Any:
        self._wait()
        return LocalFileSystem().ls(path, detail=detail)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        self._wait()
        return dict(LocalFileSystem().info(path))

    def rm_file(self, path: str) -> None:
        self._wait()
        super().rm_file(path)


def make_importable(folder: Path) -> str:
    """Write the entry point by which fsspec finds the protocol, register it here, and return the value of `PYTHONPATH`."""
    about = folder / "slow_files-1.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-files\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[fsspec.specs]\nslow = slow_files:SlowFileSystem\n")
    shutil.copyfile(__file__, folder / "slow_files.py")
    fsspec.register_implementation("slow", SlowFileSystem, clobber=True)
    sys.path.append(str(folder))  # processes of joblib take the path of this process, not PYTHONPATH
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])

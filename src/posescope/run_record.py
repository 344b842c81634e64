"""The record of a run: what was asked, of what data, with what versions, what came out, where it lies."""

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from posescope.errors import DataError
from posescope.files import write_json

__all__ = ["RunFolder", "RunRecord", "describe_versions", "write_run_record"]

_PACKAGES = ("posescope", "kedro", "torch", "numpy", "pandas", "opencv-python-headless", "scikit-learn", "pycocotools")


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        status: "completed", or "failed" when a node raised an error.
        error: kind and message of that error in one line; none if the run completed.
        run_id: Kedro's, also the version of what is versioned in the catalog.
        pipelines: which ran.
        env: in which environment.
        parameters: merged, as they stood.
        versions: of Python, the packages, and the commit.
        inputs: where each dataset lies that the run read and did not make, with the version that was read.
        outputs: where each dataset lies that the run made, with its version; of a failed run, what it had saved by then.
        data_fingerprint: of the crops, joints and splits, if the run read or made them.
        metrics: content of metrics.json, if the run evaluated.
    """

    status: Literal["completed", "failed"]
    error: str | None
    run_id: str
    pipelines: tuple[str, ...]
    env: str
    parameters: Mapping[str, Any]
    versions: Mapping[str, str | bool | None]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    data_fingerprint: str | None
    metrics: Mapping[str, Any] | None


@dataclass(frozen=True)
class RunFolder:
    """Owns the folder of run records."""

    root: Path

    def is_finished(self) -> bool:
        """True once there is a record."""
        return any(self.root.glob("*/run.json"))


def write_run_record(root: Path, record: RunRecord) -> Path:
    """Write `<root>/<run_id>/run.json`.

    Raises:
        DataError: if there is a record of that run already: records are never overwritten.
    """
    path = root / record.run_id.replace(":", ".") / "run.json"
    if path.exists():
        raise DataError(f"{path}: there is a record of this run already; records are never overwritten.")
    write_json(path, asdict(record))
    return path


def describe_versions(project_path: Path) -> dict[str, str | bool | None]:
    """Versions of Python and the packages that shape the numbers, and the commit of the project.

    `dirty` says whether there was more than that commit; both are None outside of git.
    """
    found: dict[str, str | bool | None] = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    changes = _git(project_path, "status", "--porcelain")
    return found | {"commit": _git(project_path, "rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()

"""The record of a run: what was asked, of what data, with what versions, what came out, where it lies."""

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from posescope.core.errors import DataError
from posescope.core.files import write_json

__all__ = ["RunFolder", "RunRecord", "begin_record", "commit_of", "describe_versions", "finish_record"]

Status = Literal["running", "completed", "failed", "interrupted"]

_PACKAGES = (
    "posescope", "kedro", "kedro-datasets", "torch", "numpy", "pandas", "opencv-python-headless", "simplejpeg", "scikit-learn",
    "pycocotools",
)  # fmt: skip
_GIT_TIMEOUT_S = 30


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        status: "running" from its first node on; "completed", "failed" when an error was raised, or "interrupted" (Ctrl-C) at its
            end. A killed run stays "running": its process is gone, and `journal.jsonl` beside the record tells how far it came.
        error: kind and message of that error in one line; none if the run completed.
        run_id: Kedro's, also the version of what is versioned in the catalog.
        started_utc, ended_utc: ISO 8601, to the second; none while it runs.
        process: pid and host of the process that ran it.
        pipelines: which were asked for.
        selection: the options that choose among their nodes, and versions to load; those that were not given are left out.
        nodes: names of the nodes that ran to their end, in the order of their beginning. With `only_missing_outputs` and slices
            these are fewer than the pipelines have.
        unfinished_nodes: names of the nodes that began and did not end.
        runner: name of the class.
        env: the environment; without `--env` and KEDRO_ENV, the default one.
        parameters: merged, as they stood.
        versions: of Python, the packages, and the commit of the code.
        inputs: where each dataset lies that a node has read and no node has made, with the version that was read.
        outputs: where each dataset lies that was saved, with its version.
        data_fingerprint: of the crops, joints and splits, if the run read or made them.
        metrics: content of metrics.json, if the run has made it.
    """

    status: Status
    error: str | None
    run_id: str
    started_utc: str
    ended_utc: str | None
    process: Mapping[str, int | str]
    pipelines: tuple[str, ...]
    selection: Mapping[str, Any]
    nodes: tuple[str, ...]
    unfinished_nodes: tuple[str, ...]
    runner: str
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

    def folder_of(self, run_id: str) -> Path:
        """The folder of one run's record."""
        return self.root / run_id.replace(":", ".")

    def is_finished(self) -> bool:
        """True once there is a record."""
        return any(self.root.glob("*/run.json"))


def begin_record(folder: Path, record: RunRecord) -> Path:
    """Write `<folder>/run.json` of a run that begins.

    Raises:
        DataError: if there is a record of that run already: records are never overwritten.
    """
    path = folder / "run.json"
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise DataError(f"{path}: there is a record of this run already; records are never overwritten.") from error
    write_json(path, asdict(record))
    return path


def finish_record(path: Path, record: RunRecord) -> None:
    """Put the record of the run at its end in the place of the one at its beginning."""
    write_json(path, asdict(record))


def describe_versions() -> dict[str, str | bool | None]:
    """Return the versions of Python and the packages that shape the numbers, and the commit of this package's code."""
    found: dict[str, str | bool | None] = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found | commit_of(Path(__file__))


def commit_of(source: Path) -> dict[str, str | bool | None]:
    """Return the commit that a source file is of, and whether the working tree has more than that commit.

    Args:
        source: the file. Git must track it: an installed package may lie below somebody's repository, of which it is no part.

    Returns:
        `commit` and `dirty`; both None where the file is tracked by no repository, or git is not installed.
    """
    if _git(source.parent, "ls-files", "--error-unmatch", "--", source.name) is None:
        return {"commit": None, "dirty": None}
    changes = _git(source.parent, "status", "--porcelain")
    return {"commit": _git(source.parent, "rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    # Variables such as GIT_DIR, which git sets for its own hooks, would name another repository.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=folder, env=clean, capture_output=True, text=True, check=True, timeout=_GIT_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()

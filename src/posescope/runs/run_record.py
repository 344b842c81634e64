"""The record of a run: its parameters, data, versions, metrics, and the places of its outputs."""

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal

from posescope.core.errors import DataError
from posescope.core.files import write_json

__all__ = ["RunFolder", "RunRecord", "begin_record", "commit_of", "describe_versions"]

Status = Literal["running", "completed", "failed", "interrupted"]

_PACKAGES = (
    "posescope", "kedro", "kedro-datasets", "torch", "numpy", "pandas", "opencv-python-headless", "simplejpeg", "scikit-learn",
    "pycocotools",
)  # fmt: skip
_GIT_TIMEOUT_S = 30


@dataclass(frozen=True)
class RunRecord:
    """The content of `run.json`.

    Attributes:
        status: "running" from the first node on, then "completed", "failed" (an error was raised) or "interrupted" (Ctrl-C). A
            killed run stays "running"; `journal.jsonl` beside the record holds its finished nodes.
        error: type and message of the error in one line; None without error.
        run_id: the id given by Kedro, also the version of versioned datasets.
        started_utc, ended_utc: ISO 8601, to the second; ended_utc is None while it runs.
        process: pid and host of the process.
        pipelines: names of the pipelines.
        selection: the options that select nodes, and versions to load; options that were not given are left out.
        nodes: names of the finished nodes, in the order of their start; fewer than the pipelines have if nodes were selected.
        unfinished_nodes: names of the nodes that started and did not finish.
        runner: name of the class.
        env: the environment; without `--env` and KEDRO_ENV, the default one.
        parameters: merged parameters.
        versions: versions of Python, the packages, and the commit of the code.
        inputs: path and version of each dataset that a node read and no node made.
        outputs: path and version of each dataset that was saved.
        data_fingerprint: fingerprint of the crops, joints and splits, if the run read or made them.
        metrics: content of metrics.json, if the run made it.
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
    """The folder of run records."""

    on_demand: ClassVar[None] = None  # of a mirror only what is read is fetched

    root: Path

    def folder_of(self, run_id: str) -> Path:
        """Return the folder of the record of a run."""
        return self.root / run_id.replace(":", ".")

    def is_finished(self) -> bool:
        """Whether there is a record."""
        return any(self.root.glob("*/run.json"))


def begin_record(folder: Path, record: RunRecord) -> Path:
    """Write `<folder>/run.json` of a run that starts.

    Args:
        folder: folder of the run; it must not exist yet.
        record: record of the run.

    Returns:
        The path of the file.

    Raises:
        DataError: if the folder exists.
    """
    path = folder / "run.json"
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise DataError(f"{path}: this run has a record already; records are never overwritten.") from error
    write_json(path, asdict(record))
    return path


def describe_versions() -> dict[str, str | bool | None]:
    """Return the versions of Python and of the packages that affect results, and the commit of this package."""
    found: dict[str, str | bool | None] = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found | commit_of(Path(__file__))


def commit_of(source: Path) -> dict[str, str | bool | None]:
    """Return the commit of a source file, and whether its working tree has uncommitted changes.

    Args:
        source: a file tracked by git. An installed package may be inside a repository that does not track it.

    Returns:
        `commit` and `dirty`; both None if no repository tracks the file, or git is not installed.
    """
    if _git(source.parent, "ls-files", "--error-unmatch", "--", source.name) is None:
        return {"commit": None, "dirty": None}
    changes = _git(source.parent, "status", "--porcelain")
    return {"commit": _git(source.parent, "rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    # Git sets variables such as GIT_DIR for its hooks; they would point to another repository.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=folder, env=clean, capture_output=True, text=True, check=True, timeout=_GIT_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()

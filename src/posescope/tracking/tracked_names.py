"""Which tracked run a training belongs to: a resumed training continues the run that began it.

08_reporting/runs/<id of the run>/tracking.json    {"trainings": {"<fingerprint>": "<name>"}}
"""

from pathlib import Path
from typing import Any

from posescope.core.errors import DataError
from posescope.core.files import read_json, write_json

__all__ = ["read_run_name", "resolve_name"]

_FILE, _RUNS = "tracking.json", "runs"


def resolve_name(folder: Path, run_id: str, fingerprint: str, new_name: str, is_resumed: bool) -> str:
    """Return the name of the tracked run of a training, and note it for later runs.

    Args:
        folder: folder of the reports (`08_reporting`).
        run_id: id of this run of posescope.
        fingerprint: fingerprint of the training or of the search.
        new_name: name of a tracked run that begins now.
        is_resumed: whether an earlier process trained some epochs.

    Raises:
        DataError: a note of an earlier run is damaged.
        OSError: the note cannot be written.
    """
    name = (_find_name(folder, fingerprint) if is_resumed else None) or new_name
    path = _path(folder, run_id)
    content = _read(path)
    write_json(path, {**content, "trainings": {**content.get("trainings", {}), fingerprint: name}})
    return name


def read_run_name(folder: Path, run_id: str) -> str:
    """Return the name of the tracked run that a run of posescope belongs to: that of its first training, or its own id.

    Args:
        folder: folder of the reports (`08_reporting`).
        run_id: id of the run of posescope.
    """
    trainings = _read(_path(folder, run_id)).get("trainings", {})
    return next((str(name).partition("/")[0] for name in trainings.values()), run_id)


def _find_name(folder: Path, fingerprint: str) -> str | None:
    """Return the name that the newest run has noted; ids of runs are times."""
    for path in sorted(folder.glob(f"{_RUNS}/*/{_FILE}"), reverse=True):
        if fingerprint in (trainings := _read(path).get("trainings", {})):
            return str(trainings[fingerprint])
    return None


def _path(folder: Path, run_id: str) -> Path:
    return folder / _RUNS / run_id.replace(":", ".") / _FILE


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("trainings", {}), dict):
        raise DataError(
            f'{path}: expected {{"trainings": {{"<fingerprint>": "<name>"}}}}, found another content. Remove the file; a '
            "resumed training of that run begins a new tracked run then."
        )
    return content

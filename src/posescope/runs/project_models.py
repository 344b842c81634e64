"""Lookup of trained models without Kedro: the `data_dir` of the project, and the newest model in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from posescope.artifacts.description import DESCRIPTION
from posescope.core.errors import DataError
from posescope.core.mirrors import OF_NO_MODEL, fetch_address
from posescope.core.paths import expand_home, is_address

__all__ = ["project_data_dir", "find_model"]

_MODELS = Path("06_models", "model")


def project_data_dir(folder: Path = Path(), leave_out: Sequence[str] = ()) -> Path:
    """Return the `data_dir` of the globals, `conf/local` before `conf/base`; `data` without a project.

    Args:
        folder: Root of the project.
        leave_out: Patterns of files that are not fetched from an address (`core.mirrors.fetch_address`).

    Raises:
        DataError: if the globals cannot be read.
    """
    for environment in ("local", "base"):
        path = folder / "conf" / environment / "globals.yml"
        content = _read_yaml(path) if path.is_file() else None
        if isinstance(content, dict) and isinstance(content.get("data_dir"), str):
            place = str(content["data_dir"])
            return fetch_address(place, leave_out) if is_address(place) else folder / expand_home(place)
    return folder / "data"


def find_model(place: Path | None, leave_out: Sequence[str] = OF_NO_MODEL) -> Path:
    """Return a model folder.

    Args:
        place: A model folder, the folder of its versions, or a data_dir, whose newest model is returned; None: the newest model
            of the project.
        leave_out: Patterns of files that are not fetched if the data_dir of the project is an address.

    Raises:
        DataError: if there is no model.
    """
    root = project_data_dir(leave_out=leave_out) if place is None else place
    candidates = [root] if (root / DESCRIPTION).is_file() else []
    for versions in (root, root / _MODELS):
        # Kedro's <name>/<version>/<name>; versions sort by time
        candidates += sorted(path.parent for path in versions.glob(f"*/{_MODELS.name}/{DESCRIPTION}"))[-1:]
    if not candidates:
        raise DataError(f"{root}: no trained model found. Train one (posescope run), or give a model folder: --model FOLDER.")
    return candidates[0]


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: not a YAML file ({' '.join(str(error).split())}). Correct it, or give a model folder: --model FOLDER."
        ) from error

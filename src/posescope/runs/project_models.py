"""The project's trained models, found without Kedro: `data_dir` of the globals, and the newest model below it."""

from pathlib import Path
from typing import Any

import yaml

from posescope.artifacts.description import DESCRIPTION
from posescope.core.errors import DataError
from posescope.core.paths import expand_home

__all__ = ["project_data_dir", "find_model"]

_MODELS = Path("06_models", "model")


def project_data_dir(folder: Path = Path()) -> Path:
    """`data_dir` as the project's globals say, `conf/local` before `conf/base`; without a project, `data`.

    Raises:
        DataError: if the globals cannot be read.
    """
    for environment in ("local", "base"):
        path = folder / "conf" / environment / "globals.yml"
        content = _read_yaml(path) if path.is_file() else None
        if isinstance(content, dict) and isinstance(content.get("data_dir"), str):
            return folder / expand_home(str(content["data_dir"]))
    return folder / "data"


def find_model(place: Path | None) -> Path:
    """The model that is meant.

    Args:
        place: a model folder, the folder of its versions, or a data_dir: its newest model; none: the project's newest.

    Raises:
        DataError: if there is no model.
    """
    root = project_data_dir() if place is None else place
    candidates = [root] if (root / DESCRIPTION).is_file() else []
    for versions in (root, root / _MODELS):
        # Kedro's <name>/<version>/<name>; names of versions sort by time.
        candidates += sorted(path.parent for path in versions.glob(f"*/{_MODELS.name}/{DESCRIPTION}"))[-1:]
    if not candidates:
        said = "no --model, and " if place is None else ""
        raise DataError(f"{said}no trained model in {root}: train one (posescope run), or name a model folder by --model.")
    return candidates[0]


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a YAML file ({' '.join(str(error).split())}). Mend it, or name a model folder.") from error

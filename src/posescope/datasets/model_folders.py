"""Trained models: one folder per version, safetensors and JSON."""

from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractVersionedDataset, DatasetError, Version

from posescope.artifacts.model_folder import load_model, save_model
from posescope.artifacts.pose_model import PoseModel
from posescope.prediction.estimator import ModelFolder

__all__ = ["ModelDataset", "find_versions"]


class ModelDataset(AbstractVersionedDataset[PoseModel, PoseModel | ModelFolder]):
    """A model folder; with `versioned: true` each run writes a new version, and the newest one is loaded.

    Example:
    ```yaml
    model:
      type: posescope.datasets.ModelDataset
      filepath: data/06_models/model
      versioned: true
    ```
    """

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        newest: bool = False,
        allow: Collection[str] = (),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Create the dataset.

        Args:
            filepath: path of the model folder.
            version: version of Kedro.
            newest: read-only; `filepath` is a model folder or a folder of versions, of which the newest is loaded.
            allow: dotted paths of components that the folder may name; a run adds those of its parameters.
            metadata: read by Kedro-Viz.
        """
        super().__init__(PurePosixPath(filepath), version, exists_function=_is_model, glob_function=find_versions)
        self.takes_newest = newest
        self.allow = tuple(allow)
        self.metadata = metadata

    def load(self) -> PoseModel | ModelFolder:
        """Return the model, on the CPU; with `newest` its folder, which may also hold an exported model."""
        if self.takes_newest:
            return ModelFolder(self.newest_folder(), self.allow)
        return load_model(Path(self._get_load_path()), allow=self.allow)

    def save(self, data: PoseModel) -> None:
        """Write the model folder atomically."""
        if self.takes_newest:
            raise DatasetError(f"{self._filepath}: a dataset with `newest` is read-only.")
        save_model(Path(self._get_save_path()), data)

    def newest_folder(self) -> Path:
        """Return the model folder, or the folder of the newest version."""
        root = Path(self._filepath)
        versions = [path for path in find_versions(str(root / "*" / root.name)) if _is_model(path)]
        return Path(versions[-1]) if versions and not _is_model(str(root)) else root

    def _exists(self) -> bool:
        if self._version is None:
            return _is_model(str(self.newest_folder()))
        # The requested version, else the newest; Kedro returns False if there is none.
        return _is_model(str(self._get_load_path()))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


def _is_model(path: str) -> bool:
    return (Path(path) / "model.json").is_file()


def find_versions(pattern: str) -> list[str]:
    """Return the path of every version of a dataset, the oldest first.

    Args:
        pattern: `<filepath>/*/<name>`, as Kedro makes it. Other special characters are literal: a folder may be named `runs [2]`.
    """
    path = Path(pattern)
    return [str(folder / path.name) for folder in sorted(path.parent.parent.glob("*")) if (folder / path.name).exists()]

"""The calibrated uncertainty of a model, kept in its model folder."""

from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractVersionedDataset, DatasetError, Version
from kedro_datasets._typing import JSONPreview

from posescope.artifacts.description import model_fingerprint, read_description
from posescope.artifacts.uncertainty import UNCERTAINTY, Uncertainty, read_uncertainty, write_uncertainty
from posescope.datasets.file_dataset import preview_if_saved
from posescope.datasets.model_folders import find_versions

__all__ = ["UncertaintyDataset"]


class UncertaintyDataset(AbstractVersionedDataset[Uncertainty, Uncertainty]):
    """`uncertainty.json` of a model folder. `filepath` is that of the model, and this name; versions are those of the model.

    A run writes into the model that it has trained, or into the newest one if it has trained none.

    Example:
    ```yaml
    uncertainty:
      type: posescope.datasets.UncertaintyDataset
      filepath: data/06_models/model/uncertainty.json
      versioned: true
    ```
    """

    def __init__(self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None) -> None:
        """Create the dataset.

        Args:
            filepath: `<path of the model folder>/uncertainty.json`; with versions: `<path of all versions>/uncertainty.json`.
            version: version of Kedro.
            metadata: read by Kedro-Viz.
        """
        path = PurePosixPath(filepath)
        if path.name != UNCERTAINTY:
            raise DatasetError(f"{filepath}: expected a file named {UNCERTAINTY}.")
        super().__init__(path.parent, version, exists_function=_is_model, glob_function=find_versions)
        self.metadata = metadata

    def load(self) -> Uncertainty:
        """Return the uncertainty of the model."""
        folder = Path(self._get_load_path()).parent
        found = read_uncertainty(folder, model_fingerprint(folder), read_description(folder).skeleton.joints)
        if found is None:
            raise DatasetError(f"{folder}: the model has no {UNCERTAINTY}. Run the pipeline modelling.")
        return found

    def save(self, data: Uncertainty) -> None:
        """Write the file beside the model that was calibrated."""
        folder = Path(self._get_save_path()).parent
        found = model_fingerprint(folder)
        if found != data.model:
            raise DatasetError(f"{folder}: expected the model {data.model}, which was calibrated, found the model {found}.")
        write_uncertainty(folder, data)

    def resolve_save_version(self) -> str | None:
        """Return the version of the model that this run has trained, else the version that it loads."""
        own = super().resolve_save_version()
        return own if own is None or _is_model(str(self._get_versioned_path(own))) else self.resolve_load_version()

    def saved_path(self) -> Path:
        """Return the path of the file that this run writes."""
        return Path(self._get_save_path())

    @preview_if_saved
    def preview(self) -> JSONPreview:
        """Return the content of the file for Kedro-Viz."""
        return JSONPreview(Path(self._get_load_path()).read_text(encoding="utf-8"))

    def _get_load_path(self) -> PurePosixPath:
        return super()._get_load_path() / UNCERTAINTY

    def _get_save_path(self) -> PurePosixPath:
        version = self.resolve_save_version()
        return (self._filepath if version is None else self._get_versioned_path(version)) / UNCERTAINTY

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


def _is_model(path: str) -> bool:
    return (Path(path) / "model.json").is_file()

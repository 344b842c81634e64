"""Where the datasets of a catalog lie, with the version that a run has read or written."""

from collections.abc import Iterable

from kedro.io import AbstractVersionedDataset, DataCatalog

from posescope.datasets import ModelDataset

__all__ = ["is_parameter", "load_path", "save_path", "load_paths"]


def is_parameter(name: str) -> bool:
    """Whether a dataset of this name is a parameter."""
    return name == "parameters" or name.startswith("params:")


def load_path(catalog: DataCatalog, name: str) -> str | None:
    """Return the path of the file or folder that is read, with its version; None for what stays in memory.

    After a dataset was loaded, and before it is released, this is the version that was loaded.
    """
    dataset = catalog.get(name)
    if isinstance(dataset, ModelDataset) and dataset.takes_newest:
        return str(dataset.newest_folder())
    # Where there is no version yet, Kedro cannot name one: the place of all of them is what can be said.
    if isinstance(dataset, AbstractVersionedDataset) and dataset.exists():
        return str(dataset._get_load_path())
    path = getattr(dataset, "_filepath", None)
    return str(path) if path else None


def save_path(catalog: DataCatalog, name: str) -> str | None:
    """Return the path that this run writes, with its own version: another run may have written a newer one since."""
    dataset = catalog.get(name)
    if isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None:
        return str(dataset._get_versioned_path(str(dataset.resolve_save_version())))
    return load_path(catalog, name)


def load_paths(catalog: DataCatalog, names: Iterable[str]) -> dict[str, str]:
    """Return the places of all that do not stay in memory, by name."""
    return {name: place for name in sorted(names) if not is_parameter(name) and (place := load_path(catalog, name))}

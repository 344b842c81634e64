"""Datasets of a catalog: their paths, with the version that a run reads or writes, and the pipelines that make them."""

from collections.abc import Iterable

from kedro.framework.project import pipelines
from kedro.io import AbstractVersionedDataset, DataCatalog

from posescope.datasets import ModelDataset, UncertaintyDataset

__all__ = ["is_parameter", "load_path", "load_paths", "makers_of", "save_path"]


def is_parameter(name: str) -> bool:
    """Return whether the dataset of this name is a parameter."""
    return name == "parameters" or name.startswith("params:")


def load_path(dataset: object) -> str | None:
    """Return the path of the file or folder that a dataset loads, with its version; None if it is kept in memory.

    After a dataset was loaded, and before it is released, this is the version that was loaded.
    """
    if isinstance(dataset, ModelDataset) and dataset.takes_newest:
        return str(dataset.newest_folder())
    # Without any version Kedro raises an error; then the common folder of all versions is returned.
    if isinstance(dataset, AbstractVersionedDataset) and dataset.exists():
        return str(dataset._get_load_path())
    path = getattr(dataset, "_filepath", None)
    return str(path) if path else None


def save_path(dataset: object) -> str | None:
    """Return the path that this run writes, with its own version: another run may have written a newer one since."""
    if isinstance(dataset, UncertaintyDataset):
        return str(dataset.saved_path())
    if isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None:
        return str(dataset._get_versioned_path(str(dataset.resolve_save_version())))
    return load_path(dataset)


def load_paths(catalog: DataCatalog, names: Iterable[str]) -> dict[str, str]:
    """Return the load paths of all datasets that are not kept in memory, by name.

    Args:
        catalog: The catalog of the run.
        names: Names of datasets and parameters; parameters have no path.
    """
    return {name: path for name in sorted(names) if not is_parameter(name) and (path := load_path(catalog.get(name)))}


def makers_of(name: str) -> list[str]:
    """Return the names of the pipelines that make a dataset."""
    return [key for key, flow in pipelines.items() if key != "__default__" and name in flow.all_outputs()]

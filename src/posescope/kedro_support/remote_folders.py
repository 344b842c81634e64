"""Hooks for data in object storage: credentials for the client, and local copies of the inputs of a run."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import AbstractVersionedDataset
from kedro.io.data_catalog import DataCatalog
from kedro.pipeline import Pipeline

from posescope.core.compute import StorageOptions
from posescope.core.data_folder import CHECKSUMS
from posescope.core.mirrors import ON_DEMAND, fetch, fetch_version, limit_copies, remote_of
from posescope.core.paths import STORAGE_OPTIONS_VARIABLE
from posescope.datasets import ModelDataset, StoreDataset
from posescope.kedro_support.dataset_paths import is_parameter

__all__ = ["RemoteFolders", "fetch_dataset"]

_FOLDER = "data_folder"


class RemoteFolders:
    """Give the client of object stores its credentials, and fetch the inputs of a run once its data folder is locked."""

    @hook_impl(trylast=True)  # after the check of the parameters
    def after_context_created(self, context: KedroContext) -> None:
        """Pass the entries of credentials.yml, one per protocol (`s3: {key: ...}`), to this process and its children.

        Local copies are bounded by the parameter `storage.cache_gb`.
        """
        with suppress(KeyError, MissingConfigException):
            credentials = context.config_loader["credentials"]
            options = {name: dict(entry) for name, entry in credentials.items() if isinstance(entry, Mapping)}
            if options:
                os.environ[STORAGE_OPTIONS_VARIABLE] = json.dumps(options)
        storage = StorageOptions.model_validate(context.config_loader["parameters"].get("storage", {}))
        limit_copies(storage.cache_gb)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: Mapping[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Fetch the free inputs and the stores of the pipeline; outputs too, if only missing ones are to be made.

        Raises:
            DataError: if the object store cannot be read.
        """
        wanted = pipeline.datasets() if run_params.get("only_missing_outputs") else pipeline.inputs()
        for name in sorted(wanted):
            if not is_parameter(name) and name in catalog:
                fetch_dataset(catalog.get(name))
        if _FOLDER in catalog:
            fetch(Path(catalog.load(_FOLDER).root) / CHECKSUMS)


def fetch_dataset(dataset: object) -> None:
    """Make the local copy of a dataset of a mirror equal to its objects; others are left alone.

    Args:
        dataset: dataset of the catalog. Of a versioned one the requested version is fetched, or the newest.
    """
    filepath = getattr(dataset, "_filepath", None)
    if filepath is None or remote_of(path := Path(filepath)) is None:
        return
    if isinstance(dataset, StoreDataset):
        on_demand = getattr(dataset._store_class, "on_demand", ON_DEMAND)
        if on_demand is not None:
            fetch(path, on_demand)
    elif isinstance(dataset, ModelDataset) and dataset.takes_newest:
        fetch_version(path, path.name)
        if not any(path.glob("*/*/model.json")):
            fetch(path)
    elif isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None:
        fetch_version(path, path.name, dataset._version.load)
    else:
        fetch(path)

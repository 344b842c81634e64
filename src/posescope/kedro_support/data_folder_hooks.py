"""Hooks for the data folder: only one run at a time writes to it, and changed or mismatched files are refused."""

import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import AbstractDataset, DatasetError
from kedro.io.data_catalog import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.validation.exceptions import DataValidationError

from posescope.artifacts.uncertainty import UNCERTAINTY
from posescope.core.data_folder import ChecksumRecord, DataFolder, FolderLock, checksum_of
from posescope.core.errors import DataError, PosescopeError, causes_of
from posescope.core.mirrors import publish_changed
from posescope.datasets import AccessLogDataset, ModelDataset, StoreDataset, UncertaintyDataset
from posescope.kedro_support.dataset_paths import load_path, makers_of, save_path

__all__ = ["DataFolderLock", "ChecksumCheck"]

_FOLDER = "data_folder"
_CHECKER = "_posescope_checker"
# May be applied to other data than they were made from.
_MODELS = (ModelDataset, UncertaintyDataset)


class DataFolderLock:
    """Lock the data folder from before the first node of a run until its end."""

    def __init__(self) -> None:
        # A run starts and ends in one thread; another run of this process has its own thread.
        self._held: dict[int, FolderLock] = {}

    @hook_impl(wrapper=True, tryfirst=True)
    def before_pipeline_run(
        self, run_params: Mapping[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> Generator[None, Any, Any]:
        """Lock the folder before anything is checked; release it if a check fails, since no other hook is called then.

        Raises:
            FolderInUseError: if another run has locked it.
        """
        self._release()  # the lock of an interrupted run of this thread, for which no hook was called
        if _FOLDER in catalog:
            self._held[threading.get_ident()] = catalog.load(_FOLDER).acquire_lock(_describe_run(run_params))
        try:
            return (yield)
        except BaseException:
            held = self._held.pop(threading.get_ident(), None)
            if held is not None:
                held.abandon()
            raise

    @hook_impl
    def before_node_run(self) -> None:
        """Check that no other machine has taken over the folder.

        Raises:
            LeaseLostError: if the lease of a remote folder is lost.
        """
        held = self._held.get(threading.get_ident())
        if held is not None:
            held.check()

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Release the folder once the run is recorded."""
        self._release()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """Release the folder once the failure is recorded."""
        self._release()

    def _release(self) -> None:
        held = self._held.pop(threading.get_ident(), None)
        if held is not None:
            held.release()


class ChecksumCheck:
    """Compare every file with its checksum before it is read, and the inputs of a node with one another."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Add checksum checks to all datasets of this run in the data folder."""
        if _FOLDER in catalog:
            folder = catalog.load(_FOLDER)
            for name in sorted(pipeline.datasets()):
                dataset = catalog.get(name)
                if dataset is not None and _has_checksum(dataset):
                    add_checksum_check(name, dataset, folder)

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Check that the inputs of the node were made from one another.

        Nodes of the report are exempt: they list results of other data and omit them. So are models, which may be applied to data
        that they were not trained on.

        Raises:
            DataError: if two inputs belong to different runs.
        """
        if "reporting" in node.tags:
            return
        records = _records_of(node.inputs, catalog)
        for name, record in records.items():
            stale = [
                other for other, checksum in record.made_from.items() if other in records and records[other].checksum != checksum
            ]
            if stale and not isinstance(catalog.get(name), _MODELS):
                raise DataError(
                    f"{load_path(catalog.get(name))}: {name} was made from an earlier {stale[0]} than the present one "
                    f"({load_path(catalog.get(stale[0]))}), so they belong to different runs. {_remedy_of(name)}"
                )
        _check_common_inputs(
            {name: record for name, record in records.items() if not isinstance(catalog.get(name), _MODELS)}, catalog
        )

    @hook_impl
    def after_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Keep the checksums of the inputs for the records of the outputs, which are saved next."""
        records = _records_of(node.inputs, catalog)
        for name in node.outputs:
            checker = _checker_of(catalog.get(name))
            if checker is not None:
                checker.made_from = {read: record.checksum for read, record in records.items()}

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Replace Kedro's error for a table that fails its schema.

        Raises:
            DataError: in place of Kedro's error.
        """
        if isinstance(error, DataValidationError) and error.mode == "load":
            message = " ".join(str(error).split())
            raise DataError(f"{message} {_remedy_of(error.dataset_name or '')}") from error


@dataclass
class ChecksumChecker:
    """Verifies and records the checksums of one dataset.

    Attributes:
        name: Name of the dataset.
        folder: The data folder.
        made_from: Checksums of the inputs of the node that saves the dataset.
    """

    name: str
    folder: DataFolder
    made_from: Mapping[str, str] = field(default_factory=dict)

    def verify(self, path: Path, checksum: str) -> None:
        """Compare the checksum of a file with the recorded one.

        Args:
            path: The file or folder.
            checksum: Its checksum now.

        Raises:
            DataError: if the file was changed since it was saved, or the record is damaged.
        """
        try:
            record = self.folder.read_checksum(path)
        except DataError as error:
            raise DataError(f"{error} {_remedy_of(self.name)}") from error
        if record is not None and record.checksum != checksum:
            raise DataError(
                f"{path}: {self.name} was changed since the last run wrote it: expected checksum {record.checksum}, found "
                f"{checksum}. {_remedy_of(self.name)} To use it unchanged, remove {self.folder.checksum_path(path)}."
            )


def add_checksum_check(name: str, dataset: AbstractDataset[Any, Any], folder: DataFolder) -> None:
    """Make a dataset verify what it loads and record what it saves, also in worker processes that receive a copy of it.

    Args:
        name: Name of the dataset.
        dataset: The dataset; changed in place.
        folder: The data folder.
    """
    # On the instance: the dataset keeps its class, and its checker is pickled with it.
    vars(dataset).update(
        {_CHECKER: ChecksumChecker(name, folder), "load": partial(_load, dataset), "save": partial(_save, dataset)}
    )


def _load(dataset: AbstractDataset[Any, Any]) -> Any:
    checker: ChecksumChecker = vars(dataset)[_CHECKER]
    path = Path(load_path(dataset) or "")
    if isinstance(dataset, StoreDataset):
        store = type(dataset).load(dataset)
        if (found := _fingerprint_of(store)) is not None:
            checker.verify(path, found)
        return store
    if path.exists():
        checker.verify(path, _checksum_of(dataset, path))
    try:
        return type(dataset).load(dataset)
    except DatasetError as error:
        if any(isinstance(cause, PosescopeError) for cause in causes_of(error)):
            raise
        cause = error.__cause__ or error
        message = " ".join(f"{type(cause).__name__}: {cause}".split())[:300]
        raise DataError(f"{path}: {checker.name} cannot be read ({message}). {_remedy_of(checker.name)}") from error


def _save(dataset: AbstractDataset[Any, Any], data: Any) -> None:
    checker: ChecksumChecker = vars(dataset)[_CHECKER]
    path = Path(save_path(dataset) or "")
    type(dataset).save(dataset, data)
    publish_changed(path)
    found = _fingerprint_of(data) if isinstance(dataset, StoreDataset) else _checksum_of(dataset, path)
    if found is not None:
        checker.folder.write_checksum(path, ChecksumRecord(found, checker.made_from))


def _checksum_of(dataset: AbstractDataset[Any, Any], path: Path) -> str:
    """Return the checksum of the files of a dataset; the uncertainty in a model folder is another dataset."""
    return checksum_of(path, without=(UNCERTAINTY,) if isinstance(dataset, ModelDataset) else ())


def _has_checksum(dataset: AbstractDataset[Any, Any]) -> bool:
    """Files and finished results have one; stores that nodes fill, and the access log that runs share, do not."""
    if isinstance(dataset, StoreDataset):
        return dataset._role == "result" and not isinstance(dataset, AccessLogDataset)
    return hasattr(dataset, "_filepath")


def _fingerprint_of(store: object) -> str | None:
    found = getattr(store, "fingerprint", None)
    return found if isinstance(found, str) else None


def _check_common_inputs(records: Mapping[str, ChecksumRecord], catalog: DataCatalog) -> None:
    """Check that files that were made from the same dataset were made from the same content of it."""
    seen: dict[str, tuple[str, str]] = {}  # dataset that was read -> file that was made from it, checksum at that time
    for name, record in records.items():
        for read, checksum in record.made_from.items():
            other, known = seen.setdefault(read, (name, checksum))
            if known != checksum:
                raise DataError(
                    f"{load_path(catalog.get(name))}: {name} and {other} were made from different contents of {read}, so they "
                    f"belong to different runs. {_remedy_of(name)}"
                )


def _checker_of(dataset: object) -> ChecksumChecker | None:
    return None if dataset is None else vars(dataset).get(_CHECKER)


def _records_of(names: list[str], catalog: DataCatalog) -> dict[str, ChecksumRecord]:
    """Return the checksum records of those datasets that have one."""
    found: dict[str, ChecksumRecord] = {}
    for name in names:
        dataset = catalog.get(name)
        checker = _checker_of(dataset)
        if checker is not None:
            record = checker.folder.read_checksum(Path(load_path(dataset) or ""))
            if record is not None:
                found[name] = record
    return found


def _remedy_of(name: str) -> str:
    makers = makers_of(name)
    if not makers:
        return "Write it again."
    return f"Run the pipeline {' or '.join(makers)} (kedro run --pipelines {makers[0]})."


def _describe_run(run_params: Mapping[str, Any]) -> str:
    names = ", ".join(run_params.get("pipeline_names") or ["__default__"])
    env = f" in the environment {run_params['env']}" if run_params.get("env") else ""
    return f"pipelines {names}{env}"

"""Hooks around the data folder: one run at a time works in it, and nothing is read that a run did not write."""

import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import AbstractDataset, AbstractVersionedDataset, DatasetError
from kedro.io.data_catalog import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.validation.exceptions import DataValidationError

from posescope.core.data_folder import ChecksumRecord, DataFolder, FolderLock, checksum_of
from posescope.core.errors import DataError, PosescopeError, causes_of
from posescope.datasets import AccessLogDataset, ModelDataset, StoreDataset

__all__ = ["DataFolderLock", "ChecksumCheck"]

_FOLDER = "data_folder"
_WATCH = "_posescope_watch"


class DataFolderLock:
    """Holds the data folder from before a run's first node until the run has ended."""

    def __init__(self) -> None:
        # A run begins and ends in one thread; another run of this process has a thread of its own.
        self._held: dict[int, FolderLock] = {}

    @hook_impl(wrapper=True, tryfirst=True)
    def before_pipeline_run(
        self, run_params: Mapping[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> Generator[None, Any, Any]:
        """Take the folder before anything is checked; give it up if a check fails: no other hook will be called then.

        Raises:
            FolderInUseError: if another run has it.
        """
        self._release()  # of a run of this thread that was interrupted, so that no hook was called
        if _FOLDER in catalog:
            self._held[threading.get_ident()] = catalog.load(_FOLDER).hold(_say_run(run_params))
        try:
            return (yield)
        except BaseException:
            held = self._held.pop(threading.get_ident(), None)
            if held is not None:
                held.abandon()
            raise

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Give the folder free once the run is recorded."""
        self._release()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """Give the folder free once the failure is recorded."""
        self._release()

    def _release(self) -> None:
        held = self._held.pop(threading.get_ident(), None)
        if held is not None:
            held.release()


class ChecksumCheck:
    """Compares every file with its checksum before it is read, and what a node reads with what it was made from."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Watch all datasets of this run that lie in the data folder."""
        if _FOLDER in catalog:
            folder = catalog.load(_FOLDER)
            for name in sorted(pipeline.datasets()):
                dataset = catalog.get(name)
                if dataset is not None and _is_watchable(dataset):
                    watch_dataset(name, dataset, folder)

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """See that what the node reads was made from what else it reads.

        The report is exempt: it leaves out, and names, what belongs to other data. So are models: one may meet data that it was
        not trained on.

        Raises:
            DataError: if two inputs are of different runs.
        """
        if "reporting" in node.tags:
            return
        notes = _notes_of(node.inputs, catalog)
        for name, note in notes.items():
            stale = [other for other, checksum in note.made_from.items() if other in notes and notes[other].checksum != checksum]
            if stale and not isinstance(catalog.get(name), ModelDataset):
                raise DataError(
                    f"{_path_of(name, catalog)}: {name} was made from another {stale[0]} than the one that is there now "
                    f"({_path_of(stale[0], catalog)}): they are of different runs. {_remedy_of(name)}"
                )
        _check_common_ground(
            {name: note for name, note in notes.items() if not isinstance(catalog.get(name), ModelDataset)}, catalog
        )

    @hook_impl
    def after_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Remember from what the outputs, which are saved next, were made."""
        notes = _notes_of(node.inputs, catalog)
        for name in node.outputs:
            watch = _watch_of(catalog.get(name))
            if watch is not None:
                watch.made_from = {read: note.checksum for read, note in notes.items()}

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Tell a table of the wrong kind as an error of the data.

        Raises:
            DataError: in the place of Kedro's own.
        """
        if isinstance(error, DataValidationError) and error.mode == "load":
            told = " ".join(str(error).split())
            raise DataError(f"{told} {_remedy_of(error.dataset_name or '')}") from error


@dataclass
class Watch:
    """Attributes: name: of the dataset; folder: the data folder; made_from: checksums of what the node that saves has read."""

    name: str
    folder: DataFolder
    made_from: Mapping[str, str] = field(default_factory=dict)

    def path_of(self, dataset: AbstractDataset[Any, Any], to_save: bool = False) -> Path:
        """The file or folder of a dataset, with its version."""
        if isinstance(dataset, ModelDataset) and dataset.takes_newest:
            return dataset.newest_folder()
        if isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None:
            if to_save:
                return Path(str(dataset._get_versioned_path(str(dataset.resolve_save_version()))))
            return Path(str(dataset._get_load_path()))
        return Path(str(dataset._filepath))  # type: ignore[attr-defined]

    def verify(self, path: Path, checksum: str) -> None:
        """Compare with what was noted.

        Raises:
            DataError: if the file is not what was saved, or the note is damaged.
        """
        try:
            note = self.folder.read_checksum(path)
        except DataError as error:
            raise DataError(f"{error} {_remedy_of(self.name)}") from error
        if note is not None and note.checksum != checksum:
            raise DataError(
                f"{path}: {self.name} is not what the last run wrote here: expected checksum {note.checksum}, found {checksum}. "
                f"{_remedy_of(self.name)} To use it as it is, remove {self.folder.checksum_path(path)}."
            )


def watch_dataset(name: str, dataset: AbstractDataset[Any, Any], folder: DataFolder) -> None:
    """Let a dataset check what it loads and note what it saves, in this process and in those that get a copy of it."""
    # On the instance: the dataset keeps its class, which others ask for, and goes to other processes with its watch.
    vars(dataset).update({_WATCH: Watch(name, folder), "load": partial(_load, dataset), "save": partial(_save, dataset)})


def _load(dataset: AbstractDataset[Any, Any]) -> Any:
    watch: Watch = vars(dataset)[_WATCH]
    if isinstance(dataset, StoreDataset):
        store = type(dataset).load(dataset)
        if (found := _fingerprint_of(store)) is not None:
            watch.verify(watch.path_of(dataset), found)
        return store
    path = watch.path_of(dataset)
    if path.exists():
        watch.verify(path, checksum_of(path))
    try:
        return type(dataset).load(dataset)
    except DatasetError as error:
        if any(isinstance(cause, PosescopeError) for cause in causes_of(error)):
            raise
        cause = error.__cause__ or error
        told = " ".join(f"{type(cause).__name__}: {cause}".split())[:300]
        raise DataError(f"{path}: {watch.name} cannot be read ({told}). {_remedy_of(watch.name)}") from error


def _save(dataset: AbstractDataset[Any, Any], data: Any) -> None:
    watch: Watch = vars(dataset)[_WATCH]
    path = watch.path_of(dataset, to_save=True)
    type(dataset).save(dataset, data)
    found = _fingerprint_of(data) if isinstance(dataset, StoreDataset) else checksum_of(path)
    if found is not None:
        watch.folder.write_checksum(path, ChecksumRecord(found, watch.made_from))


def _is_watchable(dataset: AbstractDataset[Any, Any]) -> bool:
    """Files and results in the data folder; not what is filled while others read it, nor the ledger, which several runs share."""
    if isinstance(dataset, StoreDataset):
        return dataset._role == "result"
    return hasattr(dataset, "_filepath") and not isinstance(dataset, AccessLogDataset)


def _fingerprint_of(store: object) -> str | None:
    found = getattr(store, "fingerprint", None)
    return found if isinstance(found, str) else None


def _check_common_ground(notes: Mapping[str, ChecksumRecord], catalog: DataCatalog) -> None:
    """See that files which were made from the same dataset were made from the same content of it."""
    seen: dict[str, tuple[str, str]] = {}  # by the dataset that was read: the file that was made from it, and its checksum then
    for name, note in notes.items():
        for read, checksum in note.made_from.items():
            other, known = seen.setdefault(read, (name, checksum))
            if known != checksum:
                raise DataError(
                    f"{_path_of(name, catalog)}: {name} and {other} were made from different contents of {read}: they are of "
                    f"different runs. {_remedy_of(name)}"
                )


def _watch_of(dataset: object) -> Watch | None:
    return None if dataset is None else vars(dataset).get(_WATCH)


def _notes_of(names: list[str], catalog: DataCatalog) -> dict[str, ChecksumRecord]:
    """What is noted of those datasets that are watched and saved."""
    found: dict[str, ChecksumRecord] = {}
    for name in names:
        dataset = catalog.get(name)
        watch = _watch_of(dataset)
        if dataset is not None and watch is not None:
            note = watch.folder.read_checksum(watch.path_of(dataset))
            if note is not None:
                found[name] = note
    return found


def _path_of(name: str, catalog: DataCatalog) -> Path | str:
    dataset = catalog.get(name)
    watch = _watch_of(dataset)
    return name if dataset is None or watch is None else watch.path_of(dataset)


def _remedy_of(name: str) -> str:
    makers = [key for key, flow in pipelines.items() if key != "__default__" and name in flow.all_outputs()]
    if not makers:
        return "Write it again."
    return f"Run the pipeline {' or '.join(makers)} (kedro run --pipelines {makers[0]})."


def _say_run(run_params: Mapping[str, Any]) -> str:
    names = ", ".join(run_params.get("pipeline_names") or ["__default__"])
    env = f" in the environment {run_params['env']}" if run_params.get("env") else ""
    return f"pipelines {names}{env}"

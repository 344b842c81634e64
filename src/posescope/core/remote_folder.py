"""A folder of an object store, given to all code as a local folder with the same relative names, its mirror.

    s3://bucket/run                                 <cache_dir>/s3/bucket/run
      03_primary/persons.parquet     fetch ->         03_primary/persons.parquet
      05_model_input/crops/...       <- publish       05_model_input/crops/...
                                                      .remote.json       names the address
                                                      .remote/<name>     per object: version, and the local copy it is equal to

The object store holds the truth: a local file that is no object does not exist. `core.mirrors` finds the remote folder of a path.

Files named as in `ON_DEMAND` are fetched one by one when they are read, and those used least recently are removed from this
machine when they exceed `cache_gb`; all others are fetched with their folder.
"""

import json
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from posescope.core.errors import DataError
from posescope.core.mirrors import MARKER, ON_DEMAND, remove_local
from posescope.core.object_store import ObjectStore, StoredObject
from posescope.core.paths import writer_number
from posescope.core.remote_lease import check_lease

__all__ = ["RemoteFolder"]

_COPIES = ".remote"
_GB = 1e9
_IN_FLIGHT = 16
_TEMPORARY = ".*.tmp"

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Copy:
    """What this machine knows of an object.

    Attributes:
        version: version of the object.
        size_bytes: size of the object.
        mtime_ns: modification time of the local file that is equal to it; None: there is no local file.
    """

    version: str
    size_bytes: int
    mtime_ns: int | None = None


@dataclass(frozen=True)
class RemoteFolder:
    """A folder of an object store and its mirror.

    Attributes:
        address: address of the folder, such as `s3://bucket/run`.
        root: the mirror.
        cache_gb: limit of the local copies of the files that are fetched on demand, GB.
    """

    address: str
    root: Path
    cache_gb: float

    @property
    def store(self) -> ObjectStore:
        """The client of the address."""
        return ObjectStore(self.address)

    def name_of(self, path: Path) -> str:
        """Return the name of the object of a local path; empty for the root."""
        name = path.absolute().relative_to(self.root).as_posix()
        return "" if name == "." else name

    def write_marker(self) -> None:
        """Write the hidden file by which every process finds the address of this mirror."""
        self.root.mkdir(parents=True, exist_ok=True)
        _replace_text(self.root / MARKER, json.dumps({"address": self.address, "cache_gb": self.cache_gb}))

    def publish(self, path: Path) -> None:
        """Upload a file, or replace the remote folder of that name; JSON files, which complete a folder, go last.

        Raises:
            DataError: if there is no such file or folder, or it cannot be written to the object store.
        """
        check_lease(self.address)  # in the thread of the task; `_upload` may run in others
        if not path.exists():
            raise DataError(
                f"{path}: expected a file or folder to upload to {self.address}, found none. Another process has removed it. Run "
                "the pipeline that makes it again."
            )
        if path.is_file():
            self._upload(path)
            self._limit_copies(path)
            return
        names = [self.name_of(file) for file in sorted(_files_below(path)) if not _is_hidden(file, path)]
        # Hidden objects, such as .gitkeep, are not uploaded here, so they are not of the former folder either.
        former = [found.name for found in self.store.list(self.name_of(path)) if not _is_hidden(self.root / found.name, path)]
        _, parts, last = _in_stages(former)
        self._delete_objects(last)
        self._delete_objects(parts)
        for stage in _in_stages(names):
            _for_all(self._upload, [self.root / name for name in stage])
        self._delete_objects(set(former) - set(names))

    def publish_changed(self, path: Path) -> None:
        """Upload those files of a file or folder that are not equal to their objects."""
        for file in _files_below(path):
            if self._is_unsent(self.name_of(file)) and not _is_hidden(file, path.parent):
                self._upload(file)

    def remove(self, path: Path) -> None:
        """Remove a file or folder, there before here."""
        name = self.name_of(path)
        is_file = path.is_file() or self._copy_of(name) is not None or self.store.stat(name) is not None
        # Some servers keep objects as files, and cannot delete an object that has the name of a folder.
        inside = [name] if is_file else [found.name for found in self.store.list(name)]
        for stage in reversed(_in_stages(inside)):
            self._delete_objects(stage)
        remove_local(path)

    def fetch(self, path: Path, on_demand: Sequence[str] = ON_DEMAND, keeps_unsent: bool = False) -> None:
        """Make the local copies of a file or folder equal to the objects, and remove files that are no objects.

        Args:
            path: the file or folder.
            on_demand: patterns of files that are not downloaded here, of their names or of their relative paths.
            keeps_unsent: keep local files that were neither uploaded nor downloaded as they are: a run may be at work on them.

        Raises:
            DataError: if an object cannot be read.
        """
        name = self.name_of(path)
        single = self.store.stat(name) if name else None
        found = [single] if single is not None else self.store.list(name)
        self._forget_others(path, {one.name for one in found}, keeps_unsent)
        stale = [one for one in found if not self._is_current(one) and not (keeps_unsent and self._is_unsent(one.name))]
        later = [one for one in stale if _matches(one.name, on_demand)]
        for one in later:
            (self.root / one.name).unlink(missing_ok=True)
            self._note(one.name, _Copy(one.version, one.size_bytes))
        wanted = [one.name for one in stale if one not in later]
        if wanted:
            log.info("Fetching %d files of %s/%s.", len(wanted), self.address, name)
        _for_all(self._download, wanted)

    def fetch_file(self, path: Path) -> None:
        """Make sure that a file of a fetched folder is on this machine, without asking for its version again.

        Raises:
            DataError: if there is no such object, or it cannot be read.
        """
        name = self.name_of(path)
        known = self._copy_of(name)
        if known is not None and known.mtime_ns is not None and path.is_file():
            os.utime(self._copy_path(name))  # used last
            return
        self._download(name)
        self._limit_copies(path)

    def stored_size(self, path: Path) -> int | None:
        """Return the size of the object as this machine knows it, bytes; None if it knows none."""
        known = self._copy_of(self.name_of(path))
        return None if known is None else known.size_bytes

    def known_names(self, folder: Path) -> set[str]:
        """Return the names of the objects directly in a folder, as this machine knows them."""
        place = self._copies / self.name_of(folder)
        return {one.name for one in place.iterdir() if one.is_file()} if place.is_dir() else set()

    def has_objects(self) -> bool:
        """Return whether this machine knows an object of the folder."""
        return any(_files_below(self._copies))

    @property
    def _copies(self) -> Path:
        return self.root / _COPIES

    def _copy_path(self, name: str) -> Path:
        return self._copies / name

    def _copy_of(self, name: str) -> _Copy | None:
        try:
            return _Copy(**json.loads(self._copy_path(name).read_bytes()))
        except (OSError, ValueError, TypeError):  # none, or left incomplete by a killed process: the object is fetched again
            return None

    def _note(self, name: str, copy: _Copy) -> None:
        path = self._copy_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace_text(path, json.dumps(vars(copy)))

    def _is_current(self, found: StoredObject) -> bool:
        known, path = self._copy_of(found.name), self.root / found.name
        try:
            status = path.stat()
        except OSError:
            return False
        return known == _Copy(found.version, status.st_size, status.st_mtime_ns) and status.st_size == found.size_bytes

    def _upload(self, path: Path) -> None:
        check_lease(self.address)
        name, status = self.name_of(path), path.stat()
        found = self.store.upload(path, name)
        self._note(name, _Copy(found.version, found.size_bytes, status.st_mtime_ns))

    def _download(self, name: str) -> None:
        path = self.root / name
        try:
            found = self.store.download(name, path)
        except FileNotFoundError as error:
            self._forget(name)
            raise DataError(
                f"{self.address}/{name}: expected an object, found none. It was removed, or its upload never ended. Run the "
                "pipeline that makes it again."
            ) from error
        self._note(name, _Copy(found.version, found.size_bytes, path.stat().st_mtime_ns))

    def _delete_objects(self, names: Collection[str]) -> None:
        """Delete objects, and what this machine knows of them; local files stay."""
        if names:
            check_lease(self.address)
            self.store.delete(names)
        for name in names:
            copy = self._copy_path(name)
            if not copy.is_dir():
                copy.unlink(missing_ok=True)

    def _forget(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)
        self._copy_path(name).unlink(missing_ok=True)

    def _is_unsent(self, name: str) -> bool:
        """Return whether there is a local file that was neither uploaded nor downloaded as it is."""
        known = self._copy_of(name)
        try:
            status = (self.root / name).stat()
        except OSError:
            return False
        return known is None or (known.size_bytes, known.mtime_ns) != (status.st_size, status.st_mtime_ns)

    def _forget_others(self, path: Path, names: Collection[str], keeps_unsent: bool) -> None:
        """Remove local files that are no objects: a killed process had not uploaded them, or another machine removed them."""
        known = self._copies / self.name_of(path)
        local = {self.name_of(file) for file in _files_below(path) if not _is_hidden(file, path)}
        # Another process renames its temporary note in a moment.
        noted = {one.relative_to(self._copies).as_posix() for one in _files_below(known) if not _matches(one.name, (_TEMPORARY,))}
        for name in (local | noted) - set(names):
            # What is no longer unsent may have been uploaded after the objects were listed.
            if not (keeps_unsent and (self._is_unsent(name) or self.store.stat(name) is not None)):
                self._forget(name)

    def _limit_copies(self, path: Path) -> None:
        """Remove the copies used least recently, but not `path`, until all files on demand take at most `cache_gb`."""
        if not _matches(path.name, ON_DEMAND):
            return
        found = []
        for pattern in ON_DEMAND:
            for copy in self._copies.rglob(pattern):
                local = self.root / copy.relative_to(self._copies)
                with suppress(OSError):  # another process has removed it
                    found.append((copy.stat().st_mtime_ns, local.stat().st_size, local))
        total = sum(size for _, size, _ in found)
        for _, size, local in sorted(found):
            if total <= self.cache_gb * _GB or local == path:
                continue
            name = self.name_of(local)
            known = self._copy_of(name)
            if known is not None and not self._is_unsent(name):  # an unsent file is written anew, and is uploaded in a moment
                local.unlink(missing_ok=True)
                self._note(name, replace(known, mtime_ns=None))
                total -= size


def _files_below(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        # Unlike `rglob`, this passes over folders that another process removes meanwhile.
        places = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        yield from (place for place in places if place.is_file())


def _in_stages(names: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Return the files of a folder in the order of their upload: no JSON, other JSON, and the JSON files that complete it.

    Those, such as `result.json`, lie at the top, and have one dot: plots are named `a.plotly.json`.
    """
    depth = min((name.count("/") for name in names if name.endswith(".json")), default=0)
    stages: tuple[list[str], list[str], list[str]] = ([], [], [])
    for name in names:
        is_last = name.count("/") == depth and name.rpartition("/")[2].count(".") == 1
        stages[1 + is_last if name.endswith(".json") else 0].append(name)
    return stages


def _replace_text(path: Path, text: str) -> None:
    """Write a text under a temporary name and rename it; `core.files` would publish it."""
    temporary = path.with_name(f".{path.name}.{writer_number()}.{threading.get_ident()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) or fnmatchcase(name.rpartition("/")[2], pattern) for pattern in patterns)


def _is_hidden(path: Path, folder: Path) -> bool:
    """Locks and temporary files, here and in the folder `.remote`."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _for_all(function: Callable[[T], None], items: Sequence[T]) -> None:
    """Call a function for all items, several at once; the first error is raised after the others have ended."""
    if len(items) == 1:
        function(items[0])
    elif items:
        with ThreadPoolExecutor(max_workers=min(_IN_FLIGHT, len(items)), thread_name_prefix="objects") as pool:
            list(pool.map(function, items))

"""Object storage (`s3://`, `gs://`, ...): reading, writing, listing and removing the objects of one address.

    ObjectStore("s3://bucket/run")  --fsspec-->  s3fs, gcsfs, ...      name "a/b.npy"  <->  object "run/a/b.npy"

An object appears whole or not at all: a PUT of an object store is atomic, and the parts of a large upload are joined at its end.
Sizes are compared after each transfer. Calls that fail by the network or the server are repeated (`core/storage_retries.py`).
Nothing is cached, so an object that another process wrote is seen at once.
"""

import builtins
import errno
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from posescope.core.errors import DataError
from posescope.core.read_ahead import map_ahead
from posescope.core.storage_file_systems import (
    clean_address,
    is_plain_name,
    open_file_system,
    storage_options,
    temporary_beside,
    unusable_names,
    version_of,
    writing_whole,
)  # fmt: skip
from posescope.core.storage_retries import (
    ErrorKind,
    ObjectStoreError,
    Retries,
    TruncatedObjectError,
    classify_error,
    http_status_of,
)

__all__ = ["ObjectStore", "ObjectStoreError", "StoredObject", "storage_options"]

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")
_TEMPORARY = re.compile(r"(^|/)\.[^/]+\.\d+\.tmp(\.[^./]+)?$")
# A larger object may be read by several requests, between which another process may replace it.
_SINGLE_READ_BYTES = 16 * 1024**2
_IN_FLIGHT = 16


@dataclass(frozen=True)
class StoredObject:
    """One object.

    Attributes:
        name: Name relative to the address of the store, with "/".
        size_bytes: Size.
        version: Text that changes with the content: the ETag, or size and time of the last change where there is none.
    """

    name: str
    size_bytes: int
    version: str


@dataclass(frozen=True)
class ObjectStore:
    """The objects below one address. It holds no connection: it can be pickled, forked and used by several threads.

    Attributes:
        address: `protocol://bucket/prefix`, without a final slash.
        retries: Repetition of failed calls.

    Raises:
        OptionsError: if the address is none.
    """

    address: str
    retries: Retries = field(default_factory=Retries)

    def __post_init__(self) -> None:
        """Check the address, and remove a final slash."""
        object.__setattr__(self, "address", clean_address(self.address))

    def read(self, name: str, start: int | None = None, end: int | None = None, expected_bytes: int | None = None) -> bytes:
        """Return the content of an object, or the bytes from `start` up to, not including, `end`, in one request.

        Args:
            name: Name of the object. The caller bounds its size.
            start: First byte, not negative; None for 0.
            end: Byte after the last one; None for the end of the object.
            expected_bytes: Number of bytes that must arrive, as from a listing; None: any. A body that a proxy cut and declared
                anew is known by nothing else.

        Raises:
            FileNotFoundError: if there is no such object.
            ObjectStoreError: if it cannot be read.
        """
        if end is not None and end <= (start or 0):
            return b""

        def _read(_: int) -> bytes:
            file_system = self._file_system()
            # s3fs asks for the size before it reads an object in parts. One part needs no size.
            is_whole = self.address.startswith(("s3://", "s3a://")) and start is None and end is None
            options = {"max_concurrency": 1} if is_whole else {}
            try:
                found = bytes(file_system.cat_file(self._path(name), start=start, end=end, **options))
            except OSError as error:
                if http_status_of(error) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # it begins behind the end
                    return b""
                raise
            if expected_bytes is not None and len(found) != expected_bytes:
                raise TruncatedObjectError(f"expected {expected_bytes:,} bytes, found {len(found):,}")
            return found

        return self._call(name, "read", _read)

    def read_many(self, names: Iterable[str], in_flight: int = _IN_FLIGHT) -> Iterator[tuple[str, bytes | Exception]]:
        """Yield the names and contents of objects, in order, with several requests under way.

        Args:
            names: Names of the objects.
            in_flight: Number of requests at one time, and of objects held in memory.

        Yields:
            The name, and the content or the error that stands for it (FileNotFoundError, ObjectStoreError).
        """

        def _read(name: str) -> tuple[str, bytes | Exception]:
            try:
                return name, self.read(name)
            except (FileNotFoundError, ObjectStoreError) as error:
                return name, error

        yield from map_ahead(_read, names, in_flight)

    def download(self, name: str, path: Path) -> StoredObject:
        """Write an object to a file: under a temporary name beside it, which is renamed when all bytes have arrived.

        Raises:
            FileNotFoundError: if there is no such object.
            ObjectStoreError: if it cannot be read, or not be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(path)

        def _download(_: int) -> StoredObject:
            found = self._info(name)
            self._file_system().get_file(self._path(name), str(temporary))
            _check_size(found, temporary.stat().st_size)
            if found.size_bytes > _SINGLE_READ_BYTES and self._info(name) != found:
                raise TruncatedObjectError(f"{name} was replaced while it was read")
            os.replace(temporary, path)
            return found

        try:
            return self._call(name, "read", _download)
        finally:
            temporary.unlink(missing_ok=True)

    def upload(self, path: Path, name: str) -> StoredObject:
        """Write a file to an object, whole or not at all.

        Raises:
            OSError: if the file cannot be read.
            ObjectStoreError: if the object cannot be written.
        """
        size_bytes = path.stat().st_size

        def _upload(_: int) -> StoredObject:
            file_system = self._file_system()
            with writing_whole(file_system, self._path(name)) as target:
                file_system.put_file(str(path), target)
            found = self._info(name)
            _check_size(found, size_bytes)
            return found

        return self._call(name, "write", _upload)

    def write(self, name: str, content: bytes) -> StoredObject:
        """Write an object, whole or not at all.

        Raises:
            ObjectStoreError: if it cannot be written.
        """

        def _write(_: int) -> StoredObject:
            file_system = self._file_system()
            with writing_whole(file_system, self._path(name)) as target:
                file_system.pipe_file(target, content)
            found = self._info(name)
            _check_size(found, len(content))
            return found

        return self._call(name, "write", _write)

    def create(self, name: str, content: bytes) -> bool:
        """Write an object only if there is none of that name, and return whether it was written.

        The store decides (`If-None-Match: *` of S3, a link of a local disk), so of several writers at one moment one succeeds. A
        server that ignores the condition lets the last one succeed: read the object again after a while where this matters.

        Args:
            name: Name of the object.
            content: A content that no other writer has, such as one with a random number. If the answer of a request was lost,
                the object is read to see which writer made it.

        Raises:
            ObjectStoreError: if it cannot be written.
        """
        if self.stat(name) is not None:
            return False

        def _create(failed: int) -> bool:
            # Without retries of the library, which would hide that an earlier request may have succeeded.
            file_system = self._file_system(is_single=True)
            try:
                with writing_whole(file_system, self._path(name), is_new=True) as target:
                    file_system.pipe_file(target, content, mode="create")
            except OSError as error:
                if error.errno == errno.ENOSYS:  # the server refuses the condition
                    file_system.pipe_file(self._path(name), content)
                    return True
                if classify_error(error) is not ErrorKind.PRESENT:
                    raise
                return failed > 0 and self.read(name) == content
            return True

        return self._call(name, "create", _create)

    def stat(self, name: str) -> StoredObject | None:
        """Return an object without its content, None if there is no such object.

        Raises:
            ObjectStoreError: if the store cannot be asked.
        """
        try:
            return self._call(name, "find", lambda _: self._info(name))
        except FileNotFoundError:
            return None

    def is_folder(self, name: str = "") -> bool:
        """Return whether there is an object in a folder or below it.

        Args:
            name: Name of the folder, "" for the address itself.

        Raises:
            ObjectStoreError: if the store cannot be asked.
        """
        try:
            found = self._call(name, "find", lambda _: self._file_system().info(self._path(name)))
        except FileNotFoundError:
            return False
        return bool(found["type"] == "directory")

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects, in any order. Those that do not exist are ignored.

        Raises:
            ObjectStoreError: if an object cannot be removed.
        """

        def _delete(name: str) -> None:
            try:
                self._call(name, "remove", lambda _: self._file_system().rm_file(self._path(name)))
            except FileNotFoundError:
                return

        for _ in map_ahead(_delete, names, _IN_FLIGHT):
            pass

    def folders(self, prefix: str = "") -> builtins.list[str]:
        """Return the names of the folders directly below a folder, sorted; [] if there are none.

        Args:
            prefix: Name of the folder, "" for the address itself.

        Raises:
            ObjectStoreError: if the folder cannot be listed.
        """
        infos = self._entries(prefix, recursive=False)
        return sorted(self._name_of(info).rstrip("/") for info in infos if info["type"] == "directory")

    def list(self, prefix: str = "", recursive: bool = True) -> builtins.list[StoredObject]:
        """Return the objects of a folder, sorted by name; [] if there are none.

        Args:
            prefix: Name of the folder, "" for all of the address.
            recursive: Include the objects of its sub-folders.

        Raises:
            ObjectStoreError: if the folder cannot be listed.
        """
        infos = [info for info in self._entries(prefix, recursive) if info["type"] == "file"]
        # Placeholders of empty folders and unfinished files of a local disk are left out.
        objects = [self._stored(i) for i in infos if not i["name"].endswith("/") and not _TEMPORARY.search(i["name"])]
        odd = unusable_names([each.name for each in objects])
        for name in sorted(odd):
            log.warning("%s/%s: an object of this name cannot be a local file; it is left out.", self.address, name)
        return sorted((each for each in objects if each.name not in odd), key=lambda each: each.name)

    def _entries(self, prefix: str, recursive: bool) -> builtins.list[dict[str, Any]]:
        root = self._path(prefix)

        def _list(_: int) -> list[dict[str, Any]]:
            file_system = self._file_system()
            try:
                if recursive:
                    return list(file_system.find(root, detail=True).values())
                return list(file_system.ls(root, detail=True))
            except FileNotFoundError as error:
                if classify_error(error) is ErrorKind.ABSENT:
                    return []
                raise

        # An object whose name is the folder's own name is not in the folder.
        return [info for info in self._call(prefix, "list", _list) if info["name"].startswith(f"{root}/")]

    def _info(self, name: str) -> StoredObject:
        info = self._file_system().info(self._path(name))
        if info["type"] != "file":  # a folder is no object
            raise FileNotFoundError(errno.ENOENT, "there is no such object", name)
        return self._stored(info)

    def _stored(self, info: dict[str, Any]) -> StoredObject:
        return StoredObject(self._name_of(info), int(info["size"]), version_of(info))

    def _name_of(self, info: dict[str, Any]) -> str:
        return str(info["name"])[len(self._path("")) + 1 :]

    def _path(self, name: str) -> str:
        root = str(self._file_system()._strip_protocol(self.address)).rstrip("/")
        if name and not is_plain_name(name.strip("/")):
            raise DataError(f"{self.address}/{name}: expected a name without empty segments and segments '.' and '..'.")
        return f"{root}/{name.strip('/')}" if name else root

    def _file_system(self, is_single: bool = False) -> Any:
        return open_file_system(self.address, is_single)

    def _call(self, name: str, action: str, function: Callable[[int], _Result]) -> _Result:
        return self.retries.call(f"{self.address}/{name}" if name else self.address, action, function)


def _check_size(found: StoredObject, size_bytes: int) -> None:
    if found.size_bytes != size_bytes:
        raise TruncatedObjectError(f"the object has {found.size_bytes:,} bytes, the file {size_bytes:,} bytes")

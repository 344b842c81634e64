"""Mirrors of object stores: local folders that stand for remote ones (`core.remote_folder`).

Every process finds the remote folder from the path of a file, by the hidden file `.remote.json` in a parent folder. Functions
that take a path do what they say in a mirror, and no more than a local file needs outside of it.
"""

import json
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from posescope.core.errors import DataError
from posescope.core.paths import is_address, user_cache_dir, writer_number

if TYPE_CHECKING:
    from posescope.core.remote_folder import RemoteFolder

__all__ = [
    "LEASE", "MARKER", "OF_NO_MODEL", "ON_DEMAND", "ensure_mirror", "fetch", "fetch_address", "fetch_file", "fetch_version",
    "find_size", "is_stored", "limit_copies", "list_names", "local_path_of", "open_mirror", "opened_mirrors", "place_of",
    "publish", "publish_changed", "remote_of", "remove", "remove_local",
]  # fmt: skip

MARKER, LEASE = ".remote.json", ".lease.json"
# Files that are fetched one by one when they are read.
ON_DEMAND = ("shard-*.npy",)
_DEFAULT_CACHE_GB = 50.0
# Files of a data_dir that belong to no model: those of all folders but 06_models.
OF_NO_MODEL = ("0[!6]_*/*",)
_OF_NO_READER = (*ON_DEMAND, "*/checkpoints/*", LEASE)

log = logging.getLogger(__name__)

# Mirrors that this process has opened.
_OPENED: dict[Path, "RemoteFolder"] = {}


def open_mirror(address: str, cache_dir: Path | None = None, cache_gb: float | None = None) -> "RemoteFolder":
    """Create the mirror of an address, or open it; nothing is fetched.

    Args:
        address: address of a folder, such as `s3://bucket/run`.
        cache_dir: folder of all mirrors; None: the environment variable POSESCOPE_CACHE_DIR, else a cache folder of the user.
        cache_gb: limit of the local copies of the files that are fetched on demand, GB; None: as before, at first 50.

    Raises:
        DataError: if the folder cannot be created.
    """
    from posescope.core.remote_folder import RemoteFolder  # noqa: PLC0415  (imports fsspec, which local folders do not need)
    from posescope.core.storage_file_systems import clean_address  # noqa: PLC0415

    address = clean_address(address)
    base = cache_dir or Path(os.environ.get("POSESCOPE_CACHE_DIR") or user_cache_dir("storage"))
    protocol, _, rest = address.partition("://")
    # A colon and other special characters of a key are no part of a file name on every system.
    root = base.expanduser().absolute().joinpath(protocol, *(quote(part, safe=" ()+,=@[]") for part in rest.split("/") if part))
    try:
        known = _find_root(str(root)) if (root / MARKER).is_file() else None
        remote = RemoteFolder(address, root, cache_gb or (known[2] if known else _DEFAULT_CACHE_GB))
        if known != (address, root, remote.cache_gb):
            remote.write_marker()
    except OSError as error:
        raise DataError(
            f"{root}: the local copies of {address} cannot be kept here ({error.strerror or error}). Set POSESCOPE_CACHE_DIR to "
            "a writable folder, or use a shorter address."
        ) from error
    _find_root.cache_clear()
    _OPENED[root] = remote
    return remote


def opened_mirrors() -> tuple["RemoteFolder", ...]:
    """Return the mirrors that this process has opened."""
    return tuple(_OPENED.values())


def limit_copies(cache_gb: float) -> None:
    """Set the limit of the local copies of files that are fetched on demand, for all mirrors that this process has opened.

    Args:
        cache_gb: the limit of each mirror, GB.
    """
    for root, remote in _OPENED.items():
        if remote.cache_gb != cache_gb:
            _OPENED[root] = replace(remote, cache_gb=cache_gb)
            _OPENED[root].write_marker()
    _find_root.cache_clear()


def ensure_mirror(remote: "RemoteFolder") -> None:
    """Make a mirror of another process known on this machine, in a folder of the same name.

    Raises:
        DataError: if the folder cannot be created.
    """
    if _find_root(str(remote.root)) is not None:
        return
    try:
        remote.write_marker()
    except OSError as error:
        raise DataError(
            f"{remote.root}: the local copies of {remote.address} cannot be kept here ({error.strerror or error}). Set cache_dir "
            "to a folder that every machine can create."
        ) from error
    _find_root.cache_clear()


def fetch_address(address: str, leave_out: Sequence[str] = ()) -> Path:
    """Return the local copy of a file, or of a folder without the files of `ON_DEMAND` and the checkpoints.

    While a run on this machine writes to the mirror nothing is fetched: its files are newer than the objects.

    Args:
        address: address of a file or folder, such as `s3://bucket/run`.
        leave_out: patterns of further files of a folder that are not fetched, such as those of `OF_NO_MODEL`.

    Raises:
        DataError: if there is no such file or folder, or it cannot be read.
    """
    from posescope.core.object_store import ObjectStore  # noqa: PLC0415

    parent, _, name = address.rstrip("/").rpartition("/")
    if not parent.endswith("/") and ObjectStore(parent).stat(name) is not None:
        remote = open_mirror(parent)
        path = remote.root / name
        if not _fetch_beside_runs(remote, path, ()) and not path.is_file():
            raise _no_copy(address)
        return path
    remote = open_mirror(address)
    if not _fetch_beside_runs(remote, remote.root, (*_OF_NO_READER, *leave_out)):
        if not any(not path.name.startswith(".") for path in remote.root.iterdir()):
            raise _no_copy(address)
        return remote.root
    is_empty = not remote.has_objects()
    if is_empty and not (leave_out and remote.store.folders()):
        raise DataError(f"{address}: expected a file or folder, found none. Check the address and the credentials.")
    return remote.root


def _no_copy(address: str) -> DataError:
    return DataError(
        f"{address}: expected a copy on this machine, found none. A run on this machine writes here, so nothing is fetched. Wait "
        "until it has ended, or set POSESCOPE_CACHE_DIR to another folder."
    )


def _fetch_beside_runs(remote: "RemoteFolder", path: Path, on_demand: Sequence[str]) -> bool:
    """Fetch a file or folder, unless a run on this machine writes to the mirror, and return whether it was fetched."""
    from posescope.core.reader_locks import RunState, watching_runs  # noqa: PLC0415  (imports this module)

    with watching_runs(remote.root) as state:
        if state is RunState.RUNNING:
            log.info("%s: a run on this machine writes here. Its files are read as they are, and nothing is fetched.", path)
            return False
        # A worker of a run whose main process is on another machine holds no lock here.
        is_possible = state is RunState.POSSIBLE or remote.store.stat(LEASE) is not None
        remote.fetch(path, on_demand, keeps_unsent=is_possible)
        return True


def local_path_of(text: str) -> str:
    """Return the mirror of an address, of which nothing is fetched; a path is returned unchanged."""
    return str(open_mirror(text).root) if is_address(text) else text


def remote_of(path: Path) -> "RemoteFolder | None":
    """Return the remote folder whose mirror contains a path; None for a path outside mirrors."""
    found = _find_root(str(path.absolute()))
    if found is None:
        return None
    from posescope.core.remote_folder import RemoteFolder  # noqa: PLC0415

    return RemoteFolder(*found)


def remove_local(path: Path) -> None:
    """Remove a file or folder of this machine; a folder is renamed first, so that a killed process leaves no incomplete one."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    temporary = path.with_name(f".{path.name}.{writer_number()}.tmp")
    os.replace(path, temporary)
    shutil.rmtree(temporary)


def publish(path: Path) -> None:
    """Upload a file or folder of a mirror; not one in a temporary folder, which is uploaded once it has its name.

    Raises:
        DataError: if it cannot be written to the object store.
    """
    remote = remote_of(path)
    if remote is not None and not any(fnmatchcase(part, ".*.tmp*") for part in path.absolute().relative_to(remote.root).parts):
        remote.publish(path)


def publish_changed(path: Path) -> None:
    """Upload those files of a file or folder of a mirror that are not equal to their objects."""
    remote = remote_of(path)
    if remote is not None:
        remote.publish_changed(path)


def remove(path: Path) -> None:
    """Remove a file or folder, of a mirror also from the object store; a missing one is ignored."""
    remote = remote_of(path)
    if remote is not None:
        remote.remove(path)
    else:
        remove_local(path)


def fetch(path: Path, on_demand: Sequence[str] = ON_DEMAND, keeps_unsent: bool = False) -> None:
    """Make the local copy of a file or folder of a mirror equal to the objects (`RemoteFolder.fetch`)."""
    remote = remote_of(path)
    if remote is not None:
        remote.fetch(path, on_demand, keeps_unsent)


def fetch_file(path: Path) -> None:
    """Make sure that a file of a fetched folder of a mirror is on this machine (`RemoteFolder.fetch_file`)."""
    remote = remote_of(path)
    if remote is not None:
        remote.fetch_file(path)


def fetch_version(root: Path, name: str, wanted: str | None = None) -> None:
    """Fetch one version of a versioned dataset of a mirror: `<root>/<version>/<name>`.

    A version whose upload was interrupted is passed over: its file, or the `model.json` of its folder, is missing.

    Args:
        root: folder of all versions.
        name: name of the file or folder of a version.
        wanted: the version; None: the newest.
    """
    remote = remote_of(root)
    if remote is None:
        return
    versions = [folder.rpartition("/")[2] for folder in remote.store.folders(remote.name_of(root))]
    for place in root.iterdir() if root.is_dir() else ():
        if place.is_dir() and not place.name.startswith(".") and place.name not in versions:
            remove_local(place)
    for version in sorted(versions, reverse=True) if wanted is None else [wanted]:
        remote.fetch(root / version)
        target = root / version / name
        if target.is_file() or (target / "model.json").is_file():
            return


def find_size(path: Path) -> int:
    """Return the size of a file, bytes; of a mirror the size of the object, which need not be on this machine.

    Raises:
        OSError: if there is no such file.
    """
    remote = remote_of(path)
    size = None if remote is None else remote.stored_size(path)
    return path.stat().st_size if size is None else size


def is_stored(path: Path) -> bool:
    """Return whether a path belongs to a mirror and is an object, as this machine knows."""
    remote = remote_of(path)
    return remote is not None and remote.stored_size(path) is not None


def list_names(folder: Path) -> set[str]:
    """Return the names of the files directly in a folder; of a mirror also those of objects that are not on this machine."""
    remote = remote_of(folder)
    local = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return local if remote is None else local | remote.known_names(folder)


def place_of(path: Path | str) -> str:
    """Return the address of a path of a mirror, for messages and records; other paths are returned unchanged."""
    remote = remote_of(Path(path))
    if remote is None:
        return str(path)
    name = remote.name_of(Path(path))
    return f"{remote.address}/{name}" if name else remote.address


@lru_cache(maxsize=65_536)
def _find_root(path: str) -> tuple[str, Path, float] | None:
    folder = Path(path)
    marker = folder / MARKER
    if marker.is_file():
        try:
            content = json.loads(marker.read_bytes())
            return str(content["address"]), folder, float(content["cache_gb"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{marker}: expected the fields address and cache_gb. Remove the folder {folder}.") from error
    return None if folder.parent == folder else _find_root(str(folder.parent))

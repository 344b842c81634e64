"""Folders of a run on a shared file system, as a worker of a cluster needs them.

A worker on another machine that lacks a folder would write to its own disk, and would count every image as unreadable. So each
batch of tasks checks first that it sees the folders of the run.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from posescope.core.errors import PosescopeError
from posescope.core.mirrors import remote_of

__all__ = ["MissingFolderError", "SharedFolders", "share_folders"]


class MissingFolderError(PosescopeError):
    """A worker of a cluster does not see a folder of the run."""


@dataclass(frozen=True)
class SharedFolders:
    """Checks in a worker that it sees the folders of a run, see `TaskBatch.preparations`.

    Attributes:
        present: files and folders that the process of the run sees.
    """

    present: tuple[Path, ...] = ()

    def __call__(self) -> None:
        """Check the folders.

        Raises:
            MissingFolderError: if this worker does not see a folder.
        """
        for path in self.present:
            if not path.exists():
                raise MissingFolderError(
                    f"{path}: the Dask worker on {socket.gethostname()} does not see it. Mount the folder under the same path on "
                    "all machines, or give data_dir and raw_dir as addresses (s3://...)."
                )


def share_folders(paths: Iterable[Path]) -> SharedFolders:
    """Return the preparation of a worker for some folders of a run.

    Args:
        paths: files and folders. One that does not exist yet is left out, and so is one of a mirror, which a worker creates.
    """
    present = (path.absolute() for path in paths if remote_of(path) is None and path.exists())
    return SharedFolders(tuple(dict.fromkeys(present)))

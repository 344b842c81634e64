"""What a download would bring, what of it is there already, and whether it fits on the disk."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from posescope.core.errors import DataError
from posescope.data.download.archive_folder import ArchiveFolder
from posescope.data.download.disk_space import check_room, format_bytes, free_bytes
from posescope.data.download.options import ArchiveOptions, DownloadOptions

__all__ = ["DownloadPlan", "PlannedArchive", "make_plan"]

logger = logging.getLogger(__name__)

_SAMPLE_MARK = "sample.json"


@dataclass(frozen=True)
class PlannedArchive:
    """One archive.

    Attributes:
        name: in the parameters.
        archive: its options, with the address that holds.
        state: "finished": all its files are there; "whole": the archive is there; "part": some bytes of it are; "absent".
        size_bytes: of the archive; None where it is not known yet.
        present_bytes: of the archive that are there.
        unpacked_bytes: what its wanted files take, about.
        unpacked_here_bytes: of them that are there, about.
        files: that came out of it, of a finished one.
        sha256: of a finished one.
    """

    name: str
    archive: ArchiveOptions
    state: Literal["finished", "whole", "part", "absent"]
    size_bytes: int | None
    present_bytes: int
    unpacked_bytes: int
    unpacked_here_bytes: int
    files: int = 0
    sha256: str = ""

    @property
    def fetch_bytes(self) -> int:
        """Bytes that are to come over the network; 0 where the size is not known."""
        return 0 if self.state in ("finished", "whole") else max((self.size_bytes or 0) - self.present_bytes, 0)

    @property
    def unpack_bytes(self) -> int:
        """Bytes that are to be unpacked, about."""
        return 0 if self.state == "finished" else max(self.unpacked_bytes - self.unpacked_here_bytes, 0)

    def describe(self) -> str:
        """One line for people."""
        size = "size not known" if self.size_bytes is None else format_bytes(self.size_bytes)
        state = {
            "finished": f"all its files are there ({format_bytes(self.unpacked_here_bytes)})",
            "whole": "the archive is there, to be unpacked",
            "part": f"{format_bytes(self.present_bytes)} are there, the rest is to come",
            "absent": "to come",
        }[self.state]
        return f"  {self.name:<26} {size:>14}  {state}\n    of {self.archive.url}: {self.archive.members}"


@dataclass(frozen=True)
class DownloadPlan:
    """What is to be done.

    Attributes:
        root: the data set's folder.
        archives: in the order of fetching.
        peak_bytes: that are needed on the disk beyond what is there now, at the worst moment.
        free_bytes: that are free there.
        min_free_bytes: that are to stay free.
    """

    root: Path
    archives: tuple[PlannedArchive, ...]
    peak_bytes: int
    free_bytes: int
    min_free_bytes: int

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return not self.peak_bytes or self.peak_bytes + self.min_free_bytes <= self.free_bytes

    def check_room(self) -> None:
        """See that the disk has room for it.

        Raises:
            DiskSpaceError: if it has not.
        """
        if self.peak_bytes:
            check_room(self.root, self.peak_bytes, self.min_free_bytes)

    def describe(self) -> str:
        """For people: files, sizes, where from, where to, what is there, and the room on the disk."""
        fetch, unpack = sum(item.fetch_bytes for item in self.archives), sum(item.unpack_bytes for item in self.archives)
        unknown = any(item.size_bytes is None and item.state != "finished" for item in self.archives)
        return "\n".join(
            [
                f"Download into {self.root}:",
                *(item.describe() for item in self.archives),
                f"  to fetch: {format_bytes(fetch)}{' and what is not known yet' if unknown else ''}; "
                f"to unpack: about {format_bytes(unpack)}",
                f"  on the disk: {format_bytes(self.free_bytes)} are free, {format_bytes(self.peak_bytes)} are needed for a time, "
                f"{format_bytes(self.min_free_bytes)} are to stay free: {'enough' if self.fits else 'NOT ENOUGH'}",
            ]
        )


def make_plan(root: Path, options: DownloadOptions, *, is_generated: bool) -> DownloadPlan:
    """Look at what is there, and say what is to be done. Asks nobody on the network, writes nothing, logs the plan.

    Args:
        root: the data set's folder.
        options: what is wanted.
        is_generated: whether this environment generates its data itself.

    Raises:
        DataError: if the folder is that of the generated sample, or nothing is wanted.
    """
    if is_generated or (root / _SAMPLE_MARK).is_file():
        raise DataError(
            f"{root}: this is the folder of the generated sample, and data is not downloaded into it. "
            "Name an environment for real data: kedro run --pipelines download --env coco"
        )
    wanted = options.wanted()
    if not wanted:
        raise DataError("download.archives: expected at least one archive, all are null.")
    archives = tuple(_look_at(ArchiveFolder(root), name, archive) for name, archive in wanted.items())
    peak = _peak_bytes(archives, keep=options.keep_archives)
    plan = DownloadPlan(root, archives, peak, free_bytes(root), options.min_free_bytes)
    logger.info("%s", plan.describe())
    return plan


def _look_at(folder: ArchiveFolder, name: str, archive: ArchiveOptions) -> PlannedArchive:
    done = folder.finished(name, archive)
    if done is not None:
        size, here = done.checksums.size_bytes, done.unpacked_bytes
        return PlannedArchive(name, archive, "finished", size, 0, here, here, len(done.members), done.checksums.sha256)
    unpacked_here = sum(path.stat().st_size for path in folder.data_root.glob(archive.members) if path.is_file())
    whole, part = folder.archive(name), folder.part(name)
    if whole.is_file():
        size = whole.stat().st_size
        return PlannedArchive(name, archive, "whole", size, size, archive.unpacked_bytes or size, unpacked_here)
    here = part.stat().st_size if part.is_file() else 0
    unpacked = archive.expected_unpacked_bytes
    return PlannedArchive(name, archive, "part" if here else "absent", archive.size_bytes, here, unpacked, unpacked_here)


def _peak_bytes(archives: tuple[PlannedArchive, ...], *, keep: bool) -> int:
    """One archive after the other is fetched, unpacked and, unless it is kept, removed."""
    here = peak = 0
    for item in archives:
        here += item.fetch_bytes + item.unpack_bytes
        peak = max(peak, here)
        if not keep:
            here -= item.fetch_bytes
    return peak

"""Plan a download: what is missing, how large it is, and whether it fits on the disk."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from posescope.core.errors import DataError
from posescope.data.download.archive_folder import ArchiveFolder, ArchiveRecord
from posescope.data.download.local_files import format_bytes, free_bytes
from posescope.data.download.options import ArchiveOptions, DownloadOptions

__all__ = ["DownloadPlan", "PlannedArchive", "make_plan"]

_SAMPLE_MARKER = "sample.json"  # the file in the folder of a generated sample

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlannedArchive:
    """One archive of a plan.

    Attributes:
        name: in the parameters.
        archive: options, with the mirror applied.
        state: finished: all files exist; complete: the user provided the archive; partial: downloaded bytes exist; missing.
        size_bytes: size of the archive; None if unknown.
        present_bytes: bytes of the archive that exist.
        unpacked_bytes: approximate size of the wanted files.
        present_unpacked_bytes: approximate size of the wanted files that exist.
        record: record of a finished archive.
    """

    name: str
    archive: ArchiveOptions
    state: Literal["finished", "complete", "partial", "missing"]
    size_bytes: int | None
    present_bytes: int
    unpacked_bytes: int
    present_unpacked_bytes: int
    record: ArchiveRecord | None = None

    @property
    def fetch_bytes(self) -> int:
        """Bytes to download; 0 if the size is unknown."""
        return 0 if self.state in ("finished", "complete") else max((self.size_bytes or 0) - self.present_bytes, 0)

    @property
    def unpack_bytes(self) -> int:
        """Approximate number of bytes to unpack."""
        return 0 if self.state == "finished" else max(self.unpacked_bytes - self.present_unpacked_bytes, 0)

    def describe(self) -> str:
        """Return two lines for the log."""
        size = "size unknown" if self.size_bytes is None else format_bytes(self.size_bytes)
        state = {
            "finished": f"all files exist ({format_bytes(self.present_unpacked_bytes)})",
            "complete": "the archive exists and is to be unpacked",
            "partial": f"{format_bytes(self.present_bytes)} exist, the rest is to be downloaded",
            "missing": "to be downloaded",
        }[self.state]
        return f"  {self.name:<26} {size:>14}  {state}\n    {self.archive.members} of {self.archive.url}"


@dataclass(frozen=True)
class DownloadPlan:
    """What is to be downloaded.

    Attributes:
        root: folder of the data set.
        archives: in download order.
        peak_bytes: maximum number of bytes that the download needs on the disk, beyond the present ones.
        free_bytes: free bytes of the disk.
        min_free_bytes: bytes that must stay free.
    """

    root: Path
    archives: tuple[PlannedArchive, ...]
    peak_bytes: int
    free_bytes: int
    min_free_bytes: int

    def describe(self) -> str:
        """Return the plan as lines for the log."""
        fetch, unpack = sum(item.fetch_bytes for item in self.archives), sum(item.unpack_bytes for item in self.archives)
        unknown = any(item.size_bytes is None and item.state != "finished" for item in self.archives)
        fits = not self.peak_bytes or self.peak_bytes + self.min_free_bytes <= self.free_bytes
        return "\n".join(
            [
                f"Download into {self.root}:",
                *(item.describe() for item in self.archives),
                f"  to download: {format_bytes(fetch)}{' and archives of unknown size' if unknown else ''}; "
                f"to unpack: about {format_bytes(unpack)}",
                f"  disk: {format_bytes(self.free_bytes)} free, {format_bytes(self.peak_bytes)} needed temporarily, "
                f"{format_bytes(self.min_free_bytes)} must stay free: {'enough' if fits else 'NOT ENOUGH'}",
            ]
        )


def make_plan(root: Path, options: DownloadOptions, *, is_generated: bool) -> DownloadPlan:
    """Compare the options with the files that exist, and log the plan. Uses no network and writes nothing.

    Args:
        root: folder of the data set.
        options: options of the download.
        is_generated: whether this environment generates its data.

    Raises:
        DataError: if the folder is that of the generated sample, or no archive is wanted.
    """
    if is_generated or (root / _SAMPLE_MARKER).is_file():
        raise DataError(
            f"{root}: expected a folder for downloaded data, found that of the generated sample. "
            "Choose an environment for real data: kedro run --pipelines download --env coco"
        )
    wanted = options.wanted()
    if not wanted:
        raise DataError("download.archives: expected at least one archive, all are null.")
    archives = tuple(_plan_archive(ArchiveFolder(root), name, archive) for name, archive in wanted.items())
    peak = _peak_bytes(archives, keep=options.keep_archives)
    plan = DownloadPlan(root, archives, peak, free_bytes(root), options.min_free_bytes)
    logger.info("%s", plan.describe())
    return plan


def _plan_archive(folder: ArchiveFolder, name: str, archive: ArchiveOptions) -> PlannedArchive:
    record = folder.finished(name, archive)
    if record is not None:
        size, present = record.checksums.size_bytes, record.unpacked_bytes
        return PlannedArchive(name, archive, "finished", size, 0, present, present, record)
    present_unpacked = sum(path.stat().st_size for path in folder.data_root.glob(archive.members) if path.is_file())
    complete, part = folder.archive(name), folder.part(name)
    if complete.is_file():
        size = complete.stat().st_size
        return PlannedArchive(name, archive, "complete", size, size, archive.unpacked_bytes or size, present_unpacked)
    present = part.stat().st_size if part.is_file() else 0
    state: Literal["partial", "missing"] = "partial" if present else "missing"
    expected = archive.expected_unpacked_bytes
    return PlannedArchive(name, archive, state, archive.size_bytes, present, expected, present_unpacked)


def _peak_bytes(archives: tuple[PlannedArchive, ...], *, keep: bool) -> int:
    """Return the peak: each archive is downloaded, unpacked and, unless kept, removed before the next one."""
    used = peak = 0
    for item in archives:
        used += item.fetch_bytes + item.unpack_bytes
        peak = max(peak, used)
        if not keep:
            used -= item.fetch_bytes
    return peak

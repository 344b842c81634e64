"""Plan a download: what is missing, how large it is, and whether it fits on the disk."""

import logging
from dataclasses import dataclass
from pathlib import Path

from posescope.core.errors import DataError
from posescope.core.mirrors import place_of, remote_of
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
        state: for the log: what exists, and what is to be done.
        size_bytes: size of the archive; None if unknown.
        fetch_bytes: bytes to download; 0 if the size is unknown.
        unpack_bytes: approximate number of bytes to unpack.
        record: record of a finished archive; None if files are missing.
    """

    name: str
    archive: ArchiveOptions
    state: str
    size_bytes: int | None
    fetch_bytes: int
    unpack_bytes: int
    record: ArchiveRecord | None = None

    def describe(self) -> str:
        """Return two lines for the log."""
        size = "size unknown" if self.size_bytes is None else format_bytes(self.size_bytes)
        return f"  {self.name:<26} {size:>14}  {self.state}\n    {self.archive.members} of {self.archive.url}"


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
        unknown = any(item.size_bytes is None for item in self.archives)
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
        DataError: if the folder is that of the generated sample or in an object store, or no archive is wanted.
    """
    if remote_of(root) is not None:
        raise DataError(
            f"{place_of(root)}: expected a local folder for the download, found an address. Download to a local raw_dir, and "
            "copy the unpacked folder to the object store, such as with aws s3 sync or rclone."
        )
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
        state = f"all files exist ({format_bytes(record.unpacked_bytes)})"
        return PlannedArchive(name, archive, state, record.checksums.size_bytes, 0, 0, record)
    complete, part, size = folder.archive(name), folder.part(name), archive.size_bytes
    if complete.is_file():
        state, size, fetch = "the archive exists and is to be unpacked", complete.stat().st_size, 0
    else:
        present = part.stat().st_size if part.is_file() else 0
        state = f"{format_bytes(present)} exist, the rest is to be downloaded" if present else "to be downloaded"
        fetch = max((size or 0) - present, 0)
    unpacked = sum(path.stat().st_size for path in folder.data_root.glob(archive.members) if path.is_file())
    return PlannedArchive(name, archive, state, size, fetch, max((archive.unpacked_bytes or size or 0) - unpacked, 0))


def _peak_bytes(archives: tuple[PlannedArchive, ...], *, keep: bool) -> int:
    """Return the peak: each archive is downloaded, unpacked and, unless kept, removed before the next one."""
    used = peak = 0
    for item in archives:
        used += item.fetch_bytes + item.unpack_bytes
        peak = max(peak, used)
        if not keep:
            used -= item.fetch_bytes
    return peak

"""Fetching a data set: one archive after the other is fetched, checked, unpacked and, unless it is kept, removed.

Whatever is done stays done: an interrupted run goes on at the byte where it was, and a finished one has nothing to do.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from posescope.core.errors import DataError
from posescope.data.download.archive_folder import ArchiveFolder, Checksums, FinishedArchive, checksums_of
from posescope.data.download.disk_space import format_bytes
from posescope.data.download.http_transfer import DownloadError, RemoteFile, fetch_file
from posescope.data.download.options import ArchiveOptions, DownloadOptions
from posescope.data.download.plan import DownloadPlan, PlannedArchive
from posescope.data.download.unpacking import UnpackLimits, unpack

__all__ = ["FetchedArchive", "download_archives"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FetchedArchive:
    """What was done about one archive.

    Attributes:
        name: in the parameters.
        url: its address.
        state: "fetched"; "unpacked", if the archive was there; "was there", if all its files were; of a dry run, "not fetched".
        fetched_bytes: that came over the network in this run.
        files: that are there now of it.
        files_written: of them, in this run.
        unpacked_bytes: what these files take.
        sha256: of the archive; '' where it is not there.
    """

    name: str
    url: str
    state: str
    fetched_bytes: int = 0
    files: int = 0
    files_written: int = 0
    unpacked_bytes: int = 0
    sha256: str = ""


def download_archives(plan: DownloadPlan, options: DownloadOptions) -> tuple[FetchedArchive, ...]:
    """Do what the plan says; a dry run does nothing.

    Raises:
        DiskSpaceError: if it does not fit on the disk; nothing is fetched then.
        DownloadError: if an archive cannot be fetched, or is not the one that was expected.
        ArchiveError: if an archive is damaged or holds what must not be unpacked.
        DataError: if another run is at it.
    """
    if options.dry_run:
        logger.info("This was a dry run: nothing is fetched, and nothing is written but the record of the run.")
        return tuple(_as_planned(item) for item in plan.archives)
    plan.check_room()
    folder = ArchiveFolder(plan.root)
    with folder.locked():
        fetched = tuple(_settle(item, folder, options) for item in plan.archives)
    logger.info("%s", _describe(plan.root, fetched))
    return fetched


def _as_planned(item: PlannedArchive) -> FetchedArchive:
    if item.state != "finished":
        return FetchedArchive(item.name, item.archive.url, "not fetched")
    return FetchedArchive(
        item.name, item.archive.url, "was there", files=item.files, unpacked_bytes=item.unpacked_bytes, sha256=item.sha256
    )


def _settle(item: PlannedArchive, folder: ArchiveFolder, options: DownloadOptions) -> FetchedArchive:
    """See that all files of one archive are there."""
    name, archive = item.name, item.archive
    if item.state == "finished":
        folder.tidy(name, keep_archive=options.keep_archives)  # a killed run may have left something
        return _as_planned(item)
    folder.drop_forgotten_note(name)
    if folder.archive(name).is_file():
        found, fetched_bytes = _check(folder.archive(name), archive), 0
    else:
        found, fetched_bytes = _fetch(name, archive, folder, options)
    limits = UnpackLimits(options.max_unpacked_bytes, options.min_free_bytes)
    unpacked = unpack(folder.archive(name), folder.data_root, archive.wants, limits)
    done = FinishedArchive(folder.origin(name, found), archive.members, found, unpacked.members)
    folder.finish(name, done)
    folder.tidy(name, keep_archive=options.keep_archives, found=found)
    return FetchedArchive(
        name=name,
        url=archive.url,
        state="fetched" if fetched_bytes else "unpacked",
        fetched_bytes=fetched_bytes,
        files=len(done.members),
        files_written=unpacked.written,
        unpacked_bytes=done.unpacked_bytes,
        sha256=found.sha256,
    )


def _fetch(name: str, archive: ArchiveOptions, folder: ArchiveFolder, options: DownloadOptions) -> tuple[Checksums, int]:
    """Fetch an archive, and give it its name once it is found to be whole; its checksums, and the bytes that came."""
    part = folder.part(name)
    is_checked = archive.sha256 is not None or archive.md5 is not None
    logger.info("Fetching %s", archive.url)
    fetched_bytes = fetch_file(RemoteFile(archive.url, archive.size_bytes, is_checked), part, options)
    found = checksums_of(part)
    faults = found.faults(archive.size_bytes, archive.sha256, archive.md5)
    if faults:
        folder.discard_part(name)
        raise DownloadError(
            f"{archive.url}: what came is not the archive that was expected: {'; '.join(faults)}. It was removed. Give the same "
            "command again; if this comes back, the server has another file: name another server by "
            f"--params download.mirror=ADDRESS, or set sha256, md5 and size_bytes of download.archives.{name} to what is right."
        )
    folder.take(name, archive.url, found)
    return found, fetched_bytes


def _check(path: Path, archive: ArchiveOptions) -> Checksums:
    """An archive that lies there counts only if it is the right one; a wrong one is not ours to remove."""
    found = checksums_of(path)
    faults = found.faults(archive.size_bytes, archive.sha256, archive.md5)
    if faults:
        raise DataError(
            f"{path}: this archive lay there already, and is not the one that was expected: {'; '.join(faults)}. "
            "Remove it or move it away, and give the same command again."
        )
    logger.info("%s is there already", path)
    return found


def _describe(root: Path, fetched: tuple[FetchedArchive, ...]) -> str:
    lines = [
        f"  {item.name:<26} {item.state:<11} {format_bytes(item.fetched_bytes):>10} fetched, {item.files:>7} files "
        f"({format_bytes(item.unpacked_bytes)}), {item.files_written} of them written"
        for item in fetched
    ]
    return "\n".join([f"In {root} there is now:", *lines])

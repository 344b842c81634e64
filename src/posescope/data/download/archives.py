"""Download archives one by one: transfer, check, unpack and, unless kept, remove. An interrupted run resumes."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from posescope.core.errors import DataError
from posescope.core.files import write_json
from posescope.data.download.archive_folder import ArchiveFolder, ArchiveRecord, Checksums, checksums_of
from posescope.data.download.http_transfer import DownloadError, RemoteFile, fetch_file, read_version
from posescope.data.download.local_files import check_free_space, format_bytes
from posescope.data.download.options import ArchiveOptions, DownloadOptions
from posescope.data.download.plan import DownloadPlan, PlannedArchive
from posescope.data.download.unpacking import unpack

__all__ = ["FetchedArchive", "download_archives"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FetchedArchive:
    """The result for one archive.

    Attributes:
        name: in the parameters.
        state: "downloaded"; "unpacked": the archive existed; "present": all files existed; "not downloaded": dry run.
        record: record of the archive and its files; None if it was not downloaded.
        fetched_bytes: bytes received in this run.
        files_written: number of files written in this run.
    """

    name: str
    state: str
    record: ArchiveRecord | None
    fetched_bytes: int = 0
    files_written: int = 0

    def describe(self) -> str:
        """Return one line for the log."""
        members, unpacked_bytes = (self.record.members, self.record.unpacked_bytes) if self.record else ({}, 0)
        return (
            f"  {self.name:<26} {self.state:<14} {format_bytes(self.fetched_bytes):>10} downloaded, {len(members):>7} files "
            f"({format_bytes(unpacked_bytes)}), {self.files_written} of them written"
        )


def download_archives(plan: DownloadPlan, options: DownloadOptions) -> tuple[FetchedArchive, ...]:
    """Carry out a plan; a dry run does nothing.

    Args:
        plan: result of `make_plan`.
        options: options of the download.

    Raises:
        DiskSpaceError: if the archives do not fit on the disk; nothing is downloaded then.
        DownloadError: if an archive cannot be downloaded, or is not the expected one.
        ArchiveError: if an archive is damaged or has members that must not be unpacked.
        DataError: if another run downloads into the same folder.
    """
    if options.dry_run:
        logger.info("Dry run: nothing is downloaded, and nothing is written but the record of the run.")
        return tuple(_as_planned(item) for item in plan.archives)
    if plan.peak_bytes:
        check_free_space(plan.root, plan.peak_bytes, options.min_free_bytes)
    folder = ArchiveFolder(plan.root)
    with folder.locked():
        fetched = tuple(_provide(item, folder, options) for item in plan.archives)
    logger.info("%s", "\n".join([f"Archives in {plan.root}:", *(item.describe() for item in fetched)]))
    return fetched


def _as_planned(item: PlannedArchive) -> FetchedArchive:
    return FetchedArchive(item.name, "present" if item.record else "not downloaded", item.record)


def _provide(item: PlannedArchive, folder: ArchiveFolder, options: DownloadOptions) -> FetchedArchive:
    """Provide all files of one archive."""
    name, archive, part = item.name, item.archive, folder.part(item.name)
    if item.record is not None:
        folder.discard_part(name)  # a killed run may have left it
        return _as_planned(item)
    is_provided = folder.archive(name).is_file()
    if is_provided:
        source, received = folder.archive(name), 0
        found = _check_provided(source, archive)
    else:
        source = part
        found, received = _fetch(name, archive, folder, options)
    limits = {"max_unpacked_bytes": options.max_unpacked_bytes, "min_free_bytes": options.min_free_bytes}
    members, written = unpack(source, folder.data_root, archive.wants, **limits)
    version = None if is_provided else read_version(part)
    record = ArchiveRecord(version.url if version else None, archive.members, found, members)
    if options.keep_archives and not is_provided:
        part.replace(folder.archive(name))
    write_json(folder.record(name), asdict(record))
    folder.discard_part(name)
    return FetchedArchive(name, "downloaded" if received else "unpacked", record, received, written)


def _fetch(name: str, archive: ArchiveOptions, folder: ArchiveFolder, options: DownloadOptions) -> tuple[Checksums, int]:
    """Download and check an archive; return its checksums and the number of bytes received."""
    part = folder.part(name)
    if not part.exists():  # a version without its partial file is stale
        folder.discard_part(name)
    is_checked = archive.sha256 is not None or archive.md5 is not None
    logger.info("Downloading %s", archive.url)
    received = fetch_file(RemoteFile(archive.url, archive.size_bytes, is_checked), part, options)
    found = checksums_of(part)
    mismatches = found.find_mismatches(archive)
    if mismatches:
        folder.discard_part(name)
        raise DownloadError(
            f"{archive.url}: unexpected archive: {'; '.join(mismatches)}. It was removed. Run the same command again; if the "
            "error persists, the server has another file: choose another server with --params download.mirror=URL, or correct "
            f"sha256, md5 and size_bytes of download.archives.{name}."
        )
    return found, received


def _check_provided(path: Path, archive: ArchiveOptions) -> Checksums:
    """Check an archive that exists already; a wrong one is reported and left in place."""
    found = checksums_of(path)
    mismatches = found.find_mismatches(archive)
    if mismatches:
        raise DataError(
            f"{path}: unexpected archive, not downloaded by this program: {'; '.join(mismatches)}. Remove it or move it away, "
            "and run the same command again."
        )
    logger.info("%s exists already", path)
    return found

"""Options of the download: which archives, from where, and how they are transferred."""

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from posescope.core.plugins import Options

__all__ = ["ArchiveOptions", "DownloadOptions", "TransferOptions"]


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL that begins with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("expected a URL without user name and password")
    return url


def _check_pattern(pattern: str) -> str:
    if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts or "\\" in pattern:
        raise ValueError("expected a pattern of paths below the archive's root, such as val2017/*.jpg")
    return pattern


Url = Annotated[str, AfterValidator(_check_url)]
# The name becomes part of file names.
ArchiveName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class ArchiveOptions(Options):
    """One zip archive."""

    url: Url = Field(description="URL, http or https")
    members: Annotated[str, AfterValidator(_check_pattern)] = Field(
        min_length=1, description="pattern of the files to unpack; they keep their paths in the archive"
    )
    size_bytes: int | None = Field(None, gt=0, description="size of the archive, bytes; null: unknown, taken from the server")
    unpacked_bytes: int | None = Field(
        None, gt=0, description="approximate size of the unpacked files, bytes, to check the free space; null: as the archive"
    )
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="SHA-256; null: unknown, not checked")
    md5: str | None = Field(None, pattern="^[0-9a-f]{32}$", description="MD5; null: unknown, not checked")

    def wants(self, member: str) -> bool:
        """Return whether a file of the archive is to be unpacked."""
        return fnmatchcase(member, self.members)


class TransferOptions(Options):
    """How a file is transferred over HTTP."""

    timeout_s: float = Field(30.0, gt=0, le=3600, description="seconds without data after which a connection counts as broken")
    retries: int = Field(8, ge=0, le=1000, description="consecutive retries without new bytes; new bytes start the count again")
    retry_wait_s: float = Field(1.0, ge=0, le=60, description="wait before the first retry, s; doubled each time, up to 60 s")
    min_free_bytes: int = Field(2_000_000_000, ge=0, description="bytes of the disk that must stay free")


class DownloadOptions(TransferOptions):
    """All parameters of the pipeline `download`."""

    archives: dict[ArchiveName, ArchiveOptions | None] = Field(
        description="the archives by name, in download order; null: skip this one"
    )
    mirror: Url | None = Field(None, description="server that replaces scheme and host of every URL; null: none")
    dry_run: bool = Field(
        False, description="only log the plan: nothing is downloaded, and nothing is written but the record of the run"
    )
    keep_archives: bool = Field(False, description="keep the downloaded archives after unpacking")
    max_unpacked_bytes: int = Field(
        40_000_000_000, gt=0, description="maximum size of an archive's unpacked files, bytes; larger archives are refused"
    )

    def wanted(self) -> dict[str, ArchiveOptions]:
        """Return the archives to download by name, with the mirror applied to their URLs."""
        chosen = {name: archive for name, archive in self.archives.items() if archive is not None}
        if self.mirror is None:
            return chosen
        return {
            name: archive.model_copy(update={"url": _on_mirror(archive.url, self.mirror)}) for name, archive in chosen.items()
        }


def _on_mirror(url: str, mirror: str) -> str:
    parts = urlsplit(url)
    return mirror.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")

"""Which archives are fetched, from where, and what of them is wanted."""

from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from posescope.core.plugins import Options
from posescope.data.download.http_transfer import TransferOptions

__all__ = ["ArchiveOptions", "DownloadOptions"]


def _check_address(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an address that begins with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("expected an address without a user's name or password")
    return address


def _check_pattern(pattern: str) -> str:
    if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts or "\\" in pattern:
        raise ValueError("expected a pattern of paths below the archive's root, such as val2017/*.jpg")
    return pattern


Address = Annotated[str, AfterValidator(_check_address)]
# Becomes the name of a file.
ArchiveName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class ArchiveOptions(Options):
    """One zip archive."""

    url: Address = Field(description="its address, http or https")
    members: Annotated[str, AfterValidator(_check_pattern)] = Field(
        min_length=1, description="pattern of the files that are wanted; they keep the paths that they have in the archive"
    )
    size_bytes: int | None = Field(None, gt=0, description="its size, bytes; null: not known, the server's word is taken")
    unpacked_bytes: int | None = Field(
        None, gt=0, description="about what the wanted files take, bytes, for the check of the disk; null: as much as the archive"
    )
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="its SHA-256; null: not known, not compared")
    md5: str | None = Field(None, pattern="^[0-9a-f]{32}$", description="its MD5; null: not known, not compared")

    @property
    def expected_unpacked_bytes(self) -> int:
        """About what the wanted files take; 0 where nothing is known."""
        return self.unpacked_bytes or self.size_bytes or 0

    def wants(self, member: str) -> bool:
        """Whether a file of the archive is wanted."""
        return fnmatchcase(member, self.members)


class DownloadOptions(TransferOptions):
    """What is fetched, and how."""

    archives: dict[ArchiveName, ArchiveOptions | None] = Field(
        description="the archives by name, in order of fetching; null: this one is not wanted"
    )
    mirror: Address | None = Field(
        None, description="another server: it takes the place of scheme and host in every address; null: none"
    )
    dry_run: bool = Field(
        False, description="only tell what would come: nothing is fetched, and nothing is written but the record of the run"
    )
    keep_archives: bool = Field(False, description="keep the archives that were fetched, after they are unpacked")
    max_unpacked_bytes: int = Field(
        40_000_000_000, gt=0, description="an archive whose wanted files take more than this is refused, bytes"
    )

    def wanted(self) -> dict[str, ArchiveOptions]:
        """The archives that are wanted, with the addresses that hold."""
        chosen = {name: archive for name, archive in self.archives.items() if archive is not None}
        if self.mirror is None:
            return chosen
        return {name: archive.model_copy(update={"url": _moved(archive.url, self.mirror)}) for name, archive in chosen.items()}


def _moved(url: str, mirror: str) -> str:
    parts = urlsplit(url)
    return mirror.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")

"""Checksums of a large file, with progress."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from posescope.coco.download.disk import byte_bar

__all__ = ["Checksums", "checksums_of"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Checksums:
    """Of one file: its size in bytes, SHA-256 and MD5 as hexadecimal digits."""

    size_bytes: int
    sha256: str
    md5: str

    def faults(self, size_bytes: int | None, sha256: str | None, md5: str | None) -> list[str]:
        """In words, what differs from what is expected; None stands for what is not known."""
        pairs = (("size", size_bytes, self.size_bytes), ("SHA-256", sha256, self.sha256), ("MD5", md5, self.md5))
        return [f"{what} {found}, expected {wanted}" for what, wanted, found in pairs if wanted not in (None, found)]


def checksums_of(path: Path) -> Checksums:
    """Read a file once, for both checksums: sources of data publish now the one, now the other."""
    # MD5 finds damage, which is all that it is for; against forgery stands SHA-256.
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as stream, byte_bar(f"check {path.name}", path.stat().st_size) as bar:
        while chunk := stream.read(_CHUNK):
            sha256.update(chunk)
            md5.update(chunk)
            size += len(chunk)
            bar.update(len(chunk))
    return Checksums(size, sha256.hexdigest(), md5.hexdigest())

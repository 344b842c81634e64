"""Transfer one file over HTTP, and resume it after a broken connection.

    train2017.zip.part        the bytes received so far
    train2017.zip.part.json   the version of the file that they belong to: URL, ETag, Last-Modified, size

A transfer requests only the missing bytes (`Range`), and only of the same version (`If-Range`; RFC 9110, sections 13.1.5 and 14).
If the version cannot be confirmed, it starts over. Standard library only: docs/decisions/0030-download-without-a-library.md.
"""

import http.client
import logging
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import asdict, astuple, dataclass, replace
from email.message import Message
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from pydantic import TypeAdapter

from posescope import __version__
from posescope.core.errors import DataError
from posescope.core.files import write_json
from posescope.data.download.local_files import (
    check_free_space,
    format_bytes,
    make_folder,
    progress_bar,
    read_record,
    write_error,
)
from posescope.data.download.options import TransferOptions

__all__ = ["DownloadError", "FileVersion", "RemoteFile", "fetch_file", "read_version", "version_path"]

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_MAX_WAIT_S = 60.0
_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}
_MIRROR_HINT = "Choose another server with --params download.mirror=URL"


class DownloadError(DataError):
    """A file cannot be downloaded, or is not the expected one."""


class _TransientError(Exception):
    """A failure that a retry may overcome."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to transfer.

    Attributes:
        url: http or https.
        size_bytes: expected size; None if unknown.
        is_checked: whether the caller compares a checksum afterwards. Then a transfer may be resumed without `ETag` and
            `Last-Modified`, and from another server.
    """

    url: str
    size_bytes: int | None
    is_checked: bool


@dataclass(frozen=True)
class FileVersion:
    """The version of a remote file, as the server describes it.

    Attributes:
        url: URL of the file.
        etag, last_modified: header fields; None if absent.
        size_bytes: size of the whole file; None if the server does not state it.
    """

    url: str
    etag: str | None
    last_modified: str | None
    size_bytes: int | None

    @classmethod
    def from_headers(cls, url: str, headers: Message) -> "FileVersion":
        """Return the version that a response states. The size is the total in `Content-Range` if given, else `Content-Length`.

        Args:
            url: URL of the file.
            headers: header fields of the response.
        """
        content_range = headers["Content-Range"]
        total = content_range.rpartition("/")[2] if content_range else headers["Content-Length"] or ""
        return cls(url, headers["ETag"], headers["Last-Modified"], int(total) if total.isdigit() else None)

    @property
    def validator(self) -> str | None:
        """Value for `If-Range`: the strong ETag, else the date. A weak ETag does not identify the bytes."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified

    def differs_from(self, other: "FileVersion") -> bool:
        """Return whether a field other than the URL is known in both versions and differs."""
        pairs = zip(astuple(self)[1:], astuple(other)[1:], strict=True)
        return any(mine is not None and theirs is not None and mine != theirs for mine, theirs in pairs)


_VERSION = TypeAdapter(FileVersion)


def version_path(part: Path) -> Path:
    """Return the path of the JSON file that states the version of a partial file."""
    return part.with_name(f"{part.name}.json")


def read_version(part: Path) -> FileVersion | None:
    """Return the version of a partial file; None if it is missing or invalid."""
    return read_record(version_path(part), _VERSION, "the partial file cannot be resumed")


def fetch_file(remote: RemoteFile, part: Path, options: TransferOptions) -> int:
    """Transfer the bytes of a file that `part` lacks. The caller checks and renames the complete file.

    Args:
        remote: the file.
        part: local path; bytes of an earlier call are kept if they belong to the same version.
        options: options of the transfer.

    Returns:
        The number of bytes received.

    Raises:
        DownloadError: if the server refuses or cannot be found, the file has an unexpected size, or the connection broke too
            often. The bytes received so far stay in `part`.
        DiskSpaceError: if the file does not fit on the disk.
        DataError: if `part` cannot be written.
    """
    make_folder(part.parent)
    return _Transfer(remote, part, options).run()


class _HttpRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only; the standard handler also follows ftp."""

    def http_error_302(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage) -> Any:
        target = urljoin(req.full_url, headers["Location"] or headers["URI"] or "")
        if urlsplit(target).scheme not in ("http", "https"):
            fp.close()
            raise DownloadError(f"{req.full_url}: expected a redirect to http or https, found {target}. {_MIRROR_HINT}")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def make_opener() -> urllib.request.OpenerDirector:
    """Return an opener that uses the proxies of the environment and follows redirects to http and https only."""
    return urllib.request.build_opener(_HttpRedirects)


class _Transfer:
    """Retries the transfer of one file until it is complete."""

    def __init__(self, remote: RemoteFile, part: Path, options: TransferOptions) -> None:
        self.remote, self.part, self.options = remote, part, options
        self.name = part.name.removesuffix(".part")
        self.received_bytes = 0

    def run(self) -> int:
        """Receive the missing bytes; return their number."""
        furthest, failures = _size_of(self.part), 0
        while True:
            try:
                self._receive_rest()
                return self.received_bytes
            except _TransientError as error:
                here = _size_of(self.part)
                failures = 1 if here > furthest else failures + 1
                furthest = max(furthest, here)
                if failures > self.options.retries:
                    raise DownloadError(
                        f"{self.remote.url}: {error}. Gave up after {failures} attempts without new bytes; "
                        f"{format_bytes(here)} are kept in {self.part}. Run the same command again to resume."
                    ) from error
                wait_s = min(self.options.retry_wait_s * 2 ** min(failures - 1, 10), _MAX_WAIT_S)
                logger.warning("%s: %s; retry %d of %d in %g s", self.name, error, failures, self.options.retries, wait_s)
                time.sleep(wait_s)

    def _receive_rest(self) -> None:
        saved = self._resumable_version()
        offset = _size_of(self.part) if saved else 0
        if offset and offset == self._expected_size(saved):
            return
        try:
            response = make_opener().open(self._request(saved, offset), timeout=self.options.timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                self._handle_error_status(error, offset)
            return
        except (OSError, http.client.HTTPException) as error:
            raise self._connection_error(error) from error
        with response:
            start, total = self._accept(response.status, response.headers, saved, offset)
            self._write(response, start, total)

    def _resumable_version(self) -> FileVersion | None:
        """Return the version of the partial file if it can be resumed; remove a partial file that cannot."""
        here = _size_of(self.part)
        saved = read_version(self.part)
        if not here:
            return None
        if saved is None:
            reason = "the version of the partial file is unknown"
        elif saved.url != self.remote.url and not self._may_change_server(saved):
            reason = f"the partial file is from {saved.url}"
        elif not saved.validator and not self.remote.is_checked:
            reason = "the server identifies the file neither by ETag nor by date"
        elif here > (self._expected_size(saved) or here):
            reason = "the partial file is longer than the file"
        else:
            return saved
        self._discard_part(reason)
        return None

    def _may_change_server(self, saved: FileVersion) -> bool:
        """Return whether bytes of another server may be continued: the sizes agree, and a checksum is compared afterwards."""
        sizes = {self.remote.size_bytes, saved.size_bytes} - {None}
        return self.remote.is_checked and len(sizes) == 1

    def _expected_size(self, saved: FileVersion | None) -> int | None:
        return self.remote.size_bytes or (saved.size_bytes if saved else None)

    def _request(self, saved: FileVersion | None, offset: int) -> urllib.request.Request:
        headers = {"User-Agent": f"posescope/{__version__}"}
        if saved and offset:
            logger.info("%s: resuming after %s", self.name, format_bytes(offset))
            headers["Range"] = f"bytes={offset}-"
            if saved.validator and saved.url == self.remote.url:  # the ETag of one server means nothing to another
                headers["If-Range"] = saved.validator
        return urllib.request.Request(self.remote.url, headers=headers)  # noqa: S310 - the options accept http and https only

    def _handle_error_status(self, error: urllib.error.HTTPError, offset: int) -> None:
        """Return if the status says that no byte is missing (416 at the end of the file); raise otherwise."""
        if error.code == 416 and offset:
            if FileVersion.from_headers("", error.headers).size_bytes == offset:
                return
            self._discard_part("the file has become shorter")
            raise _TransientError("the file has become shorter on the server") from error
        message = f"the server answers {error.code} {error.reason}"
        if error.code in _TRANSIENT_STATUS:
            raise _TransientError(message) from error
        raise DownloadError(
            f"{self.remote.url}: {message}. Check the URL (download.archives.NAME.url). {_MIRROR_HINT}"
        ) from error

    def _connection_error(self, error: Exception) -> Exception:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, socket.gaierror) and reason.errno != socket.EAI_AGAIN:
            return DownloadError(
                f"{self.remote.url}: the host cannot be found ({reason.strerror}). Check the network and the URL "
                f"(download.archives.NAME.url). {_MIRROR_HINT}"
            )
        if isinstance(reason, ssl.SSLCertVerificationError):
            return DownloadError(f"{self.remote.url}: invalid certificate ({reason.verify_message}). {_MIRROR_HINT}")
        return _TransientError(f"no connection ({reason})")

    def _accept(self, status: int, headers: Message, saved: FileVersion | None, offset: int) -> tuple[int, int | None]:
        """Return the position of a response's first byte and the size of the whole file; discard a part that does not match."""
        found = FileVersion.from_headers(self.remote.url, headers)
        if status != 200 and not (status == 206 and saved):
            raise DownloadError(f"{self.remote.url}: expected status 200, or 206 for a range, found {status}.")
        # Before anything is discarded: an error page must not cost the bytes received so far.
        if found.size_bytes is not None and self.remote.size_bytes not in (None, found.size_bytes):
            raise DownloadError(
                f"{self.remote.url}: expected a file of {self.remote.size_bytes} bytes, the server has {found.size_bytes}. "
                "It is another file or an error page: open the URL in a browser."
            )
        if status == 206 and saved and (_first_byte(headers) != offset or self._is_other_version(found, saved)):
            self._discard_part("the file has changed on the server")
            raise _TransientError("the file has changed on the server")
        if status == 200:
            if offset:
                self._discard_part("the file has changed on the server, or the server does not support ranges")
            offset = 0
        total = found.size_bytes or (self._expected_size(saved) if offset else self.remote.size_bytes)
        check_free_space(self.part.parent, (total or 0) - offset, self.options.min_free_bytes)
        self._save_version(found, saved, offset)
        return offset, total

    def _is_other_version(self, found: FileVersion, saved: FileVersion) -> bool:
        if saved.url == self.remote.url:
            return found.differs_from(saved)
        return found.size_bytes is not None and found.size_bytes != self._expected_size(saved)

    def _save_version(self, found: FileVersion, saved: FileVersion | None, offset: int) -> None:
        """Write the version before the bytes, so that every partial file has one."""
        if not offset:
            self.part.unlink(missing_ok=True)
            write_json(version_path(self.part), asdict(found))
        elif saved and saved.url != self.remote.url:
            logger.info("%s: the first bytes came from %s", self.name, saved.url)
            write_json(version_path(self.part), asdict(replace(found, size_bytes=found.size_bytes or saved.size_bytes)))

    def _write(self, response: http.client.HTTPResponse, start: int, total: int | None) -> None:
        here = start
        try:
            with self.part.open("ab") as stream, progress_bar(self.name, total, start) as bar:
                while chunk := self._read_chunk(response):
                    stream.write(chunk)
                    here += len(chunk)
                    self.received_bytes += len(chunk)
                    bar.update(len(chunk))
        except OSError as error:
            raise write_error(self.part, error) from error
        if total is not None and here < total:
            raise _TransientError(f"the connection ended after {format_bytes(here)} of {format_bytes(total)}")

    def _read_chunk(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read1(_CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _TransientError(f"the connection broke ({error})") from error

    def _discard_part(self, reason: str) -> None:
        logger.warning("%s: starts over and discards %s: %s", self.name, format_bytes(_size_of(self.part)), reason)
        self.part.unlink(missing_ok=True)
        version_path(self.part).unlink(missing_ok=True)


def _first_byte(headers: Message) -> int | None:
    """Return the position of the first byte that `Content-Range` states."""
    found = re.match(r"bytes (\d+)-", headers["Content-Range"] or "")
    return int(found[1]) if found else None


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0

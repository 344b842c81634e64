"""One file over HTTP, however often the connection breaks.

A later call asks only for the bytes that are missing (`Range`), and only if the file is still the same one (`If-Range`;
RFC 9110, 13.1.5 and 14). Where it cannot tell, it starts anew. Only the standard library: docs/decisions/0009-download.md.
"""

import http.client
import logging
import socket
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from email.message import Message
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from pydantic import Field

from posescope import __version__
from posescope.core.errors import DataError
from posescope.core.plugins import Options
from posescope.data.download.disk_space import check_room, format_bytes, make_folder, progress_bar, write_fault
from posescope.data.download.resume_info import (
    PartNote,
    note_of,
    note_of_answer,
    read_note,
    start_of_answer,
    total_of_answer,
    write_note,
)

__all__ = ["RemoteFile", "TransferOptions", "fetch_file", "DownloadError", "make_opener"]

logger = logging.getLogger(__name__)

_LONGEST_WAIT_S = 60.0
# Answers that may be other ones in a moment.
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_ELSEWHERE = "Another server is named by --params download.mirror=ADDRESS"


class TransferOptions(Options):
    """How a file is fetched."""

    timeout_s: float = Field(30.0, gt=0, le=3600, description="silence after which a connection counts as broken, s")
    retries: int = Field(
        8, ge=0, le=1000, description="retries in a row that may bring nothing new; new bytes start the count again"
    )
    retry_wait_s: float = Field(1.0, ge=0, le=60, description="wait before the first retry, s; doubled each time, up to 60 s")
    chunk_bytes: int = Field(1 << 20, ge=1024, le=1 << 28, description="bytes that are read at a time, at most")
    min_free_bytes: int = Field(2_000_000_000, ge=0, description="bytes that stay free on the disk")


@dataclass(frozen=True)
class RemoteFile:
    """What is to be fetched.

    Attributes:
        url: http or https.
        size_bytes: as it should be; None where it is not known.
        is_checked: whether a checksum will be compared afterwards. Then it is safe to go on even where the server gives
            nothing to recognise the file by, or is another one than before.
    """

    url: str
    size_bytes: int | None
    is_checked: bool


class _InterruptionError(Exception):
    """Something that may go better at the next try."""


def fetch_file(remote: RemoteFile, part: Path, options: TransferOptions) -> int:
    """Fetch what `part` lacks of a file. Afterwards it holds all bytes; checking and renaming it is up to the caller.

    Returns:
        The number of bytes that came over the network.

    Raises:
        DownloadError: if the server refuses or cannot be found, the file has another size than it should, or the connection
            broke too often. What has come so far stays in `part`.
        DiskSpaceError: if it does not fit on the disk.
        DataError: if it cannot be written.
    """
    make_folder(part.parent)
    return _Transfer(remote, part, options).run()


class _Transfer:
    """Tries until the whole file is there."""

    def __init__(self, remote: RemoteFile, part: Path, options: TransferOptions) -> None:
        self.remote = remote
        self.part = part
        self.options = options
        self.name = part.name.removesuffix(".part")
        self.fetched_bytes = 0

    def run(self) -> int:
        """Try until all is there; the number of bytes that came."""
        furthest, failures = _size_of(self.part), 0
        while True:
            try:
                self._fetch_rest()
                return self.fetched_bytes
            except _InterruptionError as error:
                here = _size_of(self.part)
                failures = 1 if here > furthest else failures + 1
                furthest = max(furthest, here)
                if failures > self.options.retries:
                    raise DownloadError(
                        f"{self.remote.url}: {error}. Given up after {failures} tries that brought nothing new; "
                        f"{format_bytes(here)} are kept in {self.part}. Give the same command again to go on from there."
                    ) from error
                self._wait(failures, error)

    def _wait(self, failures: int, error: Exception) -> None:
        wait_s = min(self.options.retry_wait_s * 2 ** min(failures - 1, 10), _LONGEST_WAIT_S)
        logger.warning("%s: %s; retry %d of %d in %g s", self.name, error, failures, self.options.retries, wait_s)
        time.sleep(wait_s)

    def _fetch_rest(self) -> None:
        note = self._usable_note()
        offset = _size_of(self.part) if note else 0
        if offset and offset == self._size_to_be(note):
            return
        try:
            response = make_opener().open(self._request(note, offset), timeout=self.options.timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                self._take_refusal(error, offset)
            return
        except (OSError, http.client.HTTPException) as error:
            raise self._network_fault(error) from error
        with response:
            start, total = self._agree(response.status, response.headers, note, offset)
            self._write(response, start, total)

    def _usable_note(self) -> PartNote | None:
        """What the part is of, if it may be continued; a part that may not is removed."""
        note, here = read_note(self.part), _size_of(self.part)
        if not here:
            return None
        if note is None:
            reason = "it is not known of what file they are"
        elif note.url != self.remote.url and not self._may_change_server(note):
            reason = f"they are of {note.url}"
        elif not note.validator and not self.remote.is_checked:
            reason = "the server gives nothing to recognise the file by"
        elif here > (self._size_to_be(note) or here):
            reason = "they are more than the file has"
        else:
            return note
        self._start_anew(reason)
        return None

    def _may_change_server(self, note: PartNote) -> bool:
        """Whether to go on from another server's bytes: a checksum will tell in the end, and no size speaks against it."""
        sizes = {self.remote.size_bytes, note.size_bytes} - {None}
        return self.remote.is_checked and len(sizes) == 1

    def _size_to_be(self, note: PartNote | None) -> int | None:
        return self.remote.size_bytes or (note.size_bytes if note else None)

    def _request(self, note: PartNote | None, offset: int) -> urllib.request.Request:
        headers = {"User-Agent": f"posescope/{__version__}"}
        if note and offset:
            logger.info("%s: %s are here, going on from there", self.name, format_bytes(offset))
            headers["Range"] = f"bytes={offset}-"
            if note.validator and note.url == self.remote.url:  # one server's mark says nothing to another
                headers["If-Range"] = note.validator
        return urllib.request.Request(self.remote.url, headers=headers)  # noqa: S310  the opener knows only http and https

    def _take_refusal(self, error: urllib.error.HTTPError, offset: int) -> None:
        """Raise what an answer that is no success means; return if it says that nothing is missing."""
        if error.code == 416 and offset:  # the range begins behind the end
            if total_of_answer(error.headers) == offset:
                return
            self._start_anew("the file has become shorter")
            raise _InterruptionError("the file has become shorter on the server") from error
        if error.code in _PASSING:
            raise _InterruptionError(f"the server answers {error.code} {error.reason}") from error
        raise DownloadError(
            f"{self.remote.url}: the server answers {error.code} {error.reason}. "
            f"Is the address right (download.archives.NAME.url)? {_ELSEWHERE}"
        ) from error

    def _network_fault(self, error: Exception) -> Exception:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, socket.gaierror) and reason.errno != socket.EAI_AGAIN:
            return DownloadError(
                f"{self.remote.url}: this host cannot be found ({reason.strerror}). "
                f"Is there a network, and is the address right (download.archives.NAME.url)? {_ELSEWHERE}"
            )
        if isinstance(reason, ssl.SSLCertVerificationError):
            return DownloadError(
                f"{self.remote.url}: the server's certificate is not accepted ({reason.verify_message}). {_ELSEWHERE}"
            )
        return _InterruptionError(f"no connection ({reason})")

    def _agree(self, status: int, headers: Message, note: PartNote | None, offset: int) -> tuple[int, int | None]:
        """Where the bytes begin that now come, and the size of the whole file; a part that does not fit is removed."""
        found = note_of_answer(self.remote.url, headers)
        if status != 200 and not (status == 206 and note):
            raise DownloadError(f"{self.remote.url}: expected the answer 200, or 206 to a range, found {status}.")
        # Before anything is dropped: a page that says something must not cost what is here.
        if found.size_bytes is not None and self.remote.size_bytes not in (None, found.size_bytes):
            raise DownloadError(
                f"{self.remote.url}: expected a file of {self.remote.size_bytes} bytes, the server has {found.size_bytes}. "
                "It is another file, or a page that says something: look at it with a browser."
            )
        if status == 206 and note and (start_of_answer(headers) != offset or self._is_other_file(found, note)):
            self._start_anew("the file has changed on the server")
            raise _InterruptionError("the file has changed on the server")
        if status == 200:
            if offset:
                self._start_anew("the file has changed on the server, or the server cannot go on in the middle")
            offset = 0
        total = found.size_bytes or (self._size_to_be(note) if offset else self.remote.size_bytes)
        check_room(self.part.parent, (total or 0) - offset, self.options.min_free_bytes)
        self._note_whose(found, note, offset)
        return offset, total

    def _is_other_file(self, found: PartNote, note: PartNote) -> bool:
        if note.url == self.remote.url:
            return found.differs(note)
        return found.size_bytes is not None and found.size_bytes != self._size_to_be(note)

    def _note_whose(self, found: PartNote, note: PartNote | None, offset: int) -> None:
        """Write down whose bytes come. The note comes before the bytes, so that no part is of something unknown."""
        if not offset:
            self.part.unlink(missing_ok=True)
            write_note(self.part, found)
        elif note and note.url != self.remote.url:
            logger.info("%s: the bytes that are here came from %s", self.name, note.url)
            write_note(self.part, replace(found, size_bytes=found.size_bytes or note.size_bytes))

    def _write(self, response: http.client.HTTPResponse, start: int, total: int | None) -> None:
        here = start
        try:
            with self.part.open("ab") as stream, progress_bar(self.name, total, start) as bar:
                while chunk := self._next(response):
                    stream.write(chunk)
                    here += len(chunk)
                    self.fetched_bytes += len(chunk)
                    bar.update(len(chunk))
        except OSError as error:
            raise write_fault(self.part, error) from error
        if total is not None and here < total:
            raise _InterruptionError(f"the connection ended after {format_bytes(here)} of {format_bytes(total)}")

    def _next(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read1(self.options.chunk_bytes)
        except (OSError, http.client.HTTPException) as error:
            raise _InterruptionError(f"the connection broke ({error})") from error

    def _start_anew(self, reason: str) -> None:
        logger.warning("%s: starts anew, %s are dropped: %s", self.name, format_bytes(_size_of(self.part)), reason)
        self.part.unlink(missing_ok=True)
        note_of(self.part).unlink(missing_ok=True)


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


# MERGED from opener: What opens an address: http and https, and nothing else, wherever a server may send us.


class DownloadError(DataError):
    """A file cannot be fetched, or is not the one that was expected."""


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections as long as they stay on the web. Python's own would go on to ftp."""

    def http_error_302(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage) -> Any:
        """As Python's own, but for addresses that are not of the web.

        Raises:
            DownloadError: if the server names one.
        """
        target = urljoin(req.full_url, headers["Location"] or headers["URI"] or "")
        if urlsplit(target).scheme not in ("http", "https"):
            fp.close()
            raise DownloadError(
                f"{req.full_url}: the server sends us on to {target}, but only http and https are fetched. "
                "Another server is named by --params download.mirror=ADDRESS"
            )
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def make_opener() -> urllib.request.OpenerDirector:
    """Knows http, https, redirections between them, and the proxies of the environment; no ftp, no local files."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _WebRedirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener

"""A local web server with configurable faults, and archives to download from it."""

import hashlib
import io
import re
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from posescope.data.download.archives import download_archives
from posescope.data.download.options import DownloadOptions
from posescope.data.download.plan import make_plan


@dataclass
class ServedFile:
    """A file on the server with its validators."""

    content: bytes
    etag: str | None = '"one"'
    last_modified: str | None = "Wed, 21 Oct 2015 07:28:00 GMT"


@dataclass
class Answer:
    """The behaviour of the server in one request."""

    status: int | None = None  # sent in place of the file
    cut_after: int | None = None  # number of body bytes after which the connection is closed
    stall_s: float = 0.0  # pause before the body
    location: str | None = None  # with a status 3xx


@dataclass
class LoggedRequest:
    """One request with the number of body bytes that were sent."""

    path: str
    range: str | None
    if_range: str | None
    sent: int = 0
    status: int = 0


@dataclass
class ArchiveServer:
    """The files, the behaviour and the log of the server."""

    url: str = ""
    files: dict[str, ServedFile] = field(default_factory=dict)
    answers: deque[Answer] = field(default_factory=deque)  # one per request; later requests are answered without faults
    log: list[LoggedRequest] = field(default_factory=list)
    supports_ranges: bool = True
    supports_if_range: bool = True
    sends_length: bool = True
    pause_s: float = 0.0  # after every 10,000 bytes

    def put(self, path: str, content: bytes, **more: str | None) -> str:
        """Serve a file and return its address."""
        self.files[path] = ServedFile(content, **more)
        return self.url + path

    @property
    def sent(self) -> int:
        """Number of body bytes sent in all requests."""
        return sum(request.sent for request in self.log)


class Handler(BaseHTTPRequestHandler):
    """Handler of GET requests, with ranges as in RFC 9110."""

    owner: ArchiveServer

    def do_GET(self) -> None:
        owner, answer = self.owner, self.owner.answers.popleft() if self.owner.answers else Answer()
        request = LoggedRequest(self.path, self.headers["Range"], self.headers["If-Range"])
        owner.log.append(request)
        served = owner.files.get(self.path.partition("?")[0])
        if answer.status or served is None:
            self._refuse(request, answer.status or 404, answer.location)
            return
        start, total = self._start(served, request), len(served.content)
        if start and start >= total:
            request.status = 416
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        request.status = 206 if start else 200
        self.send_response(request.status)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if owner.sends_length:
            self.send_header("Content-Length", str(total - start))
        for name, value in {"ETag": served.etag, "Last-Modified": served.last_modified}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        time.sleep(answer.stall_s)
        self._send(served.content[start:], answer, request)

    def _start(self, served: ServedFile, request: LoggedRequest) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", request.range or "")
        same = request.if_range in (None, served.etag, served.last_modified) or not self.owner.supports_if_range
        return int(match[1]) if match and same and self.owner.supports_ranges else 0

    def _refuse(self, request: LoggedRequest, status: int, location: str | None) -> None:
        request.status = status
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, body: bytes, answer: Answer, request: LoggedRequest) -> None:
        body = body if answer.cut_after is None else body[: answer.cut_after]
        for begin in range(0, len(body), 10_000):
            piece = body[begin : begin + 10_000]
            request.sent += len(piece)  # counted before writing, because the test may receive it before this thread continues
            try:
                self.wfile.write(piece)
            except ConnectionError:  # the client was killed
                break
            time.sleep(self.owner.pause_s)
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Print nothing; tests read `log`."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchiveServer]:
    """Start a server whose address is excluded from proxies."""
    monkeypatch.setenv("no_proxy", "*")
    owner = ArchiveServer()
    handler = type("BoundHandler", (Handler,), {"owner": owner})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        http.daemon_threads = True
        owner.url = f"http://127.0.0.1:{http.server_port}"
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield owner
        http.shutdown()
        thread.join()


def zip_files(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of the files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture
def make_zip():
    """Return `zip_files`, because tests cannot import it."""
    return zip_files


@pytest.fixture
def serve_zip(server):
    """Return a function that serves an archive and returns its options with size and checksums."""

    def serve(name: str, files: dict[str, bytes], members: str) -> dict[str, str | int]:
        content = zip_files(files, zipfile.ZIP_STORED)
        return {
            "url": server.put(f"/zips/{name}.zip", content), "members": members, "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(), "md5": hashlib.md5(content).hexdigest(),
        }  # fmt: skip

    return serve


@pytest.fixture
def answer() -> type[Answer]:
    """Return the class `Answer`, because tests cannot import it."""
    return Answer


# The content of the two archives. Tests cannot import it and repeat it.
VAL = {f"val2017/{number}.jpg": bytes([number]) * 5000 for number in range(1, 6)}
NOTES = {"annotations/person_keypoints_val2017.json": b"{}", "annotations/captions_val2017.json": b"[]"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder of the downloaded data set."""
    return tmp_path / "coco"


@pytest.fixture
def archives(serve_zip: Callable[..., dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Serve two archives and return their options with size and checksums."""
    return {
        "annotations": serve_zip("annotations", NOTES, "annotations/person_keypoints_*.json"),
        "val2017": serve_zip("val2017", VAL, "val2017/*.jpg"),
    }


@pytest.fixture
def options_of() -> Callable[..., DownloadOptions]:
    """Return a function that makes download options without waiting times."""

    def make(archives: dict[str, Any], **more: Any) -> DownloadOptions:
        return DownloadOptions.model_validate({"archives": archives, "retry_wait_s": 0, "min_free_bytes": 0, **more})

    return make


@pytest.fixture
def run() -> Callable[[Path, DownloadOptions], Any]:
    """Return a function that plans and runs a download."""
    return lambda root, options: download_archives(make_plan(root, options, is_generated=False), options)


@pytest.fixture
def files_in() -> Callable[[Path], set[str]]:
    """Return a function that lists all files of a folder without the lock."""
    return lambda root: {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}

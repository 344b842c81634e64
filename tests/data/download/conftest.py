"""A local web server that breaks off, refuses and forgets, and archives to download from it."""

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
class Served:
    """A file on the server, and how it may be recognised."""

    content: bytes
    etag: str | None = '"one"'
    last_modified: str | None = "Wed, 21 Oct 2015 07:28:00 GMT"


@dataclass
class Answer:
    """How the server treats one request."""

    status: int | None = None  # this status instead of the file
    cut_after: int | None = None  # break the connection after so many bytes of the body
    stall_s: float = 0.0  # silence before the body
    location: str | None = None  # with a status 3xx


@dataclass
class Asked:
    """One request as the server saw it, and how many bytes of body went out."""

    path: str
    range: str | None
    if_range: str | None
    sent: int = 0
    status: int = 0


@dataclass
class ArchiveServer:
    """The server's files, its manners, and its log."""

    url: str = ""
    files: dict[str, Served] = field(default_factory=dict)
    answers: deque[Answer] = field(default_factory=deque)  # one a request; afterwards it behaves
    log: list[Asked] = field(default_factory=list)
    knows_ranges: bool = True
    knows_if_range: bool = True
    says_length: bool = True
    pause_s: float = 0.0  # after every 10,000 bytes

    def put(self, path: str, content: bytes, **more: str | None) -> str:
        """Serve a file; its address."""
        self.files[path] = Served(content, **more)
        return self.url + path

    @property
    def sent(self) -> int:
        """Bytes of body that went out in all."""
        return sum(asked.sent for asked in self.log)


class Handler(BaseHTTPRequestHandler):
    """Answers GET, with ranges as RFC 9110 says."""

    owner: ArchiveServer

    def do_GET(self) -> None:
        owner, answer = self.owner, self.owner.answers.popleft() if self.owner.answers else Answer()
        asked = Asked(self.path, self.headers["Range"], self.headers["If-Range"])
        owner.log.append(asked)
        served = owner.files.get(self.path.partition("?")[0])
        if answer.status or served is None:
            self._refuse(asked, answer.status or 404, answer.location)
            return
        start, total = self._start(served, asked), len(served.content)
        if start and start >= total:
            asked.status = 416
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked.status = 206 if start else 200
        self.send_response(asked.status)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if owner.says_length:
            self.send_header("Content-Length", str(total - start))
        for name, value in {"ETag": served.etag, "Last-Modified": served.last_modified}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        time.sleep(answer.stall_s)
        self._send(served.content[start:], answer, asked)

    def _start(self, served: Served, asked: Asked) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", asked.range or "")
        same = asked.if_range in (None, served.etag, served.last_modified) or not self.owner.knows_if_range
        return int(found[1]) if found and same and self.owner.knows_ranges else 0

    def _refuse(self, asked: Asked, status: int, location: str | None) -> None:
        asked.status = status
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, body: bytes, answer: Answer, asked: Asked) -> None:
        body = body if answer.cut_after is None else body[: answer.cut_after]
        for begin in range(0, len(body), 10_000):
            piece = body[begin : begin + 10_000]
            asked.sent += len(piece)  # before it goes out: the test may have it before this thread goes on
            try:
                self.wfile.write(piece)
            except ConnectionError:  # the other side was killed
                break
            time.sleep(self.owner.pause_s)
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Quiet: the tests read `log`."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArchiveServer]:
    """A running server; requests to it go past every proxy."""
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


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture
def make_zip():
    """`zipped`, for tests: they cannot import from each other."""
    return zipped


@pytest.fixture
def serve_zip(server):
    """For tests: put an archive on the server; the options that say all that is known of it."""

    def serve(name: str, files: dict[str, bytes], members: str) -> dict[str, str | int]:
        content = zipped(files, zipfile.ZIP_STORED)
        return {
            "url": server.put(f"/zips/{name}.zip", content), "members": members, "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(), "md5": hashlib.md5(content).hexdigest(),
        }  # fmt: skip

    return serve


@pytest.fixture
def answer() -> type[Answer]:
    """`Answer`, for tests."""
    return Answer


# What the two archives hold; tests cannot import from each other, so those who need it repeat it.
VAL = {f"val2017/{number}.jpg": bytes([number]) * 5000 for number in range(1, 6)}
NOTES = {"annotations/person_keypoints_val2017.json": b"{}", "annotations/captions_val2017.json": b"[]"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the data set that is fetched."""
    return tmp_path / "coco"


@pytest.fixture
def archives(serve_zip: Callable[..., dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Two archives on the server, with all that is known of them."""
    return {
        "annotations": serve_zip("annotations", NOTES, "annotations/person_keypoints_*.json"),
        "val2017": serve_zip("val2017", VAL, "val2017/*.jpg"),
    }


@pytest.fixture
def options_of() -> Callable[..., DownloadOptions]:
    """Options for these archives that wait for nothing."""

    def make(archives: dict[str, Any], **more: Any) -> DownloadOptions:
        return DownloadOptions.model_validate({"archives": archives, "retry_wait_s": 0, "min_free_bytes": 0, **more})

    return make


@pytest.fixture
def run() -> Callable[[Path, DownloadOptions], Any]:
    """Plan and fetch."""
    return lambda root, options: download_archives(make_plan(root, options, is_generated=False), options)


@pytest.fixture
def files_in() -> Callable[[Path], set[str]]:
    """All files of a folder but the lock."""
    return lambda root: {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and path.name != ".lock"}

"""An HTTP proxy before an S3 server that delays answers, loses connections, shortens bodies and answers 503."""

import http.client
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["FaultProxy", "Faults"]

# Parts of requests that are drawn at random: the folder of a test, the id of a large upload.
_RANDOM = re.compile(r"-[0-9a-f]{8}(?=/|%2F|&| )|uploadId=[^& ]+")
_HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}


@dataclass
class Faults:
    """Probabilities of the faults of a request, and the latency of every answer.

    Attributes:
        busy: 503 SlowDown; the server gets no request.
        lost_request: the connection is reset; the server gets no request.
        lost_answer: the server does what was asked, then the connection is reset before the answer.
        lost_body: the connection is reset in the middle of the answer's body.
        shortened: the body of an object ends early, with a matching Content-Length.
        latency_s: wait before each answer, s.
        seed: the fault of a request follows from the seed, the request and how often it came before, not from the order in time.
        most: number of faults in succession for one request.
    """

    busy: float = 0.0
    lost_request: float = 0.0
    lost_answer: float = 0.0
    lost_body: float = 0.0
    shortened: float = 0.0
    latency_s: float = 0.0
    seed: int = 0
    most: int = 3
    seen: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, request: str, has_body: bool) -> str:
        """Return the name of the fault of a request, or `none`."""
        request = _RANDOM.sub("", request)
        with self.lock:
            times = self.seen[request]
            self.seen[request] += 1
            chance = random.Random(f"{self.seed} {request} {times}").random()
            for name in ("busy", "lost_request", "lost_answer", "lost_body", "shortened"):
                chance -= getattr(self, name)
                if chance < 0 and times % (self.most + 1) < self.most and (has_body or name not in ("lost_body", "shortened")):
                    self.happened[name] += 1
                    return name
            return "none"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "FaultProxy"

    def log_message(self, *_: object) -> None:
        """Write no line per request."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_object = self.command == "GET" and "list-type" not in self.path
        fault = self.server.faults.draw(f"{self.command} {self.path} {self.headers.get('Range')}", is_object)
        time.sleep(self.server.faults.latency_s)
        if fault == "busy":
            self._answer(503, {"Content-Type": "application/xml"}, b"<Error><Code>SlowDown</Code><Message>slow</Message></Error>")
            return
        if fault == "lost_request":
            self._reset()
            return
        status, headers, content = self._forward(body)
        if fault == "lost_answer":
            self._reset()
        elif fault == "shortened" and status in (200, 206):
            self._answer(status, headers, content[: len(content) // 2])
        elif fault == "lost_body" and status in (200, 206):
            self._answer(status, headers, content[: len(content) // 2], declared=len(content))
            self._reset()
        else:
            self._answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.upstream_port, timeout=30)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            connection.request(self.command, self.path, body=body or None, headers=headers)
            answer = connection.getresponse()
            return answer.status, {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}, answer.read()
        except OSError:  # the server was killed
            return 503, {}, b""
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], content: bytes, declared: int | None = None) -> None:
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(content) if declared is None else declared))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _reset(self) -> None:
        self.close_connection = True
        # With a linger of 0 s the connection is reset, not ended in order.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class FaultProxy(ThreadingHTTPServer):
    """The proxy, in threads of this process; `faults` may be replaced at any time."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream_port, self.faults = upstream_port, Faults()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Write nothing when a client is gone."""

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

"""The server process: one port, one event loop, one model. It ends at Ctrl-C or SIGTERM, after the requests in progress.

uvicorn limits neither the time in which the header of a request arrives nor the number of idle connections. Without limits some
hundred connections that send a byte now and then would keep all others out, so `_LimitedConnection` adds both.
"""

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from posescope.core.errors import PosescopeError
from posescope.serving.options import ServingOptions
from posescope.serving.request_guard import GuardedApplication

__all__ = ["ServerError", "bind_port", "limited_connections", "serve"]

_MAX_HEADER_BYTES = 32_768
_KEEP_ALIVE_S = 15
_BACKLOG = 128


class ServerError(PosescopeError):
    """The server cannot listen at this address."""


def bind_port(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address; requests are answered when `serve` runs.

    Args:
        host: an address of this machine.
        port: the port; 0: any free one.

    Raises:
        ServerError: if the port is in use or not allowed, or the host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServerError(f"--host {host}: expected an address of this machine ({error.strerror or error}).") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port whose last server has just ended
        bound.bind(address)
        bound.listen(_BACKLOG)  # from now on the port is in use for others
    except OSError as error:
        bound.close()
        raise ServerError(f"{host}:{port}: the server cannot listen there ({error.strerror}). Choose another --port.") from error
    return bound


def serve(
    application: GuardedApplication,
    bound: socket.socket,
    options: ServingOptions,
    announce: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until Ctrl-C or SIGTERM. Requests in progress are answered; new ones are refused.

    Args:
        application: of `make_application`.
        bound: of `bind_port`; closed at the end.
        options: the limits of connections.
        announce: called with the URL when requests are answered.
    """
    config = uvicorn.Config(
        application,
        http=limited_connections(options),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level="error",  # an invalid request is no fault of the server
        access_log=False,
        proxy_headers=False,  # the address of the client is not used
        server_header=False,
        backlog=_BACKLOG,
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(options.timeout_s) + 1),
    )
    address, port = bound.getsockname()[:2]
    # uvicorn stops at these signals, and raises them again at the end: the process then ends with exit code 0.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_process)
    _AnnouncingServer(config, announce, f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}").run(
        [bound]
    )


def _end_process(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


class _AnnouncingServer(uvicorn.Server):
    """Calls a function when requests are answered."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[str], None], url: str) -> None:
        super().__init__(config)
        self._announce, self._url = announce, url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce(self._url)


def limited_connections(options: ServingOptions) -> type[asyncio.Protocol]:
    """Return the protocol of a connection with the limits of these options."""

    class Connection(_LimitedConnection):
        header_s, answer_s, most = options.header_timeout_s, options.timeout_s, options.max_connections

    return Connection


class _LimitedConnection(H11Protocol):
    """A connection that is closed if a header, a body or the reading of an answer takes too long, or to make room for others.

    Class attributes:
        header_s: maximum time in which the header of a request arrives, s.
        answer_s: maximum time from there to the answer, s; the application answers within it, so this bound is a little larger.
        most: maximum number of open connections.
    """

    header_s: float
    answer_s: float
    most: int
    _deadline: asyncio.TimerHandle | None = None
    _awaits_header = True
    _changed_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_deadline(self.header_s)
        if len(self.connections) > self.most:
            self._make_room()

    def _make_room(self) -> None:
        """Close the connection that has been idle for longest: this one if all others have a request in progress.

        So clients that open many connections and send nothing cannot keep the others out.
        """
        others = (one for one in self.connections if isinstance(one, _LimitedConnection) and one._is_idle)
        oldest = min(others, key=lambda one: one._changed_s)
        self.connections.discard(oldest)  # the event loop reports the end of the connection later
        oldest.transport.abort()

    @property
    def _is_idle(self) -> bool:
        """Whether the connection waits for a header, or its request was answered though the body has not arrived."""
        return self._awaits_header or (self.cycle is not None and self.cycle.response_complete)

    def data_received(self, data: bytes) -> None:
        had_header = not self._awaits_header
        super().data_received(data)
        self._awaits_header = self.conn.their_state is h11.IDLE
        if not self._awaits_header and not had_header:
            self._set_deadline(self.answer_s + 2 * self.header_s)

    def on_response_complete(self) -> None:
        super().on_response_complete()  # starts the next request if it has already arrived
        self._awaits_header = self.conn.their_state is h11.IDLE
        is_idle = self.cycle.response_complete
        self._set_deadline(self.header_s + (self.timeout_keep_alive if is_idle else self.answer_s + self.header_s))

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_deadline(None)
        super().connection_lost(exc)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._changed_s = self.loop.time()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        self.transport.abort()

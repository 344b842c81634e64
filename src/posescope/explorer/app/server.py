"""Serve the page on one machine: address, port, token, and an end without loss on Ctrl-C."""

import errno
import ipaddress
import logging
import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from urllib.parse import urlencode

from dash import Dash
from waitress.server import create_server

from posescope.core.errors import PosescopeError
from posescope.explorer.app.request_rules import GuardedApplication, RequestRules, is_loopback

__all__ = ["DEFAULT_PORT", "ListeningAddress", "ServerError", "listen", "serve"]

DEFAULT_PORT = 8050
_TRIED_PORTS = 50
_THREADS = 6  # as many as a browser has connections
# Requests and answers contain photographs, which are never written to disk, so waitress keeps them in memory. A request has less
# than `max_request_bytes`, 32 MiB; of one without a stated length waitress notices the excess a received block (8 kB) later. With
# the connections of four browsers all requests together have at most 0.8 GB.
_RECEIVED_MARGIN_BYTES = 65_536
_CONNECTIONS = 4 * _THREADS
# A photograph in an answer has at most 1,000 x 1,000 px: 2.4 MB as JPEG in base64 if it is noise. A slow connection has
# at most 16 MiB unsent (`outbuf_high_watermark`) when the next answer is added. Only an export of annotations can be larger.
_MOST_UNSENT_BYTES = 64 * 1024**2


class ServerError(PosescopeError):
    """The page cannot be served at this address."""


@dataclass(frozen=True)
class ListeningAddress:
    """A bound socket, the rules of its requests, and what the page shows at first (`?slice=slice-1`)."""

    socket: socket.socket
    rules: RequestRules
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Address of the page, with its token if there is one."""
        host = self.rules.name or self.rules.host
        name = f"[{host}]" if ":" in host else host
        parts = {**({} if self.rules.token is None else {"token": self.rules.token}), **self.query}
        return f"http://{name}:{self.rules.port}/" + (f"?{urlencode(parts)}" if parts else "")


def listen(host: str = "127.0.0.1", port: int | None = None, query: Mapping[str, str] | None = None) -> ListeningAddress:
    """Bind a port.

    Args:
        host: address of this machine. Others than loopback get a token.
        port: the port. None: 8050, or the next free one.
        query: what the page shows at first.

    Raises:
        ServerError: if the port is in use, or the host is no address of this machine.
    """
    wanted = range(DEFAULT_PORT, DEFAULT_PORT + _TRIED_PORTS) if port is None else [port]
    for number in wanted:
        bound = _bind(host, number, is_last=number == wanted[-1])
        if bound is not None:
            token = None if is_loopback(host) else secrets.token_urlsafe(32)
            address, free = bound.getsockname()[:2]
            name = socket.gethostname() if ipaddress.ip_address(address).is_unspecified else ""  # of all addresses
            return ListeningAddress(bound, RequestRules(host, free, token, name), query or {})
    raise ServerError(f"No free port from {wanted[0]} to {wanted[-1]}.")


def _bind(host: str, port: int, *, is_last: bool) -> socket.socket | None:
    """Return a bound socket; None if the port is in use and another one may be tried."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServerError(f"--host {host}: expected an address of this machine ({error.strerror or error}).") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port whose last server has just ended
        bound.bind(address)
        bound.listen(128)  # from now on the port is in use for others
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE and not is_last:
            return None
        raise ServerError(
            f"{host}:{port}: the page cannot be served there ({error.strerror}). Choose another port: --port 0 takes a free one."
        ) from error
    return bound


def serve(app: Dash, address: ListeningAddress, announce: Callable[[str], None], *, open_browser: bool = True) -> None:
    """Serve the page until Ctrl-C or a request to end (SIGTERM). Requests in progress are completed.

    Args:
        app: the application.
        address: a bound port.
        announce: called with the address of the page when it can be opened.
        open_browser: open the page in the browser of the user.
    """
    guarded = GuardedApplication(app.server.wsgi_app, address.rules, app.csp_hashes())
    app.server.wsgi_app = guarded
    server = create_server(
        app.server,
        sockets=[address.socket],
        threads=_THREADS,
        max_request_body_size=address.rules.max_request_bytes,
        max_request_header_size=65_536,
        inbuf_overflow=address.rules.max_request_bytes + _RECEIVED_MARGIN_BYTES,
        outbuf_overflow=_MOST_UNSENT_BYTES,
        connection_limit=_CONNECTIONS,
        ident=None,
    )
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a page that loads has more requests than threads
    announce(address.url)
    if open_browser:
        # The socket listens already: the first request waits for the server, not the browser for a guessed time.
        threading.Thread(target=webbrowser.open, args=[address.url], daemon=True).start()
    previous = signal.signal(signal.SIGTERM, _end)
    try:
        server.run()  # returns on KeyboardInterrupt and SystemExit
    finally:
        signal.signal(signal.SIGTERM, previous)
        server.close()


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)

"""Which requests the server answers: an ASGI layer around the application, which also counts them.

    Host          on a loopback address only its own names; a page elsewhere whose name resolves to 127.0.0.1 is refused
    origin        no request that the page of another site sends (`Sec-Fetch-Site: cross-site`)
    API key       `X-API-Key: KEY` or `Authorization: Bearer KEY`, if the server has keys; not for /health and /docs
    path          no control character: routes ignore a line break at the end of a path

Any exception of the application that is left becomes an answer 500 without details; its traceback goes to the log.
"""

import ipaddress
import json
import logging
import re
import time
from collections.abc import Collection, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posescope.core.text_escaping import escape_control
from posescope.serving.api_keys import ApiKeys
from posescope.serving.refusals import RequestRefusedError
from posescope.serving.server_metrics import ServerMetrics

__all__ = ["SERVER_FAILED", "GuardedApplication", "error_body", "is_loopback"]

SERVER_FAILED = "The server failed; its log has the reason."

_log = logging.getLogger(__name__)

_OPEN = frozenset({"/", "/health", "/health/live", "/health/ready", "/docs", "/openapi.json"})
_KNOWN = _OPEN | {"/predict", "/model", "/metrics"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"),
)


def is_loopback(host: str) -> bool:
    """Return whether only programs of this machine reach an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
        (True, False)
    """
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def error_body(message: str) -> bytes:
    """Return the JSON body of a refusal: `{"error": message}`, one line without control characters."""
    return json.dumps({"error": escape_control(" ".join(message.split()))}).encode()


class GuardedApplication:
    """An ASGI application that answers the requests that the rules allow.

    Args:
        application: the application.
        metrics: counts the requests.
        keys: the API keys; None: none is needed.
        is_local: whether the server listens on a loopback address.
        names: further names that the Host header may have on a loopback address, such as that of a proxy on this machine.
    """

    def __init__(
        self,
        application: ASGIApp,
        metrics: ServerMetrics,
        keys: ApiKeys | None,
        *,
        is_local: bool,
        names: Collection[str] = (),
    ) -> None:
        self._application, self._metrics, self._keys, self._is_local = application, metrics, keys, is_local
        self._names = _LOOPBACK_NAMES | {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass a message of another kind on."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, answered = time.perf_counter(), _Answered()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered.status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
            await send(message)

        try:
            self._check(scope)
            await self._application(scope, receive, send_with_headers)
        except RequestRefusedError as refusal:
            await _send_error(send_with_headers, refusal.status, str(refusal), refusal.headers)
        except Exception:
            _log.exception("%s %s: unexpected error", scope["method"], escape_control(scope["path"]))
            if answered.status is None:
                await _send_error(send_with_headers, 500, SERVER_FAILED, {})
        finally:
            path = scope["path"] if scope["path"] in _KNOWN else "other"
            self._metrics.count_request(path, answered.status or 499, time.perf_counter() - started)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if self._is_local and name not in self._names and not is_loopback(name):
            raise RequestRefusedError(403, "Expected the Host localhost, a loopback address or one of --allow-host.")
        if headers.get("sec-fetch-site") == "cross-site" and scope["method"] != "GET":
            raise RequestRefusedError(403, "Expected no request from the page of another site.")
        if _CONTROL.search(scope["path"]):
            raise RequestRefusedError(400, "Expected a path without control characters.")
        if self._keys is not None and scope["path"] not in _OPEN and not self._keys.knows(_key_of(headers)):
            raise RequestRefusedError(
                401,
                "Expected an API key of this server, as the header X-API-Key: KEY or Authorization: Bearer KEY.",
                {"WWW-Authenticate": "Bearer"},
            )


class _Answered:
    """Whether the application has begun its answer. Attribute: status, None before."""

    status: int | None = None


def _key_of(headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else headers.get("x-api-key")


async def _send_error(send: Send, status: int, message: str, headers: MutableMapping[str, Any]) -> None:
    body = error_body(message)
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(k.lower().encode(), v.encode()) for k, v in lines.items()],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})

"""Which requests the page answers: a WSGI layer around the application.

    Host            one of this address only; a page elsewhere whose name resolves to 127.0.0.1 is refused (DNS rebinding)
    Origin          a POST comes from this page (`Origin`, `Sec-Fetch-Site`)
    path            one of the application's own; no path of the file system is ever built from it
    size            a body of at most `max_request_bytes`
    token           on addresses other than loopback: in the first URL, then a cookie

Every response has a content security policy that forbids all outside addresses.
"""

import hmac
import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["GuardedApplication", "RequestRules", "content_security_policy", "is_loopback"]

MAX_REQUEST_BYTES = 32 * 1024**2
_PATHS = ("/", "/_dash-layout", "/_dash-dependencies", "/_dash-update-component", "/_favicon.ico")
_FOLDERS = ("/_dash-component-suites/", "/assets/")
_POST_PATH = "/_dash-update-component"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
}


@dataclass(frozen=True)
class RequestRules:
    """Rules of one server.

    Attributes:
        host: address on which the server listens.
        port: its port.
        token: secret that the first URL contains; None on the loopback address.
        name: name of this machine in the URL, if the server listens on all its addresses; empty: the host.
        max_request_bytes: largest body of a request.
    """

    host: str
    port: int
    token: str | None = None
    name: str = ""
    max_request_bytes: int = MAX_REQUEST_BYTES

    @property
    def cookie(self) -> str:
        """Name of the cookie that replaces the token; cookies are shared by all ports of a host."""
        return f"posescope_{self.port}"

    def knows_host(self, host: str) -> bool:
        """Return whether a `Host` header names this server.

        On an address other than loopback any IP address counts, since the server may have several. A name other than the
        announced one cannot be an attack there, because the cookie of this page is not sent to it, but is refused as well.
        """
        name, _, port = host.lower().rpartition(":")
        if not name or name.endswith(":"):  # without port, or an IPv6 address without port
            name, port = host.lower(), "80"
        if port != str(self.port):
            return False
        own = {one.lower() for one in (self.host, f"[{self.host}]", self.name) if one}
        if name in {"127.0.0.1", "localhost", "[::1]", *own}:
            return True
        return not is_loopback(self.host) and _is_address(name.strip("[]"))

    def knows_token(self, token: str | None) -> bool:
        """Compare a token in constant time."""
        if self.token is None or token is None:
            return self.token is None
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.token.encode())


def is_loopback(host: str) -> bool:
    """Return whether only programs of this machine reach an address."""
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def content_security_policy(script_hashes: Iterable[str]) -> str:
    """Return a policy under which the page loads from its own address only.

    Args:
        script_hashes: hashes of the inline scripts of the application, such as `'sha256-...'`.
    """
    rules = {
        "default-src": ["'none'"],
        # plotly compiles the programs of its WebGL layers when it draws them
        "script-src": ["'self'", "'unsafe-eval'", *script_hashes],
        "style-src": ["'self'", "'unsafe-inline'"],  # plotly and Dash write style elements
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(dict.fromkeys(values))}" for name, values in rules.items())


class GuardedApplication:
    """A WSGI application that refuses what the rules forbid, and adds security headers to every response."""

    def __init__(self, application: "WSGIApplication", rules: RequestRules, script_hashes: Sequence[str] = ()) -> None:
        """Args:
        application: the application.
        rules: rules of the server.
        script_hashes: hashes of the inline scripts.
        """
        self._application = application
        self._rules = rules
        self._headers = {**_HEADERS, "Content-Security-Policy": content_security_policy(script_hashes)}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ)
        refusal = _refuse(request, self._rules)
        is_script = refusal is None and environ.get("PATH_INFO", "").startswith(_FOLDERS)

        def start_with_headers(status: str, headers: list[tuple[str, str]], *rest: object) -> object:
            names = {name.lower() for name, _ in headers}
            kept = [(name, value) for name, value in headers if name not in self._headers]
            if "cache-control" not in names:
                # A browser keeps scripts, and asks whether they are the same; the rest is data of the run.
                kept.append(("Cache-Control", "no-cache" if is_script else "no-store"))
            return start_response(status, [*kept, *self._headers.items()], *rest)  # type: ignore[arg-type]

        answer = self._application if refusal is None else refusal
        return answer(environ, start_with_headers)  # type: ignore[arg-type]


def _refuse(request: Request, rules: RequestRules) -> Response | None:
    """Return the refusal of a request, the redirection after the token, or None for a request that is answered."""
    if not rules.knows_host(request.environ.get("HTTP_HOST", "")):
        return _answer(421, "This page answers only under its own address.")
    path = request.environ.get("PATH_INFO", "")
    if path not in _PATHS and not path.startswith(_FOLDERS):
        return _answer(404, "There is no such page.")
    if request.method not in ("GET", "HEAD", "POST") or (request.method == "POST") != (path == _POST_PATH):
        return _answer(405, "This address does not have that method.")
    if not _is_same_site(request, path):
        return _answer(403, "Requests of other pages are refused.")
    if not re.fullmatch(r"\d{0,18}", length := request.environ.get("CONTENT_LENGTH", "") or ""):
        return _answer(400, "The length of the request is malformed.")
    if int(length or 0) > rules.max_request_bytes:
        return _answer(413, f"The request has more than {rules.max_request_bytes} bytes.")
    return _check_token(request, rules, path)


def _is_same_site(request: Request, path: str) -> bool:
    """Return whether a request is one of this page, or a user who opens it."""
    site = request.headers.get("Sec-Fetch-Site")
    if request.method == "POST":
        origin = request.headers.get("Origin")
        own = f"http://{request.environ['HTTP_HOST']}".lower()
        return (origin is None or origin.lower() == own) and site in (None, "same-origin") and (origin or site) is not None
    opened = path == "/" and request.headers.get("Sec-Fetch-Mode") == "navigate"  # a link on a page, such as the summary
    return opened or site in (None, "same-origin", "none")


def _check_token(request: Request, rules: RequestRules, path: str) -> Response | None:
    if rules.knows_token(request.cookies.get(rules.cookie)):
        return None
    if path != "/" or not rules.knows_token(request.args.get("token")):
        return _answer(403, "Open the address that the command printed: it contains a token.")
    rest = urlencode([(name, value) for name, value in request.args.items(multi=True) if name != "token"])
    response = Response(status=303, headers={"Location": f"/?{rest}" if rest else "/"})
    # Lax: sent when the page is opened by a link, and never with a POST of another page.
    response.set_cookie(rules.cookie, rules.token or "", httponly=True, samesite="Lax")
    return response


def _answer(status: int, text: str) -> Response:
    return Response(text + "\n", status=status, mimetype="text/plain")

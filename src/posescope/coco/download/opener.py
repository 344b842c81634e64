"""What opens an address: http and https, and nothing else, wherever a server may send us."""

import urllib.request
from http.client import HTTPMessage
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from posescope.errors import DataError

__all__ = ["DownloadError", "make_opener"]


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

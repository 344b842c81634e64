"""Retries of calls of an object store: which errors pass, how long to wait, and the one-line errors of the others.

The libraries of object stores raise many kinds of errors: `OSError` with or without an HTTP status as its cause (s3fs), errors of
botocore, aiohttp and google-auth. They are recognised by module and class name, so that none of these packages is imported here.
"""

import errno
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any, TypeVar

from posescope.core.errors import DataError, causes_of

__all__ = [
    "ErrorKind", "ObjectStoreError", "Retries", "StoreUnavailableError", "TruncatedObjectError", "classify_error",
    "http_status_of",
]  # fmt: skip

_Result = TypeVar("_Result")

# Lost or refused connections, timeouts, broken bodies, answers that are no XML (a proxy's page).
_TRANSIENT_CLASSES = {
    "HTTPClientError", "IncompleteReadError", "ResponseParserError", "HTTPException", "ClientConnectionError",
    "ClientPayloadError", "TransportError", "ConnectionError",
}  # fmt: skip
_CREDENTIAL_CLASSES = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "GoogleAuthError"}
_LIBRARIES = {"botocore", "aiobotocore", "aiohttp", "google", "gcsfs", "adlfs", "azure", "http"}
# 409: another writer of the same object is at work.
_TRANSIENT_STATUS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
# Codes that come with the status 400 although the request was right: its body did not arrive whole.
_TRANSIENT_CODES = {"RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "SlowDown"}
# Temporary credentials that have ended come with the status 400, or 403.
_EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_CREDENTIAL_CODES = {*_EXPIRED_CODES, "InvalidToken", "AuthorizationHeaderMalformed", "InvalidSecurity"}
# Errors of the local disk, of a name or of a file in place of a folder: they stay.
_LASTING_ERRNO = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ENOTEMPTY,
    errno.ENOSYS, errno.EMFILE, errno.ENFILE,
}  # fmt: skip
# Attribute of the HTTP status by class: gcsfs, aiohttp. botocore's ClientError has a dictionary.
_STATUS_ATTRIBUTES = {"HttpError": "code", "ClientResponseError": "status"}
_CREDENTIALS_REMEDY = "Check the credentials: the environment (AWS_*), or conf/local/credentials.yml (not read with --env)"
_random = random.SystemRandom()  # the seeded generator of the run is not touched


class ObjectStoreError(DataError):
    """An object cannot be read, written, listed or removed."""


class StoreUnavailableError(ObjectStoreError):
    """All attempts of a call failed by the network or the server."""

    may_pass = True


class TruncatedObjectError(OSError):
    """Fewer or more bytes arrived than the object has."""


class ErrorKind(Enum):
    """What an error of a call means for a caller."""

    ABSENT = "absent"
    PRESENT = "present"
    TRANSIENT = "transient"
    REFUSED = "refused"
    LASTING = "lasting"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Retries:
    """How often a call is repeated, and how long to wait before.

    The waits grow by a factor and are shortened at random by up to a half, so that many clients do not return at one moment: by
    default at most 0.2, 0.6, 1.8 and 5.4 s.

    Attributes:
        attempts: Number of calls, at least 1.
        first_wait_s: Longest wait before the second call, in seconds.
        factor: Ratio of two waits.
    """

    attempts: int = 5
    first_wait_s: float = 0.2
    factor: float = 3.0

    def call(self, where: str, action: str, function: Callable[[int], _Result]) -> _Result:
        """Call a function until it succeeds.

        Args:
            where: Address of the object, for messages.
            action: What is done, for messages, such as "read".
            function: Receives the number of failed attempts before.

        Raises:
            FileNotFoundError: if there is no such object.
            FileExistsError: if an object exists that must not.
            ObjectStoreError: if access is refused, or the error is no passing one.
            StoreUnavailableError: if all attempts failed.
        """
        for attempt in range(self.attempts):
            try:
                return function(attempt)
            except Exception as error:
                kind = classify_error(error)
                if kind is ErrorKind.UNKNOWN:
                    raise
                if kind is ErrorKind.TRANSIENT and attempt + 1 < self.attempts:
                    time.sleep(self.first_wait_s * self.factor**attempt * _random.uniform(0.5, 1.0))
                    continue
                raise _translated(error, kind, where, action, attempt + 1) from error
        raise ValueError(f"Retries.attempts: expected at least 1, found {self.attempts}.")


def _translated(error: Exception, kind: ErrorKind, where: str, action: str, attempts: int) -> Exception:
    if kind is ErrorKind.ABSENT:
        return FileNotFoundError(errno.ENOENT, "there is no such object", where)
    if kind is ErrorKind.PRESENT:
        return FileExistsError(errno.EEXIST, "there is such an object already", where)
    cause = _describe(error)
    if _code_of(error) in _EXPIRED_CODES:
        return ObjectStoreError(f"{where}: the credentials have expired ({cause}). Renew them, then run it again.")
    if kind is ErrorKind.REFUSED:
        return ObjectStoreError(f"{where}: access was refused ({cause}). {_CREDENTIALS_REMEDY}.")
    if _code_of(error) == "NoSuchBucket":
        return ObjectStoreError(f"{where}: there is no such bucket ({cause}). Check the address, or create the bucket.")
    if kind is ErrorKind.TRANSIENT:
        times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        return StoreUnavailableError(
            f"{where}: could not {action} the object in {times} ({cause}). Check the server and the network, then run it again."
        )
    return ObjectStoreError(f"{where}: could not {action} the object ({cause}). Check the address, the options and the disk.")


def classify_error(error: BaseException) -> ErrorKind:
    """Return what an error of a call means. UNKNOWN is an error of no storage library: a bug, which keeps its traceback."""
    status, code = http_status_of(error), _code_of(error)
    if code == "NoSuchBucket":
        return ErrorKind.LASTING
    if isinstance(error, FileNotFoundError):
        return ErrorKind.ABSENT
    if isinstance(error, FileExistsError) or status == HTTPStatus.PRECONDITION_FAILED:
        return ErrorKind.PRESENT
    if status is not None:
        return _classify_status(status, code)
    names = {base.__name__ for base in type(error).__mro__}
    if isinstance(error, PermissionError) or names & _CREDENTIAL_CLASSES:
        return ErrorKind.REFUSED
    if names & _TRANSIENT_CLASSES or isinstance(error, EOFError):
        return ErrorKind.TRANSIENT
    if isinstance(error, OSError):
        return ErrorKind.LASTING if error.errno in _LASTING_ERRNO else ErrorKind.TRANSIENT
    is_of_library = type(error).__module__.partition(".")[0] in _LIBRARIES
    return ErrorKind.LASTING if is_of_library else ErrorKind.UNKNOWN


def _classify_status(status: int, code: str) -> ErrorKind:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED:
        return ErrorKind.TRANSIENT
    if status in _TRANSIENT_STATUS or code in _TRANSIENT_CODES:
        return ErrorKind.TRANSIENT
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or code in _CREDENTIAL_CODES:
        return ErrorKind.REFUSED
    return ErrorKind.ABSENT if status == HTTPStatus.NOT_FOUND else ErrorKind.LASTING


def http_status_of(error: BaseException) -> int | None:
    """Return the HTTP status of the answer that caused an error, None if there was no answer."""
    for cause in causes_of(error):
        response: Any = getattr(cause, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        else:
            # aiohttp gives a broken body the code 400: only errors that stand for an answer count.
            status = getattr(cause, _STATUS_ATTRIBUTES.get(type(cause).__name__, ""), None)
        if isinstance(status, int) and status >= HTTPStatus.MULTIPLE_CHOICES:
            return status
    return None


def _code_of(error: BaseException) -> str:
    for cause in causes_of(error):
        response: Any = getattr(cause, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split()) or "no message"
    text = text if len(text) <= 200 else f"{text[:200]} ..."
    return f"{type(error).__name__}: {text}"

"""Tests of posescope.core.storage_retries: which errors are repeated, and what the others say."""

import errno
import itertools

import pytest
from aiohttp.http_exceptions import ContentLengthError
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError, ReadTimeoutError

from posescope.core import storage_retries
from posescope.core.storage_retries import (
    ErrorKind,
    ObjectStoreError,
    Retries,
    StoreUnavailableError,
    TruncatedObjectError,
    classify_error,
    http_status_of,
)


def answer(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")


def translated(error: OSError, cause: Exception) -> OSError:
    error.__cause__ = cause  # as s3fs does
    return error


CASES = [
    (FileNotFoundError("x"), ErrorKind.ABSENT),
    (translated(FileNotFoundError("x"), answer("NoSuchKey", 404)), ErrorKind.ABSENT),
    (translated(FileNotFoundError("x"), answer("NoSuchBucket", 404)), ErrorKind.LASTING),
    (translated(FileExistsError("x"), answer("PreconditionFailed", 412)), ErrorKind.PRESENT),
    (translated(OSError(errno.EINVAL, "x"), answer("PreconditionFailed", 412)), ErrorKind.PRESENT),
    (translated(OSError(errno.EBUSY, "x"), answer("SlowDown", 503)), ErrorKind.TRANSIENT),
    (translated(OSError(errno.EIO, "x"), answer("502", 502)), ErrorKind.TRANSIENT),
    (translated(OSError(errno.EINVAL, "x"), answer("IncompleteBody", 400)), ErrorKind.TRANSIENT),
    (translated(OSError(errno.EINVAL, "x"), answer("InvalidBucketName", 400)), ErrorKind.LASTING),
    (translated(OSError(errno.ENOSYS, "x"), answer("NotImplemented", 501)), ErrorKind.LASTING),
    (translated(PermissionError("x"), answer("AccessDenied", 403)), ErrorKind.REFUSED),
    (translated(PermissionError("x"), answer("ExpiredToken", 400)), ErrorKind.REFUSED),
    (translated(OSError(errno.EINVAL, "x"), answer("InvalidToken", 400)), ErrorKind.REFUSED),
    (PermissionError("x"), ErrorKind.REFUSED),
    (NoCredentialsError(), ErrorKind.REFUSED),
    (EndpointConnectionError(endpoint_url="http://h"), ErrorKind.TRANSIENT),
    (ReadTimeoutError(endpoint_url="http://h"), ErrorKind.TRANSIENT),
    (ParamValidationError(report="x"), ErrorKind.LASTING),
    (ConnectionResetError("x"), ErrorKind.TRANSIENT),
    (TimeoutError(), ErrorKind.TRANSIENT),
    (TruncatedObjectError("x"), ErrorKind.TRANSIENT),
    (OSError(errno.ENOSPC, "x"), ErrorKind.LASTING),
    (TypeError("x"), ErrorKind.UNKNOWN),
]


@pytest.mark.parametrize(("error", "kind"), CASES, ids=lambda case: repr(case)[:60])
def test_kinds_of_errors(error: Exception, kind: ErrorKind) -> None:
    assert classify_error(error) is kind


def test_credentials_that_have_expired_are_named_as_such() -> None:
    def call(_: int) -> None:
        raise translated(PermissionError("x"), answer("ExpiredToken", 400))

    with pytest.raises(ObjectStoreError, match="credentials have expired") as caught:
        Retries(attempts=3, first_wait_s=0.0).call("s3://b/x", "read", call)
    assert not caught.value.may_pass


def test_http_status() -> None:
    assert http_status_of(translated(OSError("x"), answer("SlowDown", 503))) == 503
    assert http_status_of(OSError(errno.EBUSY, "x")) is None
    broken = translated(OSError("x"), ContentLengthError("Not enough data"))
    assert broken.__cause__.code == 400  # of the parser, not of the answer
    assert http_status_of(broken) is None


def test_a_passing_error_is_repeated_with_growing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(storage_retries.time, "sleep", waits.append)
    failures = itertools.count()

    def call(attempt: int) -> int:
        if next(failures) < 4:
            raise ConnectionResetError("lost")
        return attempt

    assert Retries().call("s3://b/x", "read", call) == 4
    for wait, longest in zip(waits, [0.2, 0.6, 1.8, 5.4], strict=True):
        assert longest / 2 <= wait <= longest


def test_the_last_failure_is_one_line_with_the_number_of_attempts() -> None:
    calls: list[int] = []

    def call(attempt: int) -> None:
        calls.append(attempt)
        raise ConnectionResetError("lost\nconnection")

    with pytest.raises(StoreUnavailableError, match=r"s3://b/x.* 3 attempts") as caught:
        Retries(attempts=3, first_wait_s=0.0).call("s3://b/x", "read", call)
    assert calls == [0, 1, 2]
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ConnectionResetError)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError("x"), FileNotFoundError),
        (FileExistsError("x"), FileExistsError),
        (PermissionError("x"), ObjectStoreError),
        (translated(FileNotFoundError("x"), answer("NoSuchBucket", 404)), ObjectStoreError),
        (OSError(errno.ENOSPC, "x"), ObjectStoreError),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
    ids=repr,
)
def test_lasting_errors_are_raised_at_once(error: Exception, expected: type[Exception]) -> None:
    calls: list[int] = []

    def call(attempt: int) -> None:
        calls.append(attempt)
        raise error

    with pytest.raises(expected):
        Retries().call("s3://b/x", "read", call)
    assert calls == [0]


def test_no_attempt_is_refused() -> None:
    with pytest.raises(ValueError, match="attempts"):
        Retries(attempts=0).call("s3://b/x", "read", lambda _: None)

"""The answers of the server other than 200: a status, and one line that says what was expected."""

from posescope.core.errors import PosescopeError

__all__ = ["BusyError", "RequestRefusedError"]

_RETRY_AFTER_S = 1


class RequestRefusedError(PosescopeError):
    """A request cannot be answered.

    Attributes:
        status: the HTTP status.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers or {}


class BusyError(RequestRefusedError):
    """The server has too much to do; the same request may succeed later."""

    may_pass = True

    def __init__(self, message: str) -> None:
        super().__init__(503, message, {"Retry-After": str(_RETRY_AFTER_S)})

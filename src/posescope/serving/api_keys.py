"""API keys: read from a file or an environment variable, compared in constant time.

A key never stands on the command line, where other users of the machine could read it.
"""

import hmac
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from posescope.core.errors import OptionsError

__all__ = ["API_KEY_VARIABLE", "ApiKeys", "read_api_keys"]

API_KEY_VARIABLE = "POSESCOPE_API_KEY"
_MIN_LENGTH, _MAX_LENGTH = 16, 512
_MAX_KEYS = 100
_MAX_FILE_BYTES = 2**20


class ApiKeys:
    """The keys that a request may have.

    Args:
        keys: one or more.

    Raises:
        OptionsError: if there is none, or one is too short, too long, or has other characters than visible ASCII.

    Example:
        >>> ApiKeys(["0123456789abcdef"]).knows("0123456789abcdeF")
        False
    """

    def __init__(self, keys: Iterable[str]) -> None:
        listed = list(keys)
        if not 1 <= len(listed) <= _MAX_KEYS:
            raise OptionsError(f"API keys: expected 1 to {_MAX_KEYS}, found {len(listed)}.")
        for number, key in enumerate(listed, 1):
            is_visible = key.isascii() and key.isprintable() and " " not in key
            if not _MIN_LENGTH <= len(key) <= _MAX_LENGTH or not is_visible:
                raise OptionsError(
                    f"API key {number}: expected {_MIN_LENGTH} to {_MAX_LENGTH} visible ASCII characters, found {len(key)} "
                    f"{'visible' if is_visible else 'characters, not all of them visible'}. Make one: openssl rand -hex 32."
                )
        self._digests = tuple(_digest(key) for key in listed)

    def knows(self, key: str | None) -> bool:
        """Return whether a key is one of them.

        Digests of equal length are compared, all of them, so that the time depends neither on the key nor on the place where it
        differs.

        Args:
            key: as a client gave it; None: it gave none.
        """
        found = _digest(key or "")
        return sum(hmac.compare_digest(found, own) for own in self._digests) > 0


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def read_api_keys(path: Path | None) -> ApiKeys | None:
    """Read the keys of the server.

    Args:
        path: a file with a key per line, empty lines and lines that start with # left out; None: the environment variable
            `POSESCOPE_API_KEY` holds the key, if it is set.

    Returns:
        The keys; None if there is neither a file nor the variable.

    Raises:
        OptionsError: if the file cannot be read, or a key is malformed.
    """
    if path is None:
        value = os.environ.get(API_KEY_VARIABLE)
        return None if value is None else ApiKeys([value.strip()])
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_FILE_BYTES).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionsError(f"{path}: the API keys cannot be read ({error}). Expected a text file with a key per line.") from error
    lines = [line.strip() for line in text.splitlines()]
    return ApiKeys([line for line in lines if line and not line.startswith("#")])

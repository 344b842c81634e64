"""Reading what an earlier run wrote beside the data. Anybody may have spoilt it since: then it counts as not there."""

import logging
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

__all__ = ["read_kept"]

logger = logging.getLogger(__name__)

_Kept = TypeVar("_Kept")


def read_kept(path: Path, kind: TypeAdapter[_Kept], otherwise: str) -> _Kept | None:
    """Read a record or note from a JSON file.

    Args:
        path: of the file.
        kind: what it should hold.
        otherwise: for the log: what happens if it does not.

    Returns:
        None where there is no such file, or it holds something else; of the latter the log warns.
    """
    if not path.is_file():
        return None
    try:
        return kind.validate_json(path.read_bytes())
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(key) for key in fault["loc"])
        logger.warning("%s: cannot be read (%s%s); %s", path, f"{place}: " if place else "", fault["msg"], otherwise)
        return None

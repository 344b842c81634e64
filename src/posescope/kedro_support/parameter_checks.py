"""Validation of all parameters of a run: namespaces against their options models, top-level keys, and paths."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from posescope.core.errors import OptionsError
from posescope.core.mirrors import open_mirror
from posescope.core.parameters import describe_unknown_parameter, renamed_parameter
from posescope.core.paths import expand_home, find_path_error, is_address
from posescope.core.plugins import describe_validation_error

__all__ = ["PATH_PARAMETERS", "check_parameters", "expand_path_parameters"]

# Top-level parameters that name files and folders. The catalog reads them, no pipeline does.
PATH_PARAMETERS: Mapping[str, str] = {
    "raw_dir": "folder of the data set",
    "data_dir": "folder of all outputs",
    "cache_dir": "folder of the local copies of files from object storage",
    "test_access_log": "JSON file that lists all evaluations on the test set of the project",
    "images": "folder of images for the pipeline inference",
    "boxes": "COCO detection results for the detector boxes_file",
    "model": "model folder for the pipeline inference",
}


# Those that may be addresses of an object store.
_ADDRESSES = frozenset({"raw_dir", "data_dir", "images", "boxes", "model"})


def expand_path_parameters(parameters: Mapping[str, Any], cache_dir: str | None = None) -> dict[str, Any]:
    """Return the parameters with local paths: `~` is expanded to the home folder, an address is replaced by its mirror.

    Args:
        parameters: top-level parameters.
        cache_dir: folder of the mirrors; None: `core.mirrors.open_mirror` chooses it.

    Raises:
        DataError: if a mirror cannot be created.
    """
    return {key: _local_path(key, value, cache_dir) if isinstance(value, str) else value for key, value in parameters.items()}


def _local_path(key: str, text: str, cache_dir: str | None) -> str:
    if key in _ADDRESSES and is_address(text):
        if text.startswith("file:///"):
            return text.removeprefix("file://")
        folder = None if cache_dir is None else Path(expand_home(cache_dir))
        if key == "boxes":  # a file: its folder has the mirror
            address, _, name = text.rpartition("/")
            return str(open_mirror(address, folder).root / name)
        return str(open_mirror(text, folder).root)
    return expand_home(text) if key in PATH_PARAMETERS else text


def check_parameters(parameters: Mapping[str, Any], models: Mapping[str, type[BaseModel]], env: str) -> None:
    """Check all parameters.

    Args:
        parameters: Merged from the files of all environments and the command line.
        models: Options model of each namespace.
        env: Name of the environment, for the message.

    Raises:
        OptionsError: with one line per wrong parameter: where, what was expected, what was found. A parameter under its name of
            an earlier version is wrong too; its line gives the new name.
    """
    faults = [_unknown_key(key, models) for key in parameters if key not in models and key not in PATH_PARAMETERS]
    for namespace, model in models.items():
        if namespace in parameters:
            faults.extend(_namespace_faults(namespace, model, parameters[namespace]))
    faults.extend(_path_faults(parameters))
    if faults:
        where = "conf/base or --params" if env == "base" else f"conf/base, conf/{env} or --params"
        raise OptionsError(f"{len(faults)} wrong parameters ({where}):\n" + "\n".join(f"  {fault}" for fault in faults))


def _namespace_faults(namespace: str, model: type[BaseModel], content: Any) -> list[str]:
    try:
        model.model_validate(content)
    except ValidationError as error:
        faults = describe_validation_error(error, lambda path: describe_unknown_parameter(f"{namespace}.{path}"))
        return [f"{namespace}.{fault}" for fault in faults]
    return []


def _unknown_key(key: str, models: Mapping[str, type[BaseModel]]) -> str:
    if renamed_parameter(key):
        return f"{key}: {describe_unknown_parameter(key)}."
    known = sorted([*models, *PATH_PARAMETERS])
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else "."
    return f"{key}: unknown top-level key{hint} Known: {', '.join(known)}"


def _path_faults(parameters: Mapping[str, Any]) -> Iterator[str]:
    for key in (key for key in PATH_PARAMETERS if key in parameters):
        value, meaning = parameters[key], PATH_PARAMETERS[key]
        if not isinstance(value, str):
            yield f"{key}: expected a path ({meaning}), found {value!r}"
        # Kedro resolves braces in every name of the catalog, as in issues_{step}.
        elif key == "data_dir" and set("{}") & set(value):
            yield f"{key}: {value!r} has braces, which Kedro's catalog interprets as a pattern"
        elif (fault := find_path_error(value)) is not None:
            yield f"{key}: {fault} ({meaning})"

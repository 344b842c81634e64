"""The places of a run: top-level parameters that name files and folders. The catalog reads them, no pipeline does."""

from collections.abc import Mapping
from typing import Any

from posescope.core.paths import expand_home, find_path_error

__all__ = ["PATH_PARAMETERS", "expand_path_parameters", "find_path_parameter_errors"]

PATH_PARAMETERS: Mapping[str, str] = {
    "raw_dir": "folder of the data set",
    "data_dir": "folder of everything that is made",
    "test_access_log": "JSON file of the uses of the test set, of the whole project",
    "images": "folder of images for the pipeline inference",
    "boxes": "COCO detection results for the detector boxes_file",
    "model": "model folder for the pipeline inference",
}


def expand_path_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with `~` replaced by the home folder in every place."""
    return {
        key: expand_home(value) if key in PATH_PARAMETERS and isinstance(value, str) else value
        for key, value in parameters.items()
    }


def find_path_parameter_errors(parameters: Mapping[str, Any]) -> list[str]:
    """Return a line for each place that is no path of this machine.

    Args:
        parameters: merged; places that are not named are fine.
    """
    found = {place: _fault_of(place, parameters[place]) for place in PATH_PARAMETERS if place in parameters}
    return [f"{place}: {fault}" for place, fault in found.items() if fault is not None]


def _fault_of(place: str, value: Any) -> str | None:
    if not isinstance(value, str):
        return f"expected a path ({PATH_PARAMETERS[place]}), found {value!r}"
    # Kedro fills in braces wherever a name in the catalog has some, as in issues_{step}.
    if place == "data_dir" and set("{}") & set(value):
        return f"{value!r} has braces, which Kedro's catalog takes for its own"
    fault = find_path_error(value)
    return None if fault is None else f"{fault} ({PATH_PARAMETERS[place]})"

"""Checks the whole tree of parameters: every namespace against its options model, every top-level key against the known ones."""

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from posescope.core.errors import OptionsError
from posescope.core.plugins import describe_validation_error
from posescope.kedro_support.params_option import patch_kedro_params
from posescope.kedro_support.path_parameters import PATH_PARAMETERS, find_path_parameter_errors

__all__ = ["PATH_PARAMETERS", "check_parameters"]

# Wherever Kedro reads the text of `--params`, what is checked here is what was written.
patch_kedro_params()


def check_parameters(parameters: Mapping[str, Any], models: Mapping[str, type[BaseModel]], env: str) -> None:
    """Check all parameters.

    Args:
        parameters: merged from the files of all environments and the command line.
        models: options model of each namespace.
        env: name of the environment, for the message.

    Raises:
        OptionsError: naming every wrong parameter: where, what was expected, what was found.
    """
    faults = [_unknown_key(key, models) for key in parameters if key not in models and key not in PATH_PARAMETERS]
    for namespace, model in models.items():
        if namespace not in parameters:
            continue
        try:
            model.model_validate(parameters[namespace])
        except ValidationError as error:
            faults.extend(f"{namespace}.{part}" for part in describe_validation_error(error))
    faults.extend(find_path_parameter_errors(parameters))
    if faults:
        where = "conf/base or --params" if env == "base" else f"conf/base, conf/{env} or --params"
        raise OptionsError(f"{len(faults)} wrong parameters ({where}):\n" + "\n".join(f"  {fault}" for fault in faults))


def _unknown_key(key: str, models: Mapping[str, type[BaseModel]]) -> str:
    known = sorted([*models, *PATH_PARAMETERS])
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else "."
    return f"{key}: unknown top-level key{hint} Known: {', '.join(known)}"

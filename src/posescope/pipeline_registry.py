"""Registry of all pipelines that are installed in the entry-point group `posescope.pipelines`."""

import sys
from collections.abc import Mapping

from kedro.pipeline import Pipeline
from pydantic import BaseModel

from posescope.core.compute import ComputeOptions, StorageOptions
from posescope.core.plugins import installed, load_component
from posescope.tracking.options import TrackingOptions

__all__ = ["DEFAULT_PIPELINES", "parameter_models", "register_pipelines"]

DEFAULT_PIPELINES = ("data_engineering", "modelling", "evaluation", "explainability", "reporting")


def register_pipelines() -> dict[str, Pipeline]:
    """Return all installed pipelines by name, and `__default__`: from raw data to the report.

    Raises:
        OptionsError: if a pipeline cannot be loaded.
    """
    pipelines: dict[str, Pipeline] = {row.name: load_component("pipelines", row.name)() for row in installed("pipelines")}
    pipelines["__default__"] = sum((pipelines[name] for name in DEFAULT_PIPELINES), Pipeline([]))
    return pipelines


def parameter_models() -> Mapping[str, type[BaseModel]]:
    """Return the options model of every namespace of the parameters.

    The module of a pipeline defines it beside `create_pipeline`: `PARAMETERS = {"namespace": OptionsModel}`. The namespaces
    `compute`, `storage` and `tracking` belong to all pipelines.
    """
    models: dict[str, type[BaseModel]] = {"compute": ComputeOptions, "storage": StorageOptions, "tracking": TrackingOptions}
    for row in installed("pipelines"):
        module = sys.modules[load_component("pipelines", row.name).__module__]
        # `create_pipeline` may be defined in a module below the package that the entry point names.
        named = sys.modules[row.value.partition(":")[0]]
        models |= getattr(named, "PARAMETERS", getattr(module, "PARAMETERS", {}))
    return models

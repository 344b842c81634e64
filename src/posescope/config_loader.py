"""Kedro's configuration loader, with parameters merged component by component (`parameter_merging`)."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ValidationError

from posescope.parameter_merging import merge_parameters
from posescope.pipeline_registry import parameter_models

__all__ = ["ComponentConfigLoader", "default_parameters", "merge_parameters"]


def default_parameters(models: Mapping[str, type[BaseModel]], present: Mapping[str, Any]) -> dict[str, Any]:
    """Namespaces that no file names, with their defaults: a package's pipeline needs no file in the project.

    A namespace with a required field is left out; Kedro then says which parameter is missing.
    """
    found: dict[str, Any] = {}
    for namespace, model in models.items():
        if namespace not in present:
            with suppress(ValidationError):
                found[namespace] = model().model_dump(mode="json")
    return found


class ComponentConfigLoader(OmegaConfigLoader):
    """Kedro's loader with `merge_parameters` for parameters and globals (held by tests against the pinned Kedro)."""

    def _merge_and_resolve(self, key: str, config_per_file: dict[Path, DictConfig]) -> dict[str, Any]:
        if key != "parameters" or not config_per_file:
            return dict(super()._merge_and_resolve(key, config_per_file))
        # Kedro merges the command line into every environment here; ours comes last, once.
        merged = OmegaConf.unsafe_merge(*config_per_file.values())
        return {str(name): value for name, value in OmegaConf.to_container(merged, resolve=True).items()}  # type: ignore[union-attr]

    def _resolve_from_raw_config(self, key: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        merged = dict(super()._resolve_from_raw_config(key, *args, **kwargs))
        if key != "parameters":
            return merged
        merged = default_parameters(parameter_models(), merged) | merged
        return merge_parameters(merged, self.runtime_params or {})

    @staticmethod
    def _soft_merge(config: dict[str, Any], env_config: dict[str, Any], env_path: str | None = None) -> dict[str, Any]:  # noqa: ARG004
        return merge_parameters(config, env_config)

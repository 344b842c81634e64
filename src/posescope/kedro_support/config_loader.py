"""Kedro's configuration loader, with parameters merged component by component (`parameter_merging`)."""

import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ValidationError

from posescope.core.errors import OptionsError
from posescope.core.parameters import merge_parameters
from posescope.kedro_support.parameter_checks import expand_path_parameters
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


# OmegaConf keeps its resolvers for the whole process. Loaders of runs that overlap, as in Kedro's HTTP server, would resolve
# `${globals:...}` and `${runtime_params:...}` with one another's values.
_RESOLVERS = threading.RLock()

_GLOB = re.compile(r"[*?\[]")


class ComponentConfigLoader(OmegaConfigLoader):
    """Kedro's loader with `merge_parameters` for parameters and globals (held by tests against the pinned Kedro).

    In places (`raw_dir`, `data_dir`, ...) `~` is the home folder.
    """

    def __init__(
        self, conf_source: str, env: str | None = None, runtime_params: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """Args: as Kedro has them.

        Raises:
            OptionsError: if the configuration lies below a folder whose name Kedro takes for a pattern.
        """
        if _GLOB.search(str(conf_source)):
            raise OptionsError(
                f"{conf_source}: Kedro finds no configuration below a folder with [, * or ? in its name. Rename the folder, or "
                "name another one: --conf-source FOLDER."
            )
        with _RESOLVERS:
            super().__init__(
                conf_source=conf_source, env=env, runtime_params=expand_path_parameters(runtime_params or {}) or None, **more
            )

    def __getitem__(self, key: str) -> dict[str, Any]:
        with _RESOLVERS:
            self._register_globals_resolver()
            return dict(super().__getitem__(key))

    def _merge_and_resolve(self, key: str, config_per_file: dict[Path, DictConfig]) -> dict[str, Any]:
        if key != "parameters" or not config_per_file:
            return dict(super()._merge_and_resolve(key, config_per_file))
        # Kedro merges the command line into every environment here; ours comes last, once.
        merged = OmegaConf.unsafe_merge(*config_per_file.values())
        return {str(name): value for name, value in OmegaConf.to_container(merged, resolve=True).items()}  # type: ignore[union-attr]

    def _resolve_from_raw_config(self, key: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        merged = dict(super()._resolve_from_raw_config(key, *args, **kwargs))
        if key == "globals":
            return expand_path_parameters(merged)
        if key != "parameters":
            return merged
        merged = default_parameters(parameter_models(), merged) | merged
        return merge_parameters(merged, self.runtime_params or {})

    @staticmethod
    def _soft_merge(config: dict[str, Any], env_config: dict[str, Any], env_path: str | None = None) -> dict[str, Any]:  # noqa: ARG004
        return merge_parameters(config, env_config)

"""Kedro's configuration loader, with parameters merged by component (`core.parameters`)."""

import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ValidationError

from posescope.core.errors import OptionsError
from posescope.core.parameters import merge_parameters
from posescope.kedro_support.parameter_checks import expand_path_parameters
from posescope.pipeline_registry import parameter_models

__all__ = ["ComponentConfigLoader", "default_parameters", "merge_parameters"]


def default_parameters(models: Mapping[str, type[BaseModel]], present: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of namespaces that no file defines, so that an installed pipeline needs no file in the project.

    Args:
        models: Options model of each namespace. One with a required field is left out: Kedro reports the missing parameter.
        present: Parameters of the files.
    """
    found: dict[str, Any] = {}
    for namespace, model in models.items():
        if namespace not in present:
            with suppress(ValidationError):
                found[namespace] = model().model_dump(mode="json")
    return found


# OmegaConf's resolvers are global. Loaders of concurrent runs, as in Kedro's HTTP server, would otherwise resolve
# `${globals:...}` and `${runtime_params:...}` with the values of each other.
_RESOLVERS = threading.RLock()

_GLOB = re.compile(r"[*?\[]")


class ComponentConfigLoader(OmegaConfigLoader):
    """Kedro's loader with `merge_parameters` for parameters and globals; tests compare it with the pinned version of Kedro.

    In path parameters (`raw_dir`, `data_dir`, ...) `~` is expanded to the home folder, and an address of an object store is
    replaced by its mirror (`core.mirrors`).
    """

    def __init__(
        self, conf_source: str, env: str | None = None, runtime_params: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """Args: as `OmegaConfigLoader`.

        Raises:
            OptionsError: if the path contains a character that Kedro interprets as a pattern.
        """
        if _GLOB.search(str(conf_source)):
            raise OptionsError(
                f"{conf_source}: expected a path without [, * and ?, which Kedro interprets as patterns. Rename the folder, or "
                "use another one: --conf-source FOLDER."
            )
        given = runtime_params or {}
        self._cache_dir: str | None = given.get("cache_dir")
        with _RESOLVERS:
            super().__init__(conf_source=conf_source, env=env, runtime_params=given or None, **more)
            if self._cache_dir is None:
                with suppress(KeyError, MissingConfigException):  # a project need not have globals
                    self._cache_dir = self["globals"].get("cache_dir")
            self.runtime_params = expand_path_parameters(given, self._cache_dir)

    def __getitem__(self, key: str) -> dict[str, Any]:
        with _RESOLVERS:
            self._register_globals_resolver()
            return dict(super().__getitem__(key))

    def _merge_and_resolve(self, key: str, config_per_file: dict[Path, DictConfig]) -> dict[str, Any]:
        if key != "parameters" or not config_per_file:
            return dict(super()._merge_and_resolve(key, config_per_file))
        # Kedro merges the command line into every environment here; this loader merges it once, last.
        merged = OmegaConf.unsafe_merge(*config_per_file.values())
        return {str(name): value for name, value in OmegaConf.to_container(merged, resolve=True).items()}  # type: ignore[union-attr]

    def _resolve_from_raw_config(self, key: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        merged = dict(super()._resolve_from_raw_config(key, *args, **kwargs))
        if key == "globals":
            return expand_path_parameters(merged, self._cache_dir)
        if key != "parameters":
            return merged
        merged = default_parameters(parameter_models(), merged) | merged
        return merge_parameters(merged, self.runtime_params or {})

    @staticmethod
    def _soft_merge(config: dict[str, Any], env_config: dict[str, Any], env_path: str | None = None) -> dict[str, Any]:  # noqa: ARG004
        return merge_parameters(config, env_config)

"""Components that the parameters of a run name by a dotted path: the files that the run reads may name the same ones."""

from collections.abc import Iterator, Mapping
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog

from posescope.datasets import ModelDataset, RecordDataset
from posescope.plugins import is_dotted_path

__all__ = ["AllowNamedComponents", "dotted_paths_in"]

# Datasets whose files may name components.
_TYPES = {f"{kind.__module__}.{kind.__qualname__}" for kind in (ModelDataset, RecordDataset)}


def dotted_paths_in(parameters: Any) -> tuple[str, ...]:
    """Return all dotted paths (`package.module:attribute`) that stand as a value in parameters, at any depth, each once."""
    return tuple(dict.fromkeys(text for text in _texts_in(parameters) if is_dotted_path(text)))


class AllowNamedComponents:
    """Allow models and records of the catalog the dotted paths that the parameters of the same run name."""

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog, parameters: dict[str, Any]) -> None:
        """Add the dotted paths of the parameters to what each dataset may name."""
        named = dotted_paths_in(parameters)
        if not named:
            return
        for name in catalog.keys():  # noqa: SIM118 (a catalog is no dictionary)
            dataset = catalog.get(name) if catalog.get_type(name) in _TYPES else None
            if isinstance(dataset, ModelDataset | RecordDataset):
                dataset.allow = (*dataset.allow, *named)


def _texts_in(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        yield from (text for value in content.values() for text in _texts_in(value))
    elif isinstance(content, list | tuple):
        yield from (text for value in content for text in _texts_in(value))

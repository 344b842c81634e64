"""The option `--params`: `key=value,key=value`, with dots in keys for nested parameters.

Kedro reads every value as YAML, in which ` #` starts a comment and `007`, `yes`, `~` and `a: b` are not text. Here the options
model of the parameter decides: where it expects text or a path, the value is taken literally. Other values are read as YAML, and
a value that is text in YAML too is taken literally. Spaces around keys and values are removed. A value cannot contain a comma.
"""

import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import click
from kedro.framework.cli import utils as kedro_utils
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel
from yaml import YAMLError

from posescope.core.errors import OptionsError
from posescope.kedro_support.parameter_checks import PATH_PARAMETERS
from posescope.pipeline_registry import parameter_models

__all__ = ["parse_pairs", "parse_params_option", "patch_kedro_params"]

_NULL = "null"


def parse_params_option(ctx: click.Context, param: click.Parameter, value: str | Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Parse the value of `--params`, as click's callback; a mapping, which comes from a file, is returned unchanged.

    Args:
        ctx, param: Given by click.
        value: Text of the option, or a mapping.

    Raises:
        click.BadParameter: if an item is not `key=value`.
        OptionsError: if a value is not valid YAML where YAML is expected.
    """
    if isinstance(value, Mapping):
        return dict(value)
    items = [item.strip() for item in value.split(",") if item.strip()]
    for item in items:
        if not item.partition("=")[0].strip() or "=" not in item:
            raise click.BadParameter(
                f"expected key=value,key=value, found {item!r}. Write a value that contains a comma into a parameters "
                "file, such as conf/local/parameters.yml."
            )
    return parse_pairs(items)


def parse_pairs(pairs: Iterable[str]) -> dict[str, Any]:
    """Parse `key=value` pairs; the last one of a key wins.

    Args:
        pairs: Strings with an equals sign.

    Returns:
        A nested mapping; a dot in a key opens a level.

    Raises:
        OptionsError: naming the key, if its value is not valid YAML where YAML is expected.

    Example:
        >>> parse_pairs(["data_dir=runs/run #2", "modelling.training.epochs=3"])
        {'data_dir': 'runs/run #2', 'modelling': {'training': {'epochs': 3}}}
    """
    models = parameter_models()
    result: dict[str, Any] = {}
    for pair in pairs:
        key, _, text = pair.partition("=")
        *above, name = parts = [part.strip() for part in key.split(".")]
        place = result
        for part in above:
            below = place.get(part)
            place[part] = place = below if isinstance(below, dict) else {}
        place[name] = _value_of(parts, text.strip(), models)
    return result


def _value_of(parts: list[str], text: str, models: Mapping[str, type[BaseModel]]) -> Any:
    if parts[0] in PATH_PARAMETERS and len(parts) == 1:
        return text
    kinds = _kinds_of(_annotation_of(parts, models))
    if kinds and kinds <= {str, Path, type(None)}:
        return None if text == _NULL and type(None) in kinds else text
    try:
        value = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]))["value"]  # type: ignore[index,call-overload]
    except (OmegaConfBaseException, YAMLError, ValueError) as error:  # ValueError: a date that does not exist
        raise OptionsError(f"{'.'.join(parts)}: {text!r} cannot be read as YAML ({' '.join(str(error).split())}).") from error
    return text if isinstance(value, str) else value


def _annotation_of(parts: list[str], models: Mapping[str, type[BaseModel]]) -> Any:
    """Return the type of a parameter; None if no options model defines it, as for the options of a component."""
    found: Any = models.get(parts[0])
    for part in parts[1:]:
        inner = next((kind for kind in _kinds_of(found) if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None or part not in inner.model_fields:
            return None
        found = inner.model_fields[part].annotation
    return found


def _kinds_of(annotation: Any) -> set[Any]:
    """Return the members of a union, without their constraints."""
    if annotation is None:
        return set()
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds_of(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return {kind for member in get_args(annotation) for kind in _kinds_of(member)}
    return {annotation}


class _PatchedOmegaConf(OmegaConf):
    """The part of OmegaConf that Kedro uses to parse `--params`, with `parse_pairs` as the parser."""

    @staticmethod
    def from_dotlist(dotlist: list[str]) -> Any:
        return parse_pairs(dotlist)

    to_container: Callable[..., Any] = staticmethod(
        lambda cfg, **options: OmegaConf.to_container(cfg, **options) if isinstance(cfg, DictConfig) else cfg
    )


def patch_kedro_params() -> None:
    """Make Kedro's other commands (Kedro-Viz, the HTTP server) parse `--params` as `kedro run` does here."""
    kedro_utils.OmegaConf = _PatchedOmegaConf  # type: ignore[attr-defined]

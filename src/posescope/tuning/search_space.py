"""Values of a search space: merged with the recipe as an environment's file, and checked before training."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from posescope.core.errors import OptionsError
from posescope.core.parameters import merge_parameters
from posescope.core.plugins import describe_validation_error
from posescope.tuning.options import SEARCHABLE, Recipe, SearchDimension

__all__ = ["SearchSpaceError", "as_parameters", "check_space", "nest_values", "recipe_with"]


class SearchSpaceError(OptionsError):
    """The search space has invalid parameters or values."""


def as_parameters(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as nested parameters."""
    content = recipe.model_dump(mode="json")
    tree: dict[str, Any] = {}
    for field, path in SEARCHABLE.items():
        tree = merge_parameters(tree, _nest(path.split("."), content[field]))
    return tree


def nest_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted path as nested parameters."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        tree = merge_parameters(tree, _nest(path.split("."), value))
    return tree


def recipe_with(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Return the recipe with other values of some parameters, merged as those of an environment.

    Args:
        recipe: recipe from the parameters.
        values: values by dotted path.

    Raises:
        SearchSpaceError: naming every invalid parameter.
    """
    tree = merge_parameters(as_parameters(recipe), nest_values(values))
    content = {field: _find(tree, path.split(".")) for field, path in SEARCHABLE.items()}
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_with_path(fault) for fault in describe_validation_error(error))
        raise SearchSpaceError(faults) from error


def check_space(recipe: Recipe, space: Mapping[str, SearchDimension]) -> None:
    """Check every choice and both ends of every range, each with the other parameters of the recipe.

    Args:
        recipe: recipe from the parameters.
        space: searched parameters by dotted path.

    Raises:
        SearchSpaceError: if the space is empty, or naming every invalid value.
    """
    if not space:
        raise SearchSpaceError(
            "tune.space: expected at least one parameter, found none. Add one, for example modelling.training.learning_rate."
        )
    tried = [(path, value) for path, entry in space.items() for value in entry.values_to_check()]
    faults = [fault for path, value in tried if (fault := _fault(recipe, path, value))]
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise SearchSpaceError(f"{len(faults)} invalid values in tune.space:\n{lines}")


def _fault(recipe: Recipe, path: str, value: Any) -> str:
    try:
        recipe_with(recipe, {path: value})
    except SearchSpaceError as error:
        return f"{path}, value {value!r}: {error}"
    return ""


def _nest(names: list[str], value: Any) -> dict[str, Any]:
    for name in reversed(names):
        value = {name: value}
    return dict(value)


def _find(tree: Mapping[str, Any], names: list[str]) -> Any:
    found: Any = tree
    for name in names:
        found = found[name]
    return found


def _with_path(fault: str) -> str:
    field, dot, rest = fault.partition(".")
    if dot and field in SEARCHABLE:
        return f"{SEARCHABLE[field]}.{rest}"
    field, colon, rest = fault.partition(":")
    return f"{SEARCHABLE[field]}:{rest}" if colon and field in SEARCHABLE else fault

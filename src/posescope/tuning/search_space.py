"""Values of a search space: merged with the recipe as an environment's file, and checked before training."""

import re
from collections.abc import Callable, Mapping
from functools import reduce
from operator import getitem
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
    """Return the searched values of a trial as nested parameters."""
    content = recipe.model_dump(mode="json")
    return nest_values({path: content[field] for field, path in SEARCHABLE.items()})


def nest_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted path as nested parameters."""
    tree: dict[str, Any] = {}
    for path, value in values.items():
        nested = reduce(lambda inner, name: {name: inner}, reversed(path.split(".")), value)
        tree = merge_parameters(tree, nested)
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
    content = {field: reduce(getitem, path.split("."), tree) for field, path in SEARCHABLE.items()}
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        # A fault begins with the name of a field; users know its parameter.
        faults = [re.sub(r"^\w+", lambda field: SEARCHABLE[field[0]], fault) for fault in describe_validation_error(error)]
        raise SearchSpaceError("; ".join(faults)) from error


def check_space(recipe: Recipe, space: Mapping[str, SearchDimension], check: Callable[[Recipe], object] = lambda _: None) -> None:
    """Check every choice and both ends of every range, each with the other parameters of the recipe.

    Args:
        recipe: recipe from the parameters.
        space: searched parameters by dotted path.
        check: further check of each changed recipe; raises an `OptionsError`.

    Raises:
        SearchSpaceError: naming every invalid value.
    """
    faults = []
    for path, entry in space.items():
        for value in entry.values_to_check():
            try:
                check(recipe_with(recipe, {path: value}))
            except OptionsError as error:
                faults.append(f"  {path}, value {value!r}: {error}")
    if faults:
        raise SearchSpaceError("\n".join([f"{len(faults)} invalid values in tune.space:", *faults]))

"""Options of a component that declares none: the arguments of its signature."""

import inspect
from collections.abc import Callable, Collection
from typing import Any

from pydantic import BaseModel, create_model

__all__ = ["accepted_arguments", "make_options"]

_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def make_options(component: Callable[..., Any], base: type[BaseModel], context: Collection[str]) -> type[BaseModel] | None:
    """Make an options model of the arguments of a component.

    Args:
        component: class or function.
        base: base of the options model.
        context: names of the arguments that are no options, because the caller provides them.

    Returns:
        A field per argument, with its annotation and default; None if the signature is unknown, or has an argument `options`,
        whose model the component has to name itself.
    """
    parameters = _parameters(component)
    if parameters is None or "options" in parameters:
        return None
    fields: dict[str, Any] = {
        name: (
            Any if one.annotation is one.empty else one.annotation,
            ... if one.default is one.empty else one.default,
        )
        for name, one in parameters.items()
        if name not in context
    }
    return create_model(f"{getattr(component, '__name__', 'Component')}Options", __base__=base, **fields)


def accepted_arguments(component: Callable[..., Any], context: dict[str, Any]) -> dict[str, Any]:
    """Return those arguments that the signature of a component names."""
    parameters = _parameters(component) or {}
    return {name: value for name, value in context.items() if name in parameters}


def _parameters(component: Callable[..., Any]) -> dict[str, inspect.Parameter] | None:
    try:
        found = inspect.signature(component, eval_str=True).parameters
    except (NameError, TypeError, ValueError):
        return None
    return {name: one for name, one in found.items() if one.kind in _KEYWORD}

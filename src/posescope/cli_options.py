"""Options that several commands share; imports nothing heavy."""

from collections.abc import Callable
from typing import Any

import click

__all__ = ["allow_component"]


def allow_component(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--allow-component`, which the command gets as `allow`, a tuple of dotted paths."""
    option = click.option(
        "--allow-component",
        "allow",
        multiple=True,
        metavar="PATH",
        help="Let the model folder name this component by its dotted path (package.module:attribute); its code will run.",
    )
    return option(command)

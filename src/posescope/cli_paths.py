"""The type of paths on the command line."""

import os
from pathlib import Path
from typing import Any

import click

from posescope.paths import expand_home, fault_of_path

__all__ = ["LocalPathType"]


class LocalPathType(click.Path):
    """click's path with `~` as the home folder: a shell leaves `--out=~/poses` as it is. Addresses are refused."""

    def __init__(self, **checks: Any) -> None:
        """Args: as `click.Path` has them; values are `pathlib.Path`."""
        super().__init__(path_type=Path, **checks)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, checked."""
        text = expand_home(os.fspath(value))
        fault = None if Path(text).exists() else fault_of_path(text)
        if fault is not None:
            self.fail(fault, param, ctx)
        return super().convert(text, param, ctx)

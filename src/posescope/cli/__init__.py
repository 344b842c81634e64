"""The command line: `posescope ...`; inside the project the same commands stand beside Kedro's (`kedro plugins`).

A command's module is imported when the command is asked for: `posescope predict` with an exported model answers before PyTorch,
or Kedro, would have been imported.
"""

from importlib import import_module
from typing import Any

import click

from posescope.core.hardware import configure_thread_pools

__all__ = ["cli"]

_RUN = "run"
_COMMANDS = {
    "agree": "posescope.cli.similarity",
    "compare": "posescope.cli.compare",
    "export": "posescope.cli.export",
    "info": "posescope.cli.info",
    "plugins": "posescope.cli.plugins",
    "predict": "posescope.cli.predict",
    _RUN: "posescope.cli.run_command",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        configure_thread_pools()  # before a command imports NumPy or torch
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=_LazyGroup)
@click.version_option(package_name="posescope")
def cli() -> None:
    """Train, understand and ship a single-person 2D pose model."""


def __getattr__(name: str) -> Any:
    """`posescope.cli.run`, where Kedro looks for a project's own command."""
    if name != _RUN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_COMMANDS[_RUN]), _RUN)

"""The command line `posescope`; inside a project its commands are also Kedro's (`kedro predict`).

A command's module is imported when the command is called. The help page needs no import: the short help of every command is in
`COMMANDS`. Kedro reads the attributes `cli` and `run` of this package, so no module of it may be called `run`.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

__all__ = ["COMMANDS", "cli"]

# Name -> module and short help.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "compare": ("posescope.cli.compare", "Compare two runs, or a run and another network, person by person."),
    "explain": ("posescope.cli.explain", "Explain a model on annotated photographs."),
    "explore": ("posescope.cli.explore", "Open a finished run as a local page."),
    "export": ("posescope.cli.export", "Export a model to ONNX and verify its outputs."),
    "info": ("posescope.cli.info", "Describe a model folder."),
    "plugins": ("posescope.cli.plugins", "List the installed components with their options."),
    "predict": ("posescope.cli.predict", "Predict the joints of the persons in images."),
    "run": ("posescope.cli.run_command", "Run the pipeline."),
    "serve": ("posescope.cli.serve", "Answer images over HTTP with poses."),
    "similarity": ("posescope.cli.similarity", "Compare the representations of several networks."),
}
_RENAMED = {"agree": "similarity"}


class _LazyGroup(click.Group):
    """A group that imports the module of a command when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _RENAMED:
            ctx.fail(f"The command '{cmd_name}' was renamed to '{_RENAMED[cmd_name]}'.")
        if cmd_name not in COMMANDS:
            return None
        from posescope.core.hardware import configure_thread_pools, quieten_torch_store  # noqa: PLC0415  (no need on the help page)

        configure_thread_pools()  # before a command imports NumPy or torch
        quieten_torch_store()
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=_LazyGroup)
@click.version_option(package_name="posescope")
def cli() -> None:
    """Train, understand and ship a single-person 2D pose model."""


def __getattr__(name: str) -> Any:
    """Return `posescope.cli.run`, the project's own `run` command for Kedro."""
    if name != "run":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(COMMANDS[name][0]).run

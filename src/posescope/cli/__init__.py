"""The command line `posescope`; inside a project its commands are also Kedro's (`kedro predict`).

A command's module is imported when the command is called. The help page needs no import: the short help of every command is in
`COMMANDS`. Kedro reads the attributes `cli` and `run` of this package, so no module of it may be called `run`.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click

__all__ = ["COMMANDS", "Command", "cli"]


class Command(NamedTuple):
    """Where a command is.

    Attributes:
        module: Module of the click command.
        short_help: Its line on the help page.
        extra: The extra that installs its packages.
    """

    module: str
    short_help: str
    extra: str = ""


# By name.
COMMANDS: Mapping[str, Command] = {
    "benchmark": Command("posescope.cli.benchmark", "Measure the time of a model and of its exports."),
    "compare": Command("posescope.cli.compare", "Compare two runs, or a run and another network, person by person.", "train"),
    "explain": Command("posescope.cli.explain", "Explain a model on annotated photographs.", "explain"),
    "explore": Command("posescope.cli.explore", "Open a finished run as a local page.", "explore"),
    "export": Command("posescope.cli.export", "Export a model for another runtime and verify its outputs.", "export"),
    "info": Command("posescope.cli.info", "Describe a model folder."),
    "labels": Command("posescope.cli.labels", "Exchange labels with annotation tools."),
    "plugins": Command("posescope.cli.plugins", "List the installed components with their options."),
    "predict": Command("posescope.cli.predict", "Predict the joints of the persons in images."),
    "run": Command("posescope.cli.run_command", "Run the pipeline.", "pipelines"),
    "serve": Command("posescope.cli.serve", "Answer images over HTTP with poses.", "serve"),
    "similarity": Command("posescope.cli.similarity", "Compare the representations of several networks.", "train"),
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
        return _import_command(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].short_help) for name in sorted(COMMANDS)])


def _import_command(name: str) -> click.Command:
    """Return a command, which knows the extra of its packages.

    Raises:
        click.ClickException: if one of its packages is not installed.
    """
    from posescope.cli.base import as_click_error  # noqa: PLC0415  (no need on the help page)
    from posescope.core.extras import MissingPackageError, translate_missing  # noqa: PLC0415

    place = COMMANDS[name]
    try:
        with translate_missing(f"posescope {name}", place.extra):
            command: click.Command = getattr(import_module(place.module), name)
    except MissingPackageError as error:
        raise as_click_error(str(error), error) from error
    command.extra = place.extra  # type: ignore[attr-defined]
    return command


@click.group(cls=_LazyGroup)
@click.version_option(package_name="posescope")
def cli() -> None:
    """Train, understand and ship a single-person 2D pose model."""


def __getattr__(name: str) -> Any:
    """Return `posescope.cli.run`, the project's own `run` command for Kedro."""
    if name != "run":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _import_command(name)

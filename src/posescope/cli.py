"""The command line: `posescope ...`; inside the project the same commands stand beside Kedro's (`kedro plugins`).

`run` is Kedro's own command; here a foreseen error ends it in one clear line and exit code 1, not in a traceback.
"""

import inspect
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework import project
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError

from posescope.cli_compare import compare as compare_runs
from posescope.errors import PosescopeError
from posescope.hooks import unwrap
from posescope.plugins import GROUPS, installed, load_component

__all__ = ["cli"]

_UNKNOWN_PIPELINE = "Failed to find the pipeline named"  # Kedro raises a plain ValueError
_PACKAGE = __name__.partition(".")[0]


class _OneLineErrors(click.Command):
    """A command whose foreseen errors are told in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (PosescopeError, DatasetError) as error:
            known = unwrap(error)
            if known is None:
                raise
            raise click.ClickException(str(known)) from error


@click.group()
def cli() -> None:
    """Train, understand and ship a single-person 2D pose model."""


@cli.command(cls=_OneLineErrors)
@click.argument("group", required=False, type=click.Choice(sorted(GROUPS)))
def plugins(group: str | None) -> None:
    """List the installed components with their options.

    GROUP: only this group, for example `models`.
    """
    for name, contract in GROUPS.items():
        if group in (None, name):
            click.secho(f"posescope.{name}", bold=True, nl=False)
            click.echo(f"  {contract}")
            _list_components(name)


def _list_components(group: str) -> None:
    for row in installed(group):
        component = load_component(group, row.name)
        summary = (inspect.getdoc(component) or "").partition("\n")[0]
        click.echo(f"  {row.name}  {summary}  [{row.package} {row.version}, {row.target}]")
        options = getattr(component, "Options", None)
        for field, info in (options.model_fields if options else {}).items():
            default = "required" if info.is_required() else f"default {info.get_default(call_default_factory=True)!r}"
            click.echo(f"      {field}: {info.description or ''} ({default})")


class _Run(_OneLineErrors):
    """Kedro's `run`; `posescope run` has nobody else to say which package is the project."""

    def invoke(self, ctx: click.Context) -> Any:
        if project.PACKAGE_NAME is None:
            project.configure_project(_PACKAGE)
        try:
            return super().invoke(ctx)
        except MissingConfigException as error:  # there is no such environment
            raise click.ClickException(str(error)) from error
        except ValueError as error:
            if not str(error).startswith(_UNKNOWN_PIPELINE):
                raise
            raise click.ClickException(str(error).strip()) from error


run = _Run(
    name=kedro_run.name,
    callback=kedro_run.callback,
    params=kedro_run.params,
    help=kedro_run.help,
    short_help=kedro_run.short_help,
)
cli.add_command(run)

compare = _OneLineErrors(name="compare", callback=compare_runs.callback, params=compare_runs.params, help=compare_runs.help)
cli.add_command(compare)

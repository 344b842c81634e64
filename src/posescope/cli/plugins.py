"""The command `posescope plugins`: list the installed components."""

import inspect

import click

from posescope.cli.base import PosescopeCommand
from posescope.core.extras import MissingPackageError, install_command
from posescope.core.plugins import GROUPS, installed, load_component, options_model, package_of

__all__ = ["plugins"]


@click.command(cls=PosescopeCommand)
@click.argument("group", required=False, type=click.Choice(sorted(GROUPS)))
def plugins(group: str | None) -> None:
    """List the installed components with their options.

    GROUP: list only this group, for example models.
    """
    for name, contract in GROUPS.items():
        if group in (None, name):
            click.secho(f"posescope.{name}", bold=True, nl=False)
            click.echo(f"  {contract}")
            _list_components(name)


def _list_components(group: str) -> None:
    for row in installed(group):
        try:
            component = load_component(group, row.name)
        except MissingPackageError as error:
            remedy = install_command(error.module, error.extra)
            click.echo(f"  {row.name}  not available: {remedy}  [{package_of(row)}, {row.value}]")
            continue
        summary = (inspect.getdoc(component) or "").partition("\n")[0]
        click.echo(f"  {row.name}  {summary}  [{package_of(row)}, {row.value}]")
        options = options_model(group, component)
        for field, info in (options.model_fields if options else {}).items():
            default = "required" if info.is_required() else f"default {info.get_default(call_default_factory=True)!r}"
            click.echo(f"      {field}: {info.description or ''} ({default})")

"""`posescope run`: Kedro's own command; a foreseen error ends it in one clear line and exit code 1, not in a traceback."""

from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework import project
from kedro.framework.cli.project import run as kedro_run
from kedro.io import DatasetError

from posescope.cli_errors import OneLineErrors
from posescope.hooks import unwrap

__all__ = ["run"]

_UNKNOWN_PIPELINE = "Failed to find the pipeline named"  # Kedro raises a plain ValueError
_PACKAGE = __name__.partition(".")[0]


class _Run(OneLineErrors):
    """Kedro's `run`; `posescope run` has nobody else to say which package is the project."""

    def invoke(self, ctx: click.Context) -> Any:
        if project.PACKAGE_NAME is None:
            project.configure_project(_PACKAGE)
        try:
            return super().invoke(ctx)
        except DatasetError as error:
            known = unwrap(error)
            if known is None:
                raise
            raise click.ClickException(str(known)) from error
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

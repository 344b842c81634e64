"""The command `posescope run`: Kedro's `run`, which prints expected errors as one message without a traceback."""

import copy
import re
import traceback
from collections.abc import Callable
from typing import Any

import click
from kedro.framework import project
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError
from kedro.io import DatasetError
from kedro.runner import AbstractRunner
from kedro.utils import load_obj
from omegaconf.errors import OmegaConfBaseException

from posescope.cli.base import PosescopeCommand, as_click_error, error_message
from posescope.core.errors import PosescopeError, causes_of
from posescope.kedro_support.params_option import parse_params_option

__all__ = ["run"]

_EXPECTED_IN_TRACE = re.compile(r"^posescope(\.\w+)*\.\w+Error: ", re.MULTILINE)
_PACKAGE = __name__.partition(".")[0]

# Modules in which Kedro checks the command, the configuration and the catalog. An error that is raised there is about the request
# (an unknown node, tag, pipeline, environment or version), so a traceback would add nothing.
_KEDRO_CHECKS = frozenset(
    {
        "kedro.config.omegaconf_config",
        "kedro.framework.cli.project",
        "kedro.framework.session.session",
        "kedro.io.data_catalog",
        "kedro.pipeline.pipeline",
        "kedro.runner.parallel_runner",
        "kedro.runner.runner",
        "kedro.runner.thread_runner",
    }
)


class _Run(PosescopeCommand):
    """Kedro's `run`. `posescope run` configures the project; `kedro run` has already done so."""

    def invoke(self, ctx: click.Context) -> Any:
        if project.PACKAGE_NAME is None:
            project.configure_project(_PACKAGE)
        try:
            return super().invoke(ctx)
        except KedroCliError as error:
            raise click.ClickException(error.message) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            found = ((error_message(self.translate(cause)), cause) for cause in causes_of(error))
            message, cause = next((one for one in found if one[0]), (_message_of_worker(error), error))
            message = message or (str(error) if _is_kedro_check(error) else None)
            if message is None:
                raise
            raise as_click_error(message.strip(), cause) from (cause if isinstance(cause, PosescopeError) else error)


def _message_of_worker(error: Exception) -> str | None:
    """Return the message of an expected error in a dataset of a worker process, None for another error.

    The error arrives without its causes, but with their traceback as text. The first line of its message is Kedro's, the rest is
    that of the cause.
    """
    trace = getattr(error.__cause__, "tb", "")
    expected = isinstance(error, DatasetError) and _EXPECTED_IN_TRACE.search(trace)
    return str(error).partition("\n")[2] or None if expected else None


def _is_kedro_check(error: Exception) -> bool:
    """Return whether Kedro raised this error while it checked the request."""
    if isinstance(error, OmegaConfBaseException):  # a configuration file refers to something that does not exist
        return True
    if isinstance(error, DatasetError) and error.__cause__ is not None:  # a dataset failed for an unexpected reason
        return False
    frames = list(traceback.walk_tb(error.__traceback__))
    return frames[-1][0].f_globals.get("__name__") in _KEDRO_CHECKS


def _check_runner(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001
    """Refuse the name of a runner that does not exist before anything is loaded."""
    if value is None:
        return None
    try:
        found = load_obj(value, "kedro.runner")
    except (ImportError, AttributeError, ValueError):
        found = None
    if not (isinstance(found, type) and issubclass(found, AbstractRunner)):
        raise click.ClickException(
            f"--runner {value}: no such runner. Expected SequentialRunner, ThreadRunner, ParallelRunner, or the dotted "
            "path of a class derived from kedro.runner.AbstractRunner."
        )
    return value


def _with_checks(param: click.Parameter) -> click.Parameter:
    """Return the option with our check of its value, or with Kedro's check as a one-line error with exit code 1."""
    check: Callable[..., Any] | None = _CHECKS.get(str(param.name), param.callback)
    if check is None:
        return param

    def call(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        try:
            return check(ctx, param, value)
        except (click.BadParameter, KedroCliError) as error:
            raise click.ClickException(f"{param.opts[0]}: {error.message}") from error
        except PosescopeError as error:
            raise click.ClickException(f"{param.opts[0]}: {error}") from error

    checked = copy.copy(param)
    checked.callback = call
    return checked


_CHECKS: dict[str, Callable[..., Any]] = {"runner": _check_runner, "params": parse_params_option}

run = _Run(
    name=kedro_run.name,
    callback=kedro_run.callback,
    params=[_with_checks(param) for param in kedro_run.params],
    help=kedro_run.help,
    short_help=kedro_run.short_help,
)

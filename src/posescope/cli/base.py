"""Parts that all commands share: error handling, printing, paths and options. Imports nothing heavy."""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from posescope.core.errors import PosescopeError
from posescope.core.extras import find_missing_package
from posescope.core.paths import expand_home, find_path_error, is_address
from posescope.core.text_escaping import escape_control

__all__ = [
    "LocalPathType", "PosescopeCommand", "allow_component", "as_click_error", "echo", "error_message", "escape_unprintable",
    "read_settings",
]  # fmt: skip


class _PassingError(click.ClickException):
    exit_code = 75  # EX_TEMPFAIL of sysexits.h


class PosescopeCommand(click.Command):
    """A command that prints expected errors as one message and ends with exit code 1, or 75 if a repetition may succeed.

    Attributes:
        extra: The extra of posescope that installs its packages; '': the base has them all.
    """

    extra: str = ""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            message = error_message(self.translate(error))
            if message is None:
                raise
            raise as_click_error(escape_unprintable(message), error) from error

    def translate(self, error: BaseException) -> BaseException:
        """Return the error for a missing package of posescope, which names the extra; any other error unchanged."""
        return find_missing_package(error, f"posescope {self.name}", self.extra) or error


def as_click_error(message: str, error: BaseException) -> click.ClickException:
    """Return the error of click for a message: with exit code 75 if a repetition of the command may succeed, else 1.

    Args:
        message: What is printed.
        error: The error that the message describes.
    """
    return (_PassingError if getattr(error, "may_pass", False) else click.ClickException)(message)


def error_message(error: BaseException) -> str | None:
    """Return the message of an expected error, None for any other.

    Expected errors are `PosescopeError`, `OSError`, `MemoryError` and `cv2.error`. `BrokenPipeError` is handled by click.
    """
    if isinstance(error, PosescopeError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory."
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        place = "" if error.filename is None else f"{error.filename}: "
        return f"{place}{error.strerror or error}"
    if "cv2" in sys.modules and isinstance(error, sys.modules["cv2"].error):
        return f"OpenCV: {' '.join(str(error).split())}"
    return None


def echo(message: str, *, err: bool = False) -> None:
    """Print a line; unprintable characters of file names are escaped.

    Args:
        message: The line.
        err: Print to stderr.
    """
    click.echo(escape_unprintable(message), err=err)


def escape_unprintable(text: str) -> str:
    """Return text in which control characters, and bytes of file names that are not UTF-8, are escaped."""
    return escape_control(text.encode("utf-8", "backslashreplace").decode("utf-8"), keep_lines=True)


def read_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Return the values of an option `--set KEY=VALUE` that may be repeated.

    Args:
        settings: Texts such as "input_size=[640,640]".

    Returns:
        Values by name. Lists, mappings and null are read as YAML, any other text is unchanged: a path may be called 12.

    Raises:
        click.UsageError: if a text has no equals sign.
    """
    pairs = [setting.partition("=") for setting in settings]
    wrong = [key for key, equals, _ in pairs if not equals]
    if wrong:
        raise click.UsageError(f"--set {wrong[0]}: expected KEY=VALUE.")
    return {key: _parse_setting(value) for key, _, value in pairs}


def _parse_setting(text: str) -> Any:
    import yaml  # noqa: PLC0415  (the help page needs no YAML)

    if not text:
        return text
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # ValueError: a date that does not exist
        return text
    return value if value is None or isinstance(value, list | dict) else text


def allow_component(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option `--allow-component`; the command receives a tuple of dotted paths as `allow`."""
    option = click.option(
        "--allow-component",
        "allow",
        multiple=True,
        metavar="PATH",
        help="Allow the model folder to load this component by its dotted path (package.module:attribute). This runs its code.",
    )
    return option(command)


class LocalPathType(click.Path):
    """Click's path with `~` as the home folder, since a shell does not expand `--out=~/poses`.

    With `takes_addresses` an address such as `s3://bucket/run` is fetched without the files that `leave_out` names; its local
    copy is the value. Other URLs are refused.
    """

    def __init__(self, *, takes_addresses: bool = False, leave_out: Sequence[str] = (), **checks: Any) -> None:
        """Args: takes_addresses, leave_out (see `core.mirrors.fetch_address`), and those of `click.Path`."""
        super().__init__(path_type=Path, **checks)
        self.takes_addresses, self.leave_out = takes_addresses, leave_out

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the validated path."""
        text = os.fspath(value)
        if self.takes_addresses and is_address(text):
            from posescope.core.mirrors import fetch_address  # noqa: PLC0415  (the help page needs no object store)

            return fetch_address(text, self.leave_out)
        text = expand_home(text)
        # Path("") is the current folder: an empty variable of a script would write there.
        fault = None if text and Path(text).exists() else find_path_error(text)
        if fault is not None:
            self.fail(fault, param, ctx)
        return super().convert(text, param, ctx)

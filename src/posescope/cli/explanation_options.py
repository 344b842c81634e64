"""Options of the commands that explain a model on annotated photographs, and what they ask for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from posescope.cli.base import LocalPathType, echo

if TYPE_CHECKING:
    from posescope.kedro_support.explanation_request import ExplanationRequest

__all__ = ["explained_folder", "explanation_options", "refuse_without_data", "request_of_options"]

_OPTIONS = (
    click.option(
        "--images",
        type=LocalPathType(exists=True, file_okay=False),
        help="Folder of the images (default: looked for beside the annotation file).",
    ),
    click.option(
        "--max-persons",
        type=click.IntRange(min=3),
        default=2000,
        show_default=True,
        help="Maximum number of persons in each half of the photographs.",
    ),
    click.option(
        "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the halves and of all analyses."
    ),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1."),
    click.option(
        "--photographs",
        type=click.Choice(["full", "blurred", "none"]),
        default="full",
        show_default=True,
        help="How the pages show photographs: blurred or none for pages that are passed on.",
    ),
    click.option(
        "--layer",
        metavar="NAME",
        help="Layer whose features are explained: a short name, or a path of named_modules() (default: the narrowest one).",
    ),
    click.option(
        "--analysis",
        "analyses",
        multiple=True,
        metavar="NAME",
        help="An analysis to run, repeated for several (default: all installed ones except attribution, which takes minutes).",
    ),
)


def explanation_options(*, required: bool, output_help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds the options.

    The command receives `data` and `output`, and the others of `request_of_options` by their names.

    Args:
        required: whether `--data` and `--output` have to be given.
        output_help: help of `--output`.
    """
    data = click.option(
        "--data",
        type=LocalPathType(exists=True),
        required=required,
        help="COCO annotation file, or folder in the layout of COCO.",
    )
    output = click.option("--output", type=LocalPathType(file_okay=False), required=required, help=output_help)

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed((data, _OPTIONS[0], output, *_OPTIONS[1:])):
            command = option(command)
        return command

    return add


def request_of_options(
    model: Path | None, data: Path, images: Path | None, options: Mapping[str, Any], *, keep_inputs: bool
) -> "ExplanationRequest":
    """Return what the options ask for.

    Args:
        model, data, images: as `read_request`.
        options: values of the other options by name.
        keep_inputs: keep what interactive pages need to run the network.

    Raises:
        click.UsageError: if there is no such analysis.
        PosescopeError: as `read_request`.
    """
    from posescope.core.hardware import check_device_name  # noqa: PLC0415  (the help page needs nothing of these)
    from posescope.core.plugins import installed  # noqa: PLC0415
    from posescope.kedro_support.explanation_request import read_request  # noqa: PLC0415
    from posescope.kedro_support.model_explanation import ExplanationOptions  # noqa: PLC0415

    check_device_name(options["device"])
    if unknown := set(options["analyses"]) - {row.name for row in installed("analyses")}:
        known = ", ".join(row.name for row in installed("analyses"))
        raise click.UsageError(f"--analysis {min(unknown)}: no such analysis. Installed ones: {known}.")
    return read_request(model, data, images, ExplanationOptions(**options, keep_inputs=keep_inputs))


def explained_folder(model: Path | None, values: Mapping[str, Any], allow: tuple[str, ...]) -> Path:
    """Explain a model on photographs, unless that was done before, and return the folder of the results.

    Args:
        model: as `read_request`.
        values: values of all options by name. Without `output` the folder is one of the user's cache, named by the fingerprint.
        allow: dotted paths of components that the model folder may name.

    Raises:
        click.UsageError: as `request_of_options`.
        PosescopeError: of any step.
    """
    from posescope.core.paths import user_cache_dir  # noqa: PLC0415

    options = {name: value for name, value in values.items() if name not in ("data", "images", "output")}
    request = request_of_options(model, values["data"], values["images"], options, keep_inputs=options["photographs"] == "full")
    folder: Path = values["output"] or user_cache_dir("explored") / request.fingerprint
    if request.is_answered_in(folder):
        echo(f"{folder}: opened, computed before for the same model, photographs and options.", err=True)
        return folder
    echo(f"{folder}: explaining the model there; the next call opens it.", err=True)
    request.answer_in(folder, lambda step: echo(step, err=True), allow)
    return folder


def refuse_without_data(context: click.Context, values: Mapping[str, Any]) -> None:
    """Refuse options of an explanation that are given without `--data`.

    Raises:
        click.UsageError: naming one of them.
    """
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in values and source == click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} is of an explanation that --data asks for. Add --data, or leave it out.")

"""The command `posescope explain`: pages that explain a model on annotated photographs."""

from pathlib import Path
from typing import Any

import click

from posescope.cli.base import LocalPathType, PosescopeCommand, allow_component, echo
from posescope.cli.explanation_options import explanation_options, request_of_options

__all__ = ["explain"]


@click.command(cls=PosescopeCommand)
@click.argument("model", type=LocalPathType(exists=True, takes_addresses=True))
@explanation_options(required=True, output_help="Folder for the pages and results.")
@click.option(
    "--keep-inputs",
    is_flag=True,
    help="Keep crops, features, annotations and a copy of the model in OUTPUT/results/explorer, for interactive pages.",
)
@allow_component
def explain(
    model: Path, data: Path, images: Path | None, output: Path, keep_inputs: bool, allow: tuple[str, ...], **options: Any
) -> None:
    """Explain a model on annotated photographs.

    Writes OUTPUT/summary.html, one page for readers without machine learning, OUTPUT/report.html with all figures and numbers,
    and OUTPUT/results with tables, images and findings.

    MODEL: a model folder, or a data_dir, whose newest model is taken. The joints of the annotations must have the names of the
    model's joints. Components, groups and rules are found on one half of the photographs and judged on the other half. If the
    folder has a training and a validation file, these are the two halves.

    \b
    Examples:
      posescope explain data/06_models/model --data photos.json --images photos --output explained
      posescope explain my_model --data my_data --output explained --photographs blurred
    """  # noqa: D301 (\b keeps click from filling the lines)
    if keep_inputs and options["photographs"] != "full":
        raise click.UsageError("--keep-inputs keeps the crops as they are; leave it out, or use --photographs full.")
    request = request_of_options(model, data, images, options, keep_inputs=keep_inputs)
    for page in request.answer_in(output, lambda step: echo(step, err=True), allow):
        echo(str(page))

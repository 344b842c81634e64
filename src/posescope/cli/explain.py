"""The command `posescope explain`: pages that explain a model on annotated photographs."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from posescope.cli.base import LocalPathType, PosescopeCommand, allow_component, echo

__all__ = ["explain"]


@click.command(cls=PosescopeCommand)
@click.argument("model", type=LocalPathType(exists=True))
@click.option(
    "--data", type=LocalPathType(exists=True), required=True, help="COCO annotation file, or folder in the layout of COCO."
)
@click.option(
    "--images",
    type=LocalPathType(exists=True, file_okay=False),
    help="Folder of the images (default: looked for beside the annotation file).",
)
@click.option("--output", type=LocalPathType(file_okay=False), required=True, help="Folder for the pages and results.")
@click.option(
    "--max-persons",
    type=click.IntRange(min=3),
    default=2000,
    show_default=True,
    help="Maximum number of persons in each half of the photographs.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the halves and of all analyses.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
@click.option(
    "--photographs",
    type=click.Choice(["full", "blurred", "none"]),
    default="full",
    show_default=True,
    help="How the pages show photographs: blurred or none for pages that are passed on.",
)
@click.option(
    "--layer",
    metavar="NAME",
    help="Layer whose features are explained: a short name, or a path of named_modules() (default: the narrowest one).",
)
@click.option(
    "--analysis",
    "analyses",
    multiple=True,
    metavar="NAME",
    help="An analysis to run, repeated for several (default: all installed ones except attribution, which takes minutes).",
)
@click.option(
    "--keep-inputs",
    is_flag=True,
    help="Keep crops, features and a copy of the model in OUTPUT/results/explorer, for interactive pages that run the network.",
)
@allow_component
def explain(model: Path, data: Path, images: Path | None, output: Path, **options: Any) -> None:
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
    from posescope.artifacts.description import read_description  # noqa: PLC0415  (the help page needs nothing of these)
    from posescope.core.hardware import check_device_name  # noqa: PLC0415
    from posescope.core.joint_matching import match_joints  # noqa: PLC0415
    from posescope.core.plugins import installed  # noqa: PLC0415
    from posescope.data.coco.reader import load_annotation_file  # noqa: PLC0415
    from posescope.data.coco.study_folder import find_annotated_images, keypoint_category, make_study_folder  # noqa: PLC0415
    from posescope.kedro_support.model_explanation import ExplanationOptions, explain_model  # noqa: PLC0415
    from posescope.runs.project_models import find_model  # noqa: PLC0415

    check_device_name(options["device"])
    if unknown := set(options["analyses"]) - {row.name for row in installed("analyses")}:
        known = ", ".join(row.name for row in installed("analyses"))
        raise click.UsageError(f"--analysis {min(unknown)}: no such analysis. Installed ones: {known}.")
    if options["keep_inputs"] and options["photographs"] != "full":
        raise click.UsageError("--keep-inputs keeps the crops as they are; leave it out, or use --photographs full.")
    allow = options.pop("allow")
    folder = find_model(model)
    joints = read_description(folder).skeleton.joints
    sources = find_annotated_images(data, images)
    for source in sources:
        category = keypoint_category(load_annotation_file(source.annotations), source.annotations)
        match_joints(joints, category["keypoints"], model_name=str(folder), data_name=str(source.annotations))
    settings = ExplanationOptions(**options)
    output.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    with TemporaryDirectory(prefix="posescope-") as work:
        study = make_study_folder(sources, Path(work), settings.max_persons, settings.seed)
        pages = explain_model(folder, study, Path(work), output, settings, lambda step: echo(step, err=True), allow)
    for page in pages:
        echo(str(page))

"""The command `posescope export`: convert a trained model for use without PyTorch."""

from pathlib import Path

import click

from posescope.cli.base import LocalPathType, PosescopeCommand, allow_component
from posescope.runs.project_models import find_model, project_data_dir

__all__ = ["export"]

_CROPS_COMPARED = 64


@click.command(cls=PosescopeCommand)
@click.option("--to", "target", type=click.Choice(["onnx"]), default="onnx", show_default=True, help="Output format.")
@click.option(
    "--model",
    type=LocalPathType(takes_addresses=True),
    help="Model folder or data_dir (default: the newest model of the project).",
)
@click.option("--out", type=LocalPathType(file_okay=False), required=True, help="Output folder.")
@click.option(
    "--images", type=LocalPathType(exists=True), help="Images for the comparison (default: crops in the data_dir of the model)."
)
@allow_component
def export(target: str, model: Path | None, out: Path, images: Path | None, allow: tuple[str, ...]) -> None:  # noqa: ARG001 (one)
    """Export a model to ONNX and verify its outputs.

    The joints of the exported model are compared with those of PyTorch on crops of persons.

    \b
    Examples:
      posescope export --out model_onnx
      posescope export --model data/06_models/model --out model_onnx --images photos
    """  # noqa: D301 (\b keeps click from filling the lines)
    from posescope.artifacts.onnx_export import export_onnx  # noqa: PLC0415  (torch)
    from posescope.prediction.example_crops import load_example_crops  # noqa: PLC0415

    source = find_model(model)
    crops, what = load_example_crops(source, images, project_data_dir(), _CROPS_COMPARED, allow)
    check = export_onnx(source, out, crops, allow=allow)
    click.echo(
        f"{source} -> {out}: on {check.crops} {what} the largest differences from PyTorch are {check.joints_px:.2g} px (joints), "
        f"{check.heatmaps:.2g} (heatmaps) and {check.scores:.2g} (scores)."
    )

"""`posescope export`: a trained model for places where there is no PyTorch."""

from pathlib import Path

import click

from posescope.cli.base import LocalPathType, PosescopeCommand, allow_component
from posescope.runs.project_models import find_model, project_data_dir

__all__ = ["export"]

_CROPS_COMPARED = 64


@click.command(cls=PosescopeCommand)
@click.option("--to", "target", type=click.Choice(["onnx"]), default="onnx", show_default=True, help="Format.")
@click.option("--model", type=LocalPathType(), help="Model folder, or a data_dir; default: the project's newest.")
@click.option("--out", type=LocalPathType(file_okay=False), required=True, help="Folder to write.")
@click.option(
    "--images",
    type=LocalPathType(exists=True),
    help="Images to compare the answers on; default: crops of the model's own data_dir.",
)
@allow_component
def export(target: str, model: Path | None, out: Path, images: Path | None, allow: tuple[str, ...]) -> None:  # noqa: ARG001 (one)
    """Export a model, and check that it still gives PyTorch's answers.

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
        f"{source} -> {out}: on {check.crops} {what} its joints differ from PyTorch's by {check.joints_px:.2g} px at most, "
        f"heatmaps by {check.heatmaps:.2g}, scores by {check.scores:.2g}."
    )

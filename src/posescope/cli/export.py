"""The command `posescope export`: convert a trained model for use without PyTorch."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from posescope.cli.base import LocalPathType, PosescopeCommand, allow_component, echo, read_settings
from posescope.runs.project_models import find_model, project_data_dir

if TYPE_CHECKING:
    from posescope.prediction.exporters.exporter import ExportReport

__all__ = ["export"]

_CROPS_COMPARED = 64


@click.command(cls=PosescopeCommand)
@click.option(
    "--format",
    "--to",
    "target",
    default="onnx",
    show_default=True,
    help="A component of posescope.exporters: onnx, int8 (ONNX, quantised), openvino.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the format, such as precision=int8 or calibration_crops=500 (posescope plugins exporters).",
)
@click.option(
    "--model",
    type=LocalPathType(takes_addresses=True),
    help="Model folder or data_dir (default: the newest model of the project).",
)
@click.option("--out", type=LocalPathType(file_okay=False), required=True, help="Output folder.")
@click.option(
    "--images", type=LocalPathType(exists=True), help="Images for the comparison (default: crops in the data_dir of the model)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@allow_component
def export(
    target: str,
    settings: tuple[str, ...],
    model: Path | None,
    out: Path,
    images: Path | None,
    as_json: bool,
    allow: tuple[str, ...],
) -> None:
    """Export a model for another runtime and verify its outputs.

    The joints of the exported model are compared with those of PyTorch on crops of persons. A format of lower precision (int8,
    openvino with precision=int8 or bfloat16) is scored on the validation persons beside the float32 model, and its radii are
    calibrated again, if the data on which the model was trained are at hand.

    \b
    Examples:
      posescope export --out model_onnx
      posescope export --format int8 --out model_int8
      posescope export --format openvino --set precision=int8 --out model_openvino
      posescope export --model data/06_models/model --out model_onnx --images photos
    """  # noqa: D301 (\b keeps click from filling the lines)
    from posescope.core.plugins import ComponentSpec, build  # noqa: PLC0415
    from posescope.prediction.exporters.export_data import load_export_data  # noqa: PLC0415  (pandas, torch)

    exporter = build("exporters", ComponentSpec(name=target, options=read_settings(settings)))
    source = find_model(model)
    data = load_export_data(source, images, project_data_dir(), _CROPS_COMPARED, allow)
    report = exporter(source, out, data, allow)
    if as_json:
        echo(json.dumps(report.to_dict(), indent=2))
        return
    for line in _describe(source, out, report, data.origin):
        echo(line)


def _describe(source: Path, out: Path, report: "ExportReport", origin: str) -> list[str]:
    check, accuracy = report.check, report.accuracy
    lines = [
        f"{source} -> {out}: {report.format}, {report.precision}. On {check.crops} {origin} the largest differences from PyTorch "
        f"are {check.joints_px:.2g} px (joints), {check.heatmaps:.2g} (heatmaps) and {check.scores:.2g} (scores)."
    ]
    if accuracy is not None:
        lines.append(
            f"{accuracy.name} on {accuracy.count} validation persons: {accuracy.a:.4f} in float32, {accuracy.b:.4f} exported, "
            f"difference {accuracy.difference:+.4f} ({accuracy.low:+.4f} to {accuracy.high:+.4f}, 95 %)."
        )
    elif report.precision != "float32":
        lines.append("The accuracy was not measured: the data on which the model was trained are not at hand.")
    if report.radii != "none":
        lines.append(f"Calibrated radii of the joints: {report.radii}.")
    return lines

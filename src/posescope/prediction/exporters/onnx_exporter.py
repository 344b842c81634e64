"""The exporter `onnx`: float32 graphs for ONNX Runtime."""

from collections.abc import Collection
from pathlib import Path

from pydantic import Field

from posescope.artifacts.description import FLOAT32
from posescope.artifacts.onnx_export import export_onnx
from posescope.artifacts.uncertainty import UNCERTAINTY
from posescope.core.plugins import Component, Options
from posescope.prediction.exporters.exporter import ExportData, ExportReport

__all__ = ["OnnxExportOptions", "OnnxExporter"]


class OnnxExportOptions(Options):
    """How far an export may differ from PyTorch."""

    tolerance: float = Field(
        1e-3, gt=0, le=1, description="largest accepted difference of a heatmap px, as a fraction of the largest heatmap px"
    )


class OnnxExporter(Component[OnnxExportOptions]):
    """Export to ONNX in float32, for ONNX Runtime on the CPU or with CUDA."""

    def __call__(self, source: Path, destination: Path, data: ExportData, allow: Collection[str] = ()) -> ExportReport:
        """Write and verify the export; see `Exporter`."""
        check = export_onnx(source, destination, data.examples, self.options.tolerance, allow)
        radii = (destination / UNCERTAINTY).is_file()
        return ExportReport(destination.resolve(), "onnx", FLOAT32, check, None, "copied" if radii else "none")

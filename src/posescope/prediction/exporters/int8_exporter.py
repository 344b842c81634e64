"""The exporter `int8`: a quantised network for ONNX Runtime."""

from collections.abc import Collection
from pathlib import Path

from posescope.artifacts.onnx_model import OnnxModel
from posescope.core.plugins import Component
from posescope.prediction.exporters.exporter import ExportData, ExportReport
from posescope.prediction.exporters.graph_export import GraphExport, export_graphs
from posescope.prediction.exporters.quantisation import QuantisationOptions, network_quantiser

__all__ = ["Int8Exporter"]


class Int8Exporter(Component[QuantisationOptions]):
    """Export to ONNX in INT8, for ONNX Runtime on a CPU; fast with the instructions AVX512-VNNI, AVX-VNNI or AMX."""

    def __call__(self, source: Path, destination: Path, data: ExportData, allow: Collection[str] = ()) -> ExportReport:
        """Write and verify the export; see `Exporter`."""
        plan = GraphExport(
            format="int8",
            backend="onnx",
            precision="int8",
            open=lambda description: OnnxModel(description, device="cpu"),
            tolerance=self.options.tolerance,
            max_pck_loss=self.options.max_pck_loss,
            write_network=network_quantiser(data, self.options),
        )
        return export_graphs(source, destination, data, plan, allow)

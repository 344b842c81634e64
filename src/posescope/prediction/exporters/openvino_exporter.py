"""The exporter `openvino`: graphs that OpenVINO runs, in float32, bfloat16 or INT8."""

from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import Field

from posescope.artifacts.openvino_model import OpenVinoModel
from posescope.artifacts.openvino_runtime import load_openvino
from posescope.core.plugins import Component
from posescope.prediction.exporters.exporter import ExportData, ExportReport
from posescope.prediction.exporters.graph_export import GraphExport, copy_network, export_graphs
from posescope.prediction.exporters.quantisation import QuantisationOptions, network_quantiser

__all__ = ["OpenVinoExportOptions", "OpenVinoExporter"]

_TOLERANCES = {"float32": 1e-3, "bfloat16": 0.1}


class OpenVinoExportOptions(QuantisationOptions):
    """The precision of the network; the other options are used for `int8`, `max_pck_loss` for `bfloat16`, too."""

    precision: Literal["float32", "bfloat16", "int8"] = Field(
        "float32", description="of the network; bfloat16 needs a CPU that computes it, or is computed as float32"
    )


class OpenVinoExporter(Component[OpenVinoExportOptions]):
    """Export for OpenVINO on a CPU, in float32, bfloat16 or INT8."""

    def __call__(self, source: Path, destination: Path, data: ExportData, allow: Collection[str] = ()) -> ExportReport:
        """Write and verify the export; see `Exporter`."""
        load_openvino("export: the format openvino")
        options = self.options
        plan = GraphExport(
            format="openvino",
            backend="openvino",
            precision=options.precision,
            open=OpenVinoModel,
            tolerance=_TOLERANCES.get(options.precision, options.tolerance),
            max_pck_loss=options.max_pck_loss,
            write_network=network_quantiser(data, options) if options.precision == "int8" else copy_network,
        )
        return export_graphs(source, destination, data, plan, allow)

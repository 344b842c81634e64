"""An exported model, run by OpenVINO without PyTorch: the backend `openvino` of the prediction engine."""

from pathlib import Path

from posescope.artifacts.description import DESCRIPTION, FLOAT32, ModelDescription, ModelFolderError
from posescope.artifacts.exported_model import NETWORK, ExportedModel
from posescope.artifacts.openvino_runtime import OpenVinoGraph, load_openvino

__all__ = ["PRECISIONS", "OpenVinoModel"]

PRECISIONS = (FLOAT32, "bfloat16", "int8")


class OpenVinoModel(ExportedModel):
    """An exported model in OpenVINO, on the CPU. Decoders are computed in float32 whatever the precision of the network.

    Args:
        description: of an exported model; its `export.precision` is that of the network.
        threads: 0: one per CPU that this process may use.
        device: `auto` or `cpu`.

    Raises:
        ModelFolderError: if a file is missing, damaged, unreadable, or has other shapes than the description states.
        OptionsError: if OpenVINO is not installed, or the device is another one.
    """

    name = "openvino"
    runtime = "OpenVINO"

    def __init__(self, description: ModelDescription, threads: int = 0, device: str = "auto") -> None:
        found = load_openvino("This model")
        precision = description.export.get("precision", FLOAT32)
        if precision not in PRECISIONS:
            raise ModelFolderError(
                f"{description.folder / DESCRIPTION}: export.precision: expected {', '.join(PRECISIONS)}, found {precision!r}. "
                "Export the model again."
            )

        def open_graph(path: Path) -> OpenVinoGraph:
            own = str(precision) if path.name == NETWORK else FLOAT32
            return found.open(path, own, threads, device)

        super().__init__(description, open_graph, found.errors)

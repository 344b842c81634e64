"""An exported model, run by ONNX Runtime without PyTorch: the backend `onnx` of the prediction engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from posescope.artifacts.description import ModelDescription
from posescope.artifacts.exported_model import NETWORK, ExportedModel
from posescope.artifacts.onnx_runtime import load_onnxruntime, runs_on_cuda

__all__ = ["OnnxModel"]


class OnnxModel(ExportedModel):
    """An exported model in ONNX Runtime.

    Args:
        description: of an exported model.
        threads: of ONNX Runtime; 0: one per CPU that this process may use.
        device: `auto` (CUDA if ONNX Runtime has it), `cpu`, `cuda` or `cuda:<index>`.

    Raises:
        ModelFolderError: if a file is missing, damaged, unreadable, or has other shapes than the description states.
        OptionsError: if ONNX Runtime is not installed, or does not have the device.
    """

    name = "onnx"
    runtime = "ONNX Runtime"

    def __init__(self, description: ModelDescription, threads: int = 0, device: str = "auto") -> None:
        found = load_onnxruntime("This model")

        def open_graph(path: Path) -> _SessionGraph:
            session = found.open(path, threads, device)
            if path.name == NETWORK and runs_on_cuda(session):
                self.device = "cuda"
            return _SessionGraph(session)

        super().__init__(description, open_graph, found.errors)


class _SessionGraph:
    """A session of ONNX Runtime, as `Graph`."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.inputs = {one.name: list(one.shape[1:]) for one in session.get_inputs()}
        self.outputs = [list(one.shape[1:]) for one in session.get_outputs()]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        return list(self._session.run(None, dict(inputs)))

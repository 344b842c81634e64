"""The backends of exported models: ONNX Runtime and OpenVINO. Neither imports torch."""

from collections.abc import Collection

from posescope.artifacts.description import ModelDescription
from posescope.artifacts.exported_model import ExportedModel
from posescope.core.plugins import Component, Options

__all__ = ["OnnxBackend", "OpenVinoBackend"]


class OnnxBackend(Component[Options]):
    """Run an exported model by ONNX Runtime, on the CPU or with CUDA."""

    def __call__(
        self, description: ModelDescription, device: str = "auto", threads: int = 0, allow: Collection[str] = ()
    ) -> ExportedModel:
        """Open a folder.

        Args:
            description: of an exported model.
            device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
            threads: 0: one per CPU of this process.
            allow: not used.
        """
        from posescope.artifacts.onnx_model import OnnxModel  # noqa: PLC0415  (the other runtime is not needed)

        return OnnxModel(description, threads, device)


class OpenVinoBackend(Component[Options]):
    """Run an exported model by OpenVINO, on the CPU."""

    def __call__(
        self, description: ModelDescription, device: str = "auto", threads: int = 0, allow: Collection[str] = ()
    ) -> ExportedModel:
        """Open a folder.

        Args:
            description: of an exported model.
            device: `auto` or `cpu`.
            threads: 0: one per CPU of this process.
            allow: not used.
        """
        from posescope.artifacts.openvino_model import OpenVinoModel  # noqa: PLC0415

        return OpenVinoModel(description, threads, device)

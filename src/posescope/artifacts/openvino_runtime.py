"""OpenVINO (extra `formats`): import on demand without its telemetry, and graphs on the CPU. Does not import PyTorch."""

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from posescope.core.errors import OptionsError
from posescope.core.extras import install_command
from posescope.core.hardware import available_cpus, check_device_name

__all__ = ["OpenVinoGraph", "OpenVinoRuntime", "load_openvino"]

_TELEMETRY = "openvino_telemetry"
_PRECISION_HINTS: Mapping[str, str] = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


@dataclass(frozen=True)
class OpenVinoRuntime:
    """The imported package.

    Attributes:
        module: `openvino`.
        errors: the exceptions that it raises.
    """

    module: ModuleType
    errors: tuple[type[Exception], ...] = (RuntimeError, TypeError, ValueError)

    def open(self, path: Path, precision: str, threads: int = 0, device: str = "auto") -> "OpenVinoGraph":
        """Compile a graph for the CPU.

        Args:
            path: of an ONNX file.
            precision: `float32`, `bfloat16` or `int8`; operations that are not quantised in the file of an INT8 network are
                float32.
            threads: 0: one per CPU that this process may use.
            device: `auto` or `cpu`.

        Raises:
            OptionsError: if the device is another one.
            Exception: one of `errors`, if the file cannot be read.
        """
        check_device_name(device)
        if device not in ("auto", "cpu"):
            raise OptionsError(f"device '{device}': the backend openvino runs on the CPU only. Use 'auto' or 'cpu'.")
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads or available_cpus(),
            "INFERENCE_PRECISION_HINT": _PRECISION_HINTS[precision],
            "ENABLE_CPU_PINNING": False,  # several processes would be pinned to the same cores
        }
        core = self.module.Core()
        return OpenVinoGraph(core.compile_model(core.read_model(str(path)), "CPU", options))


class OpenVinoGraph:
    """A compiled graph; each thread has its own request.

    Attributes:
        inputs: shapes of the inputs by name, without the batch axis; None where a side is open.
        outputs: shapes of the outputs in order, likewise.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled, self._local = compiled, threading.local()
        self.inputs = {one.get_any_name(): _shape(one) for one in compiled.inputs}
        self.outputs = [_shape(one) for one in compiled.outputs]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return all outputs.

        Args:
            inputs: one array per input.

        Raises:
            ValueError: if an array has another shape than the graph, which OpenVINO itself does not always refuse.
        """
        for name, array in inputs.items():
            expected = self.inputs[name]
            if array.ndim != len(expected) + 1 or any(b not in (None, a) for a, b in zip(array.shape[1:], expected, strict=True)):
                raise ValueError(f"{name}: expected the shape (N, {', '.join(map(str, expected))}), found {array.shape}")
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        found = request.infer(dict(inputs))
        return [found[one] for one in self._compiled.outputs]


def load_openvino(what: str) -> OpenVinoRuntime:
    """Import OpenVINO, and keep it from sending usage data.

    Its import reports to Google Analytics and writes `~/intel` through the package openvino_telemetry, unless that package
    cannot be imported.

    Args:
        what: what needs it, for the message: "This model".

    Raises:
        OptionsError: if it cannot be imported.
    """
    if _TELEMETRY not in sys.modules:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # an import of it raises ImportError
    try:
        import openvino  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise OptionsError(
            f"{what} needs openvino, which cannot be imported ({error}). Install it: {install_command('openvino')}"
        ) from error
    return OpenVinoRuntime(openvino)


def _shape(place: Any) -> list[int | None]:
    """Return the shape without the batch axis."""
    sides = list(place.partial_shape)[1:]
    return [None if side.is_dynamic else side.get_length() for side in sides]

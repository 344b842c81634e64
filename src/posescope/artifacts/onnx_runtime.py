"""ONNX Runtime (extra `onnx`): import on demand, sessions, devices and errors. Does not import PyTorch."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from posescope.core.errors import DataError, OptionsError
from posescope.core.extras import install_command
from posescope.core.hardware import available_cpus, check_device_name

__all__ = ["OnnxNetwork", "OnnxRuntime", "load_onnxruntime", "runs_on_cuda"]

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_ERRORS_ONLY = 3


@dataclass(frozen=True)
class OnnxNetwork:
    """An open network with one input.

    Attributes:
        path: path of the file.
        session: session of ONNX Runtime.
        errors: the exceptions that the session raises.
    """

    path: Path
    session: Any
    errors: tuple[type[Exception], ...]

    @property
    def input_shape(self) -> tuple[int | str | None, ...]:
        """Lengths of the sides of the input; a name or None where any length will do."""
        return tuple(self.session.get_inputs()[0].shape)

    @property
    def input_type(self) -> str:
        """Data type of the input, such as `tensor(float)`."""
        return str(self.session.get_inputs()[0].type)

    def describe_inputs(self) -> str:
        """Return name, type and shape of all inputs, for messages."""
        return "; ".join(f"{one.name}: {one.type} {one.shape}" for one in self.session.get_inputs())

    def run(self, tensor: NDArray[Any]) -> list[NDArray[Any]]:
        """Return all outputs for one input.

        Raises:
            DataError: if the network fails, for instance at this size.
        """
        try:
            return list(self.session.run(None, {self.session.get_inputs()[0].name: tensor}))
        except self.errors as error:
            raise DataError(f"{self.path}: the network fails for an input of shape {tensor.shape}: {error}") from error


@dataclass(frozen=True)
class OnnxRuntime:
    """The imported package.

    Attributes:
        module: `onnxruntime`.
        errors: the exceptions that it raises; they have no common base class.
    """

    module: ModuleType
    errors: tuple[type[Exception], ...]

    def open(self, path: Path, threads: int = 0, device: str = "auto") -> Any:
        """Open a session of the network in a file.

        Args:
            path: of the network.
            threads: 0: one per CPU that this process may use.
            device: `auto` (CUDA if ONNX Runtime has it), `cpu`, `cuda` or `cuda:<index>`.

        Raises:
            OptionsError: if the device does not exist.
            Exception: one of `errors`, if the file cannot be read.
        """
        options = self.module.SessionOptions()
        options.intra_op_num_threads = threads or available_cpus()
        options.log_severity_level = _ERRORS_ONLY
        if os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE":  # as threads of OpenMP, these give way when they wait
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = self.module.InferenceSession(str(path), options, providers=self._providers(device))
        if device.startswith("cuda") and not runs_on_cuda(session):  # ONNX Runtime falls back silently
            raise OptionsError(f"device '{device}': ONNX Runtime could not start CUDA. Use 'auto' or 'cpu'.")
        return session

    def open_network(self, path: Path, remedy: str) -> OnnxNetwork:
        """Open a network with one input that a user names.

        Args:
            path: of the network.
            remedy: how the file is named, for the message; a sentence.

        Raises:
            DataError: if the file is missing, is no ONNX file, or has several inputs.
        """
        if not path.is_file():
            raise DataError(f"{path}: there is no such file. {remedy}")
        try:
            network = OnnxNetwork(path, self.open(path), self.errors)
        except self.errors as error:
            raise DataError(f"{path}: ONNX Runtime cannot load this network: {error}") from error
        if len(network.session.get_inputs()) != 1:
            raise DataError(f"{path}: expected one input, an image; found {network.describe_inputs()}.")
        return network

    def _providers(self, device: str) -> list[Any]:
        """Return the execution providers; operators that CUDA lacks run on the CPU."""
        check_device_name(device)
        available = self.module.get_available_providers()
        if device == "cpu":
            return [_CPU]
        if device == "auto":
            return [one for one in (_CUDA, _CPU) if one in available]  # other providers are no devices of this machine
        if _CUDA not in available:
            raise OptionsError(
                f"device '{device}': this onnxruntime has no CUDA ({', '.join(available)}). "
                "Use 'auto' or 'cpu', or install onnxruntime-gpu in its place."
            )
        return [(_CUDA, {"device_id": int(device.partition(":")[2] or 0)}), _CPU]


def runs_on_cuda(session: Any) -> bool:
    """Return whether a session of ONNX Runtime runs on a GPU.

    Args:
        session: an open session.
    """
    return _CUDA in session.get_providers()


def load_onnxruntime(what: str) -> OnnxRuntime:
    """Import ONNX Runtime.

    Args:
        what: what needs it, for the message: "This model".

    Raises:
        OptionsError: if it cannot be imported.
    """
    try:
        import onnxruntime  # noqa: PLC0415 (slow to import)
        from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415
    except ImportError as error:
        raise OptionsError(
            f"{what} needs onnxruntime, which cannot be imported ({error}). Install it: {install_command('onnxruntime')}"
        ) from error
    errors = tuple(item for item in vars(state).values() if isinstance(item, type) and issubclass(item, Exception))
    return OnnxRuntime(onnxruntime, errors)

"""Weights of a model folder: names, shapes and types are checked before memory is allocated, values after loading."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from posescope.artifacts.description import DESCRIPTION, ModelFolderError

__all__ = ["check_tensor_specs", "load_weights", "read_tensor_specs", "read_weights"]

log = logging.getLogger(__name__)

# Larger weights overflow float32 within a few layers. Trained weights are below 1e3, variances below 1e8. Variances, the squares
# of activations, may reach the square: activations are divided by their root. A few steps of RMSProp reached 3e12.
LARGEST_VALUE = 1e12
_SHOWN = 5
_TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16",
    "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


def read_tensor_specs(path: Path) -> dict[str, str]:
    """Return type and shape of all tensors of a safetensors file, such as `float32 (8, 3)`; only its header is read.

    Raises:
        ModelFolderError: if it is not a safetensors file, or truncated.
    """
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (no dictionary)
            kinds = {name: one.get_dtype() for name, one in slices.items()}
            return {name: f"{_TYPES.get(kind, kind)} {tuple(slices[name].get_shape())}" for name, kind in kinds.items()}
    except (SafetensorError, OSError) as error:
        raise ModelFolderError(f"{path}: not a safetensors file ({error}).") from error


def check_tensor_specs(build: Callable[[], nn.Module], path: Path) -> None:
    """Compare a network with a file of weights without allocating memory.

    Args:
        build: Builds the network; called on torch's device `meta`, where tensors have no memory.
        path: The safetensors file.

    Raises:
        ModelFolderError: if a tensor is missing, unknown, or of another shape or type.
    """
    found = read_tensor_specs(path)
    try:
        with torch.device("meta"):
            network = build()
    except (NotImplementedError, RuntimeError) as error:  # it reads values of its weights while it is built
        log.debug("The network cannot be built on the device meta (%s); its weights are checked after it is built.", error)
        return
    _compare(_specs_of(network.state_dict()), found, path)


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a file of weights into a network.

    Args:
        network: The network.
        path: The safetensors file.

    Raises:
        ModelFolderError: if a tensor is missing, unknown, of another shape or type, NaN, infinite or huge, or if a variance or a
            count is negative.
    """
    weights = _read_tensors(path)
    _compare(_specs_of(network.state_dict()), _specs_of(weights), path)
    _check_values(weights, path)
    network.load_state_dict(weights)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file of weights by name.

    Raises:
        ModelFolderError: if it is not a safetensors file, or a value is NaN, infinite or huge, or a variance or a count negative.
    """
    weights = _read_tensors(path)
    _check_values(weights, path)
    return weights


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise ModelFolderError(f"{path}: not a safetensors file ({error}).") from error


def _check_values(weights: Mapping[str, Tensor], path: Path) -> None:
    faults = [f"{name}: {fault}" for name, value in weights.items() if (fault := _fault_of(name, value))]
    if faults:
        raise ModelFolderError(f"{path}: invalid values: {_first(faults)}. Train or download the model again.")


def _specs_of(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    return {name: f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}" for name, value in tensors.items()}


def _compare(expected: Mapping[str, str], found: Mapping[str, str], path: Path) -> None:
    absent = [f"{name} is missing" for name in expected if name not in found]
    surplus = [f"{name} is unknown" for name in found if name not in expected]
    other = [f"{name}: expected {spec}, found {found[name]}" for name, spec in expected.items() if found.get(name, spec) != spec]
    if differences := absent + surplus + other:
        raise ModelFolderError(f"{path}: the weights do not match the architecture in {DESCRIPTION}: {_first(differences)}.")


def _fault_of(name: str, value: Tensor) -> str:
    """Return what is wrong with the values of a tensor, '' if nothing is."""
    if not value.numel():
        return ""
    if value.dtype.is_floating_point:
        low, high = (float(bound) for bound in value.aminmax())
        if not torch.isfinite(torch.tensor([low, high])).all():  # aminmax propagates NaN
            return "holds NaN or infinite numbers"
        largest = LARGEST_VALUE**2 if name.endswith("running_var") else LARGEST_VALUE
        if max(-low, high) > largest:
            return f"holds {low if -low > high else high:.3g}, expected at most {largest:.0e} in size"
    else:
        low = float(value.min())
    if name.endswith(("running_var", "num_batches_tracked")) and low < 0:
        return f"holds {low:.3g}, expected at least 0"
    return ""


def _first(lines: list[str]) -> str:
    return "; ".join(lines[:_SHOWN]) + ("; ..." if len(lines) > _SHOWN else "")

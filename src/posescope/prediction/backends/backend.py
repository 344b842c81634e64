"""What a backend is, and which one runs a model folder."""

from collections.abc import Collection
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from posescope.artifacts.description import DESCRIPTION, ModelDescription, ModelFolderError
from posescope.artifacts.exported_model import NETWORK
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, StoredComponent, build, describe_validation_error, trust_component
from posescope.core.records import CropJoints

__all__ = ["Backend", "find_backend", "open_backend"]

_AUTO, _TORCH = "auto", "torch"


class Backend(Protocol):
    """Runs a network and its decoder.

    Attributes:
        name: of the component, such as `torch` or `onnx`.
    """

    name: str

    def run(self, crops: NDArray[np.uint8], flip_test: bool = False) -> CropJoints:
        """Return joints and scores of N crops.

        Args:
            crops: (N, H, W, 3) uint8 RGB.
            flip_test: whether heatmaps are averaged with those of the mirrored crops.
        """
        ...


def open_backend(
    description: ModelDescription,
    name: str = _AUTO,
    *,
    device: str = "auto",
    threads: int = 0,
    allow: Collection[str] = (),
) -> Backend:
    """Open a model folder by the backend of this name.

    Args:
        description: description of the folder.
        name: a component of posescope.backends (`torch`, `onnx`, `openvino`), or `auto`: the backend of the format to which the
            model was exported, PyTorch if it was not.
        device: `auto`, `cpu`, `cuda` or `cuda:<index>`.
        threads: number of threads of an exported model; 0: one per CPU of this process.
        allow: dotted paths (`package.module:Class`) of plug-in components that the model folder may name.

    Raises:
        ModelFolderError: if the folder holds no such model, or it cannot be read.
        OptionsError: if there is no such backend or device, or a package is not installed.
    """
    opened: Backend = build("backends", find_backend(description, name, allow))(
        description, device=device, threads=threads, allow=allow
    )
    return opened


def find_backend(description: ModelDescription, name: str = _AUTO, allow: Collection[str] = ()) -> ComponentSpec:
    """Return the backend that runs a model folder.

    Args:
        description, name, allow: see `open_backend`.

    Raises:
        ModelFolderError: if the folder names a backend that is not installed, or holds no exported model for this one.
    """
    folder, own = description.folder, _own_backend(description, allow)
    if name in (_AUTO, own.name):
        return own
    if own.name == _TORCH:
        raise ModelFolderError(f"{folder}: this model is not exported; posescope export --model {folder} --out <folder>.")
    return ComponentSpec(name=name)


def _own_backend(description: ModelDescription, allow: Collection[str]) -> ComponentSpec:
    stored: Any = description.export.get("backend")
    if stored is None:
        # The graphs lie in the folder, but the description does not list them: the backend names what is missing.
        return ComponentSpec(name="onnx" if (description.folder / NETWORK).is_file() else _TORCH)
    try:
        return trust_component("backends", StoredComponent.model_validate(stored), allow)
    except ValidationError as error:
        faults = "; ".join(describe_validation_error(error))
        raise ModelFolderError(
            f"{description.folder / DESCRIPTION}: export.backend: {faults}. Export the model again."
        ) from error
    except OptionsError as error:
        raise ModelFolderError(f"{description.folder / DESCRIPTION}: export.backend: {error}") from error

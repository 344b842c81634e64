"""The weights of a model folder by name, read without its network: no component that the folder names is imported."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from posescope.artifacts.description import ModelDescription, check_file, model_fingerprint, read_description
from posescope.artifacts.model_folder import WEIGHTS
from posescope.artifacts.weights import read_weights

__all__ = ["StoredModel", "read_stored_model"]


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A model folder with its weights.

    Attributes:
        description: content of `model.json`.
        fingerprint: fingerprint of the model.
        weights: tensors by name, on the CPU.
    """

    description: ModelDescription
    fingerprint: str
    weights: Mapping[str, Tensor]


def read_stored_model(folder: Path) -> StoredModel:
    """Read and check the description and the weights of a model folder.

    Raises:
        ModelFolderError: if a file is missing, damaged or malformed, or a weight is NaN, infinite or huge.
    """
    about = read_description(folder)
    check_file(folder / WEIGHTS, about.weights_sha256)
    return StoredModel(about, model_fingerprint(folder), read_weights(folder / WEIGHTS))

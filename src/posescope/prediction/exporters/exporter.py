"""What an exporter gets and returns."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from posescope.artifacts.onnx_export import ExportCheck
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.paired_comparison import PairedMetric

__all__ = ["ExportData", "ExportReport", "Exporter", "LabelledCrops", "Radii"]

# What became of the calibrated radii of the original.
Radii: TypeAlias = Literal["none", "copied", "calibrated again", "left out"]


@dataclass(frozen=True, eq=False)
class LabelledCrops:
    """Persons of a split.

    Attributes:
        crops: crops and joints of N persons, as the model takes them.
        photographs: (N,) int64, a number for the photograph of each.
    """

    crops: CropSet
    photographs: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ExportData:
    """Crops on which an export is made and verified.

    Attributes:
        examples: (n, H, W, 3) uint8 RGB, n > 0, compared with PyTorch.
        origin: what the examples are, for messages.
        data: fingerprint of the data of the splits; '' without them.
        train, validation, calibration: persons of the splits of the data on which the model was trained; None: not at hand.
    """

    examples: NDArray[np.uint8]
    origin: str
    data: str = ""
    train: LabelledCrops | None = None
    validation: LabelledCrops | None = None
    calibration: LabelledCrops | None = None


@dataclass(frozen=True)
class ExportReport:
    """The result of an export.

    Attributes:
        folder: the folder that was written.
        format: name of the exporter.
        precision: of the network: `float32`, `bfloat16` or `int8`.
        check: largest differences from PyTorch.
        accuracy: PCK of the float32 model (a) and of the exported one (b) on the validation persons; None: not measured.
        radii: what became of the calibrated radii.
    """

    folder: Path
    format: str
    precision: str
    check: ExportCheck
    accuracy: PairedMetric | None
    radii: Radii

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        accuracy = None if self.accuracy is None else self.accuracy.to_dict()
        return {**self.__dict__, "folder": str(self.folder), "check": dict(self.check.__dict__), "accuracy": accuracy}


class Exporter(Protocol):
    """A component of posescope.exporters."""

    def __call__(self, source: Path, destination: Path, data: ExportData, allow: Collection[str] = ()) -> ExportReport:
        """Write a folder that a component of posescope.backends can run, and verify it.

        Args:
            source: a model folder.
            destination: the folder to write; only an earlier export is replaced.
            data: crops on which the export is made and verified.
            allow: dotted paths of components that the model folder may name.

        Raises:
            DataError: if the predictions differ from those of PyTorch by more than the tolerance of the format.
        """
        ...

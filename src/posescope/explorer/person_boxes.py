"""Boxes of the persons in a new photograph: by the detector that the run is configured with, or the whole photograph.

The newest record of a run states its parameter `inference.detector`. A detector that needs no network (`full_image`), one that
reads a file (`boxes_file`), and one that fails give the whole photograph as the box of one person; `note` states the reason.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from posescope.core.errors import PosescopeError
from posescope.core.files import read_json
from posescope.core.plugins import StoredComponent, build, trust_component
from posescope.prediction.detectors.detector import Detections, Detector
from posescope.prediction.poses import ImageInfo

__all__ = ["FoundBoxes", "PersonFinder", "find_configured_detector"]

_WHOLE = "The whole photograph is the box of one person; draw a box around a person for a better result."
_NAME = "photograph"
_NO_DETECTOR = "The run has no detector (inference.detector: full_image). "
_READS_FILE = "The run's detector, boxes_file, knows the boxes of its own images only. "


@dataclass(frozen=True, eq=False)
class FoundBoxes:
    """Boxes of the persons in one photograph.

    Attributes:
        boxes: (n, 4) float64 x, y, w, h px, the highest score first; the photograph's left and upper edges are 0. At least one.
        scores: (n,) float64, 0..1.
        is_detected: whether a detector found them; otherwise the one box is the whole photograph.
        note: sentences on where the boxes come from.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    is_detected: bool
    note: str


@dataclass(frozen=True)
class PersonFinder:
    """Finds the persons in photographs.

    Attributes:
        detector: the detector; None: each photograph is one box.
        name: name of the detector.
        reason: why there is no detector, as a sentence with a space at its end; empty if there is one.
    """

    detector: Detector | None = None
    name: str = ""
    reason: str = _NO_DETECTOR

    def find(self, image: NDArray[np.uint8]) -> FoundBoxes:
        """Return the boxes of the persons in a photograph.

        Args:
            image: (H, W, 3) uint8 RGB, upright.
        """
        if self.detector is None:
            return _whole(image, self.reason)
        info = ImageInfo(_NAME, 0, (image.shape[0], image.shape[1]))
        try:
            persons = [one for one in self.detector(image, info, Detections(Path())) if one.is_in_image]
        except PosescopeError as error:
            return _whole(image, f"The detector {self.name} failed: {' '.join(str(error).split())} ")
        if not persons:
            return _whole(image, f"The detector {self.name} found no person. ")
        persons.sort(key=lambda one: -one.score)
        boxes = np.array([one.box for one in persons], dtype=np.float64)
        boxes[:, :2] += 0.5
        note = f"The detector {self.name} found {len(persons)} {'person' if len(persons) == 1 else 'persons'}."
        return FoundBoxes(boxes, np.array([one.score for one in persons], dtype=np.float64), is_detected=True, note=note)


def find_configured_detector(data_dir: Path, allow: Collection[str] = ()) -> PersonFinder:
    """Return the detector of the newest run below a data_dir.

    Args:
        data_dir: folder of the run; without records of runs there is no detector.
        allow: dotted paths that the record may name.
    """
    records = sorted(data_dir.glob("08_reporting/runs/*/run.json"))  # ids are times
    if not records:
        return PersonFinder()
    try:
        stored = StoredComponent.model_validate(_detector_of(read_json(records[-1])))
        if stored.name == "full_image":
            return PersonFinder()
        if stored.name == "boxes_file":
            return PersonFinder(reason=_READS_FILE)
        detector: Detector = build("detectors", trust_component("detectors", stored, allow))
    except (PosescopeError, ValidationError) as error:
        return PersonFinder(reason=f"The run's detector cannot be used: {' '.join(str(error).split())} ")
    return PersonFinder(detector, stored.name, "")


def _detector_of(record: Any) -> Any:
    """Return the parameter `inference.detector` of a record; `full_image` if it has none."""
    content = record
    for key in ("parameters", "inference", "detector"):
        content = content.get(key) if isinstance(content, Mapping) else None
    return {"name": "full_image"} if content is None else content


def _whole(image: NDArray[np.uint8], reason: str) -> FoundBoxes:
    box = np.array([[0.0, 0.0, image.shape[1], image.shape[0]]])
    return FoundBoxes(box, np.ones(1), is_detected=False, note=f"{reason}{_WHOLE}")

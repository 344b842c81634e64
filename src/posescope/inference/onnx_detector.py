"""The detector `onnx`: people found by a network in ONNX, of the YOLOX kind say, that somebody brings along.

picture -> letterbox -> network -> boxes of one class, above a score -> without overlaps -> image px
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.errors import DataError, OptionsError
from posescope.geometry.letterbox import Letterbox, fit_letterbox
from posescope.inference.detector_outputs import READERS, Candidates, DetectorOutputError, Wanted, suppress_overlaps
from posescope.inference.detectors import Detections
from posescope.inference.onnx_network import OnnxNetwork, open_network
from posescope.inference.records import DetectedPerson, ImageInfo
from posescope.paths import LocalFile
from posescope.plugins import Options

__all__ = ["OnnxDetector", "OnnxDetectorOptions"]

FILLING = 114  # the grey with which these networks were trained
_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)

OutputKind = Literal["yolox", "yolox_decoded", "yolov8", "boxes_scores_labels"]
Pixels = Literal["bgr_255", "rgb_1", "rgb_imagenet"]


@dataclass(frozen=True)
class _Habits:
    """What goes with a kind of output: how pixels are given, where the picture lies, whether boxes may overlap."""

    pixels: Pixels
    centred: bool
    overlaps: bool


_HABITS: dict[OutputKind, _Habits] = {
    "yolox": _Habits("bgr_255", centred=False, overlaps=True),
    "yolox_decoded": _Habits("bgr_255", centred=False, overlaps=True),
    "yolov8": _Habits("rgb_1", centred=True, overlaps=True),
    "boxes_scores_labels": _Habits("rgb_1", centred=False, overlaps=False),
}


class OnnxDetectorOptions(Options):
    """Options of `onnx`."""

    path: LocalFile = Field(Path("detector.onnx"), description="the network, an ONNX file")
    output: OutputKind = Field("yolox", description="the form of its answer (see inference/detector_outputs.py)")
    person_class: int = Field(0, ge=0, description="the number of its class of people: 0 in YOLOX's COCO, 1 in torchvision's")
    min_score: float = Field(0.3, ge=0, le=1, description="people with a lower score are left out")
    max_overlap: float = Field(
        0.45, ge=0, le=1, description="intersection over union from which two boxes are one person; not for boxes_scores_labels"
    )
    pixels: Pixels | None = Field(
        None, description="colours as 0..255 or 0..1, or without ImageNet's mean; null: bgr_255 for yolox, rgb_1 otherwise"
    )
    input_size: tuple[int, int] | None = Field(
        None, description="(height, width) px of the input, where the network leaves it open; null: the network's own"
    )


class OnnxDetector:
    """People found by a network. It is loaded at the first image, and kept."""

    Options = OnnxDetectorOptions

    def __init__(self, options: OnnxDetectorOptions) -> None:
        self.options = options
        self._network: OnnxNetwork | None = None

    def __call__(self, image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        """The best first; boxes end where the image ends.

        Raises:
            OptionsError: if onnxruntime is not installed, or `input_size` is missing or another than the network's.
            DataError: if the file is missing, no network for pictures, or answers in another form than `output` says.
        """
        if self._network is None:
            self._network = open_network(self.options.path)
        habits = _HABITS[self.options.output]
        box = fit_letterbox(info.size, _input_size(self._network, info.size, self.options), habits.centred)
        outputs = self._network.run(_prepare(image, box, self.options.pixels or habits.pixels))
        found = _read(outputs, box, self.options)
        best = suppress_overlaps(found, self.options.max_overlap if habits.overlaps else 1.0)
        boxes = box.boxes_in_image(best.corners)
        return [
            DetectedPerson(info, (float(x), float(y), float(width), float(height)), float(score))
            for (x, y, width, height), score in zip(boxes, best.scores, strict=True)
            if width > 0 and height > 0
        ]


def _input_size(network: OnnxNetwork, image_size: tuple[int, int], options: OnnxDetectorOptions) -> tuple[int, int]:
    wanted, own = options.input_size, network.input_size
    if wanted is not None and own is not None and wanted != own:
        raise OptionsError(f"{network.path}: its input is {own} px (height, width); the option input_size says {wanted}.")
    if wanted is None and own is None and options.output != "boxes_scores_labels":
        raise OptionsError(f"{network.path}: it takes pictures of any size; the option input_size must name one, [640, 640] say.")
    return wanted or own or image_size  # torchvision's scale pictures by themselves


def _prepare(image: NDArray[np.uint8], box: Letterbox, pixels: Pixels) -> NDArray[np.float32]:
    """(3, H, W) float32, as the network wants it."""
    canvas = np.full((*box.input_size, 3), FILLING, dtype=np.uint8)
    (height, width), (left, top) = box.resized, box.corner
    canvas[top : top + height, left : left + width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    values = (canvas[..., ::-1] if pixels == "bgr_255" else canvas).astype(np.float32)
    if pixels != "bgr_255":
        values /= 255
    if pixels == "rgb_imagenet":
        values = (values - _IMAGENET_MEAN) / _IMAGENET_STD
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def _read(outputs: list[NDArray[np.generic]], box: Letterbox, options: OnnxDetectorOptions) -> Candidates:
    try:
        found = READERS[options.output](outputs, Wanted(box.input_size, options.person_class, options.min_score))
    except DetectorOutputError as error:
        raise DataError(f"{options.path}: it does not answer in the form `{options.output}`: {error}.") from error
    sizes = found.corners[:, 2:] - found.corners[:, :2]
    return found.take(np.flatnonzero(np.isfinite(sizes).all(axis=1) & (sizes > 0).all(axis=1)))

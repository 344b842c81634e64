"""A foreign network in ONNX that takes one picture at a time, run by onnxruntime (extra `onnx`), without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.artifacts.onnx_runtime import load_onnxruntime
from posescope.core.errors import DataError, OptionsError
from posescope.core.paths import LocalFile
from posescope.core.plugins import Options
from posescope.geometry.letterbox import Letterbox, fit_letterbox
from posescope.prediction.detectors.detector import Detections
from posescope.prediction.detectors.detector_outputs import (
    OUTPUT_DECODERS,
    Candidates,
    DetectorOutputError,
    OutputLayout,
    suppress_overlaps,
)
from posescope.prediction.poses import DetectedPerson, ImageInfo

__all__ = ["OnnxNetwork", "open_network", "OnnxDetector", "OnnxDetectorOptions"]

_TYPES: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


@dataclass(frozen=True)
class OnnxNetwork:
    """A session that is open.

    Attributes:
        path: of the file.
        input_size: (height, width) px; none where any will do.
        batched: whether pictures come as (1, 3, H, W); otherwise as (3, H, W).
        dtype: of the pictures.
        session: onnxruntime's.
        errors: what it may raise.
    """

    path: Path
    input_size: tuple[int, int] | None
    batched: bool
    dtype: type[np.floating[Any]]
    session: Any
    errors: tuple[type[Exception], ...]

    def run(self, picture: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        """Every output for one picture, (3, H, W).

        Raises:
            DataError: if the network fails, at this size say.
        """
        tensor = picture.astype(self.dtype, copy=False)
        name = self.session.get_inputs()[0].name
        try:
            return list(self.session.run(None, {name: tensor[None] if self.batched else tensor}))
        except self.errors as error:
            raise DataError(f"{self.path}: the network fails for a picture of {tensor.shape[1:]} px: {error}") from error


def open_network(path: Path) -> OnnxNetwork:
    """Load a network and check that it takes pictures.

    Raises:
        OptionsError: if onnxruntime is not installed.
        DataError: if the file is missing, is no ONNX, or wants something else than one RGB picture; tells what.
    """
    runtime = load_onnxruntime("The detector onnx")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file. The detector's option `path` names a network in ONNX.")
    try:
        session = runtime.open(path)
    except runtime.errors as error:
        raise DataError(f"{path}: onnxruntime cannot load it as a network: {error}") from error
    inputs = session.get_inputs()
    shape, kind = list(inputs[0].shape), inputs[0].type
    if len(inputs) != 1 or not _takes_a_picture(shape) or kind not in _TYPES:
        found = "; ".join(f"{one.name}: {one.type} {one.shape}" for one in inputs)
        raise DataError(
            f"{path}: expected one input, a picture of shape (1, 3, height, width) or (3, height, width) in float32 or float16; "
            f"found {found}."
        )
    height, width = shape[-2:]
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    return OnnxNetwork(path, size, len(shape) == 4, _TYPES[kind], session, runtime.errors)


def _takes_a_picture(shape: Sequence[Any]) -> bool:
    """A side that is no number is of any length."""
    expected = (1, 3, None, None)[-len(shape) :] if len(shape) in (3, 4) else ()
    return bool(expected) and all(
        want is None or not isinstance(side, int) or side == want for side, want in zip(shape, expected, strict=True)
    )


# MERGED from onnx_detector: The detector `onnx`: people found by a network in ONNX, of the YOLOX kind say, that somebody
# brings along.
#
# picture -> letterbox -> network -> boxes of one class, above a score -> without overlaps -> image px

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
    output: OutputKind = Field("yolox", description="the form of its answer (see prediction/detectors/detector_outputs.py)")
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
        found = OUTPUT_DECODERS[options.output](outputs, OutputLayout(box.input_size, options.person_class, options.min_score))
    except DetectorOutputError as error:
        raise DataError(f"{options.path}: it does not answer in the form `{options.output}`: {error}.") from error
    sizes = found.corners[:, 2:] - found.corners[:, :2]
    return found.take(np.flatnonzero(np.isfinite(sizes).all(axis=1) & (sizes > 0).all(axis=1)))

"""The detector `onnx`: persons detected by an ONNX network, such as YOLOX, run by ONNX Runtime (extra `onnx`) without PyTorch.

image -> letterbox -> network -> boxes of one class above a score -> non-maximum suppression -> image px
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.artifacts.onnx_runtime import OnnxNetwork, load_onnxruntime
from posescope.core.errors import DataError, OptionsError
from posescope.core.paths import LocalFile
from posescope.core.plugins import Component, Options
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

__all__ = ["OnnxDetector", "OnnxDetectorOptions"]

FILL_VALUE = 114  # the grey with which these networks are trained
_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
_DTYPES: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}

OutputKind = Literal["yolox", "yolox_decoded", "yolov8", "boxes_scores_labels"]
Pixels = Literal["bgr_255", "rgb_1", "rgb_imagenet"]


@dataclass(frozen=True)
class _Convention:
    """Pixel format, position of the image in the input, and whether boxes of one person overlap."""

    pixels: Pixels
    centred: bool
    overlaps: bool


_CONVENTIONS: dict[OutputKind, _Convention] = {
    "yolox": _Convention("bgr_255", centred=False, overlaps=True),
    "yolox_decoded": _Convention("bgr_255", centred=False, overlaps=True),
    "yolov8": _Convention("rgb_1", centred=True, overlaps=True),
    "boxes_scores_labels": _Convention("rgb_1", centred=False, overlaps=False),
}


class OnnxDetectorOptions(Options):
    """Options of `onnx`."""

    path: LocalFile = Field(Path("detector.onnx"), description="the ONNX file of the network")
    output: OutputKind = Field("yolox", description="format of its output (see prediction/detectors/detector_outputs.py)")
    person_class: int = Field(0, ge=0, description="index of its class of persons: 0 in YOLOX's COCO, 1 in torchvision's")
    min_score: float = Field(0.3, ge=0, le=1, description="persons with a lower score are ignored")
    max_overlap: float = Field(
        0.45,
        ge=0,
        le=1,
        description="largest intersection over union of two persons; not for boxes_scores_labels",
    )
    max_persons: int = Field(
        100, ge=1, le=10_000, description="at most as many persons of an image, those with the highest scores"
    )
    min_side_px: float = Field(
        0.0, ge=0, le=10_000, description="persons whose box has a shorter longer side are ignored, px of the image"
    )
    pixels: Pixels | None = Field(
        None, description="pixel format: 0..255, 0..1, or normalised by ImageNet's mean; null: bgr_255 for yolox, else rgb_1"
    )
    input_size: tuple[int, int] | None = Field(
        None, description="(height, width) px of the input, if the network does not fix it; null: the network's own"
    )


class OnnxDetector(Component[OnnxDetectorOptions]):
    """Persons detected by a network, which is loaded at the first image and kept."""

    def __init__(self, options: OnnxDetectorOptions) -> None:
        super().__init__(options)
        self._network: _Network | None = None

    def __call__(self, image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        """Return the persons, the highest score first; boxes are clipped to the image.

        Raises:
            OptionsError: if onnxruntime is not installed, or `input_size` is missing or differs from the network's.
            DataError: if the file is missing, no network for images, or its output is not in the format of `output`.
        """
        if self._network is None:
            self._network = _open_network(self.options.path)
        convention = _CONVENTIONS[self.options.output]
        box = fit_letterbox(info.size, _input_size(self._network, info.size, self.options), convention.centred)
        outputs = self._network.run(_prepare(image, box, self.options.pixels or convention.pixels))
        found = _decode(outputs, box, self.options)
        best = suppress_overlaps(found, self.options.max_overlap if convention.overlaps else 1.0)
        boxes = box.boxes_in_image(best.corners)
        persons = [
            DetectedPerson(info, (float(x), float(y), float(width), float(height)), float(score))
            for (x, y, width, height), score in zip(boxes, best.scores, strict=True)
            if width > 0 and height > 0 and max(width, height) >= self.options.min_side_px
        ]
        return persons[: self.options.max_persons]


@dataclass(frozen=True)
class _Network:
    """An open network that takes one image at a time.

    Attributes:
        network: the network.
        input_size: (height, width) px; None if any size will do.
        is_batched: whether its input is (1, 3, H, W) instead of (3, H, W).
        dtype: data type of its input.
    """

    network: OnnxNetwork
    input_size: tuple[int, int] | None
    is_batched: bool
    dtype: type[np.floating[Any]]

    def run(self, image: NDArray[np.float32]) -> list[NDArray[np.generic]]:
        """Return all outputs for one image, (3, H, W).

        Raises:
            DataError: if the network fails, for instance at this size.
        """
        tensor = image.astype(self.dtype, copy=False)
        return self.network.run(tensor[None] if self.is_batched else tensor)


def _open_network(path: Path) -> _Network:
    """Load a network and check that its input is an image.

    Raises:
        OptionsError: if onnxruntime is not installed.
        DataError: if the file is missing, is no ONNX file, or has another input than one RGB image.
    """
    network = load_onnxruntime("The detector onnx").open_network(path, "Set the detector's option `path` to an ONNX network.")
    shape = network.input_shape
    if not _is_image_input(shape) or network.input_type not in _DTYPES:
        raise DataError(
            f"{path}: expected one input, an image of shape (1, 3, height, width) or (3, height, width) in float32 or float16; "
            f"found {network.describe_inputs()}."
        )
    height, width = shape[-2:]
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    return _Network(network, size, len(shape) == 4, _DTYPES[network.input_type])


def _is_image_input(shape: Sequence[Any]) -> bool:
    """Return True for an image shape; a side that is no number may have any length."""
    expected = (1, 3)[-len(shape) + 2 :]
    return len(shape) in (3, 4) and all(
        not isinstance(side, int) or side == want for side, want in zip(shape[:-2], expected, strict=True)
    )


def _input_size(network: _Network, image_size: tuple[int, int], options: OnnxDetectorOptions) -> tuple[int, int]:
    wanted, own, path = options.input_size, network.input_size, network.network.path
    if wanted is not None and own is not None and wanted != own:
        raise OptionsError(f"{path}: expected input_size {own} px (height, width) as in the network, found {wanted}.")
    if wanted is None and own is None and options.output != "boxes_scores_labels":
        raise OptionsError(f"{path}: its input has no fixed size: set the option input_size, for instance to [640, 640].")
    return wanted or own or image_size  # torchvision's networks resize images themselves


def _prepare(image: NDArray[np.uint8], box: Letterbox, pixels: Pixels) -> NDArray[np.float32]:
    """Return the network's input, (3, H, W) float32."""
    canvas = np.full((*box.input_size, 3), FILL_VALUE, dtype=np.uint8)
    (height, width), (left, top) = box.resized, box.corner
    canvas[top : top + height, left : left + width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    values = (canvas[..., ::-1] if pixels == "bgr_255" else canvas).astype(np.float32)
    if pixels != "bgr_255":
        values /= 255
    if pixels == "rgb_imagenet":
        values = (values - _IMAGENET_MEAN) / _IMAGENET_STD
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def _decode(outputs: list[NDArray[np.generic]], box: Letterbox, options: OnnxDetectorOptions) -> Candidates:
    try:
        found = OUTPUT_DECODERS[options.output](outputs, OutputLayout(box.input_size, options.person_class, options.min_score))
    except DetectorOutputError as error:
        raise DataError(f"{options.path}: its output is not in the format `{options.output}`: {error}.") from error
    sizes = found.corners[:, 2:] - found.corners[:, :2]
    return found.take(np.flatnonzero(np.isfinite(sizes).all(axis=1) & (sizes > 0).all(axis=1)))

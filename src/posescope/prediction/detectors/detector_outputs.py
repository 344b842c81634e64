"""Decoders of detection networks' outputs: boxes of one class with scores.

    yolox               (1, N, 5 + C)  x, y, log w, log h in the cells of three grids; objectness; C classes
    yolox_decoded       (1, N, 5 + C)  centre x, y, w, h in input px; objectness; C classes
    yolov8              (1, 4 + C, N)  centre x, y, w, h in input px; C classes
    boxes_scores_labels three arrays   x0, y0, x1, y1 in input px; scores; class indices

The grids of `yolox` have a cell for every 8, 16 and 32 px and follow one another, row by row. Sources: YOLOX (Ge et al. 2021) and
its ONNX export, with and without `--decode_in_inference`; the ONNX export of YOLOv8; torchvision's detectors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError

__all__ = ["OUTPUT_DECODERS", "Candidates", "DetectorOutputError", "OutputLayout", "suppress_overlaps"]

STRIDES_PX = (8, 16, 32)
Arrays = Sequence[NDArray[np.generic]]


class DetectorOutputError(DataError):
    """The output of a network is not in the expected format."""


@dataclass(frozen=True)
class OutputLayout:
    """What the decoders need to know. Attributes: input_size: (height, width) px; person: index of the class; min_score: 0..1."""

    input_size: tuple[int, int]
    person: int
    min_score: float


@dataclass(frozen=True)
class Candidates:
    """Candidate boxes of a network.

    Attributes:
        corners: (N, 4) float64 x0, y0, x1, y1: edges in input px.
        scores: (N,) float64, 0..1.
    """

    corners: NDArray[np.float64]
    scores: NDArray[np.float64]

    def take(self, rows: NDArray[np.generic]) -> "Candidates":
        """Return the candidates at rows (indices or a mask)."""
        return Candidates(self.corners[rows], self.scores[rows])


def _yolox(outputs: Arrays, layout: OutputLayout) -> Candidates:
    """Decode grid offsets and logarithms of sizes."""
    cells = _cells(layout.input_size)
    rows = _one_table(outputs, 5 + layout.person, f"output of shape (1, {len(cells)}, 5 + classes)", len(cells))
    scores = _probabilities(rows[:, 4]) * _probabilities(rows[:, 5 + layout.person])
    valid = scores >= layout.min_score
    stride = cells[valid, 2:]
    centres, sizes = (rows[valid, :2] + cells[valid, :2]) * stride, np.exp(rows[valid, 2:4]) * stride
    return _from_centres(centres, sizes, scores[valid])


def _yolox_decoded(outputs: Arrays, layout: OutputLayout) -> Candidates:
    """Decode centres and sizes in input px."""
    rows = _one_table(outputs, 5 + layout.person, "output of shape (1, boxes, 5 + classes)")
    scores = _probabilities(rows[:, 4]) * _probabilities(rows[:, 5 + layout.person])
    valid = scores >= layout.min_score
    return _from_centres(rows[valid, :2], rows[valid, 2:4], scores[valid])


def _yolov8(outputs: Arrays, layout: OutputLayout) -> Candidates:
    """Decode centres and sizes without objectness; a column per box."""
    # There are more boxes than classes: with more rows than columns it is a row per box, as in YOLOX.
    turned = [one.transpose(0, 2, 1) for one in outputs if one.ndim == 3 and one.shape[2] >= one.shape[1]]
    rows = _one_table(turned, 4 + layout.person, "output of shape (1, 4 + classes, boxes)", found=outputs)
    scores = _probabilities(rows[:, 4 + layout.person])
    valid = scores >= layout.min_score
    return _from_centres(rows[valid, :2], rows[valid, 2:4], scores[valid])


def _boxes_scores_labels(outputs: Arrays, layout: OutputLayout) -> Candidates:
    """Decode three arrays: the one of integers has the classes, the one of four columns the boxes."""
    batched = any(output.ndim == 3 and output.shape[0] == 1 and output.shape[2] == 4 for output in outputs)
    flat = [output[0] if batched and output.ndim > 1 and output.shape[0] == 1 else output for output in outputs]
    boxes = [output for output in flat if output.ndim == 2 and output.shape[1] == 4]
    labels = [output for output in flat if output.ndim == 1 and output.dtype.kind in "iu"]
    scores = [output for output in flat if output.ndim == 1 and output.dtype.kind == "f"]
    lengths = {len(output) for output in (*boxes, *labels, *scores)}
    if not (len(boxes) == len(labels) == len(scores) == 1 and len(lengths) == 1):
        raise _format_error("boxes (N, 4), scores (N,) and whole labels (N,)", outputs)
    likely = _probabilities(scores[0].astype(np.float64))
    valid = (labels[0] == layout.person) & (likely >= layout.min_score)
    return Candidates(boxes[0][valid].astype(np.float64), likely[valid])


Reader = Callable[[Arrays, OutputLayout], Candidates]
OUTPUT_DECODERS: Mapping[str, Reader] = {
    "yolox": _yolox,
    "yolox_decoded": _yolox_decoded,
    "yolov8": _yolov8,
    "boxes_scores_labels": _boxes_scores_labels,
}


def suppress_overlaps(found: Candidates, max_overlap: float) -> Candidates:
    """Return the candidates after OpenCV's non-maximum suppression, the highest score first; of equal scores the first stays.

    Args:
        found: the candidates.
        max_overlap: largest intersection over union of two boxes.
    """
    low, high = found.corners[:, :2], found.corners[:, 2:]
    boxes = np.concatenate([low, high - low], axis=1)
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), found.scores.tolist(), score_threshold=0.0, nms_threshold=max_overlap)
    return found.take(np.array(kept, dtype=np.int64))


def _cells(input_size: tuple[int, int]) -> NDArray[np.float64]:
    """Return column, row and stride of every cell, (N, 3)."""
    grids = []
    for stride in STRIDES_PX:
        rows, columns = np.mgrid[: input_size[0] // stride, : input_size[1] // stride]
        grids.append(np.stack([columns, rows, np.full_like(rows, stride)], axis=-1).reshape(-1, 3))
    return np.concatenate(grids).astype(np.float64)


def _one_table(
    outputs: Arrays, person_column: int, expected: str, length: int | None = None, found: Arrays | None = None
) -> NDArray[np.float64]:
    """Return the table of the only output, (N, columns)."""
    fits = len(outputs) == 1 and outputs[0].ndim == 3 and outputs[0].shape[0] == 1 and outputs[0].shape[2] > person_column
    if not fits or (length is not None and outputs[0].shape[1] != length):
        raise _format_error(f"{expected}, the class of persons in column {person_column}", outputs if found is None else found)
    return np.asarray(outputs[0][0], dtype=np.float64)


def _probabilities(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if values.size and not (values.min() >= -1e-3 and values.max() <= 1 + 1e-3):
        raise DetectorOutputError(f"expected scores from 0 to 1, found {values.min():.3g} to {values.max():.3g}")
    return np.clip(values, 0, 1)


def _from_centres(centres: NDArray[np.float64], sizes: NDArray[np.float64], scores: NDArray[np.float64]) -> Candidates:
    return Candidates(np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1), scores)


def _format_error(expected: str, outputs: Arrays) -> DetectorOutputError:
    shapes = ", ".join(f"{output.dtype} {output.shape}" for output in outputs)
    return DetectorOutputError(f"expected {expected}, found {shapes}")

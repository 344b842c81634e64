"""What detection networks answer, as boxes of one class with scores.

    yolox               (1, N, 5 + C)  x, y, log w, log h of the cells of three grids; objectness; C classes
    yolox_decoded       (1, N, 5 + C)  centre x, y, w, h in input px; objectness; C classes
    yolov8              (1, 4 + C, N)  centre x, y, w, h in input px; C classes
    boxes_scores_labels three arrays   x0, y0, x1, y1 in input px; scores; numbers of classes

The grids of `yolox` have a cell for every 8, 16 and 32 px; they follow one another, row by row. Follows: YOLOX (Ge et al. 2021)
and the layout of its ONNX export, with and without `--decode_in_inference`; the export of YOLOv8; torchvision's detectors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError

__all__ = ["OUTPUT_DECODERS", "Candidates", "DetectorOutputError", "OutputLayout", "suppress_overlaps"]

STRIDES_PX = (8, 16, 32)
Arrays = Sequence[NDArray[np.generic]]


class DetectorOutputError(DataError):
    """A network answers in another form than it was said to."""


@dataclass(frozen=True)
class OutputLayout:
    """Attributes: input_size: (height, width) px; person: the number of the class; min_score: 0..1."""

    input_size: tuple[int, int]
    person: int
    min_score: float


@dataclass(frozen=True)
class Candidates:
    """Boxes that a network proposes.

    Attributes:
        corners: (N, 4) float64 x0, y0, x1, y1: edges in input px.
        scores: (N,) float64, 0..1.
    """

    corners: NDArray[np.float64]
    scores: NDArray[np.float64]

    def take(self, rows: NDArray[np.generic]) -> "Candidates":
        """Those of these rows (numbers, or a mask)."""
        return Candidates(self.corners[rows], self.scores[rows])


def _yolox(outputs: Arrays, wanted: OutputLayout) -> Candidates:
    """Grid offsets and logarithms of sizes, to be undone."""
    cells = _cells(wanted.input_size)
    rows = _one_table(outputs, 5 + wanted.person, f"output of shape (1, {len(cells)}, 5 + classes)", len(cells))
    scores = _probabilities(rows[:, 4]) * _probabilities(rows[:, 5 + wanted.person])
    kept = scores >= wanted.min_score
    stride = cells[kept, 2:]
    centres, sizes = (rows[kept, :2] + cells[kept, :2]) * stride, np.exp(rows[kept, 2:4]) * stride
    return _from_centres(centres, sizes, scores[kept])


def _yolox_decoded(outputs: Arrays, wanted: OutputLayout) -> Candidates:
    """Centres and sizes in input px."""
    rows = _one_table(outputs, 5 + wanted.person, "output of shape (1, boxes, 5 + classes)")
    scores = _probabilities(rows[:, 4]) * _probabilities(rows[:, 5 + wanted.person])
    kept = scores >= wanted.min_score
    return _from_centres(rows[kept, :2], rows[kept, 2:4], scores[kept])


def _yolov8(outputs: Arrays, wanted: OutputLayout) -> Candidates:
    """The same without objectness, boxes side by side."""
    # Side by side there are more boxes than classes: otherwise they stand one below the other, as YOLOX's do.
    turned = [one.transpose(0, 2, 1) for one in outputs if one.ndim == 3 and one.shape[2] >= one.shape[1]]
    rows = _one_table(turned, 4 + wanted.person, "output of shape (1, 4 + classes, boxes)", found=outputs)
    scores = _probabilities(rows[:, 4 + wanted.person])
    kept = scores >= wanted.min_score
    return _from_centres(rows[kept, :2], rows[kept, 2:4], scores[kept])


def _boxes_scores_labels(outputs: Arrays, wanted: OutputLayout) -> Candidates:
    """What has been put together in the network; whole numbers are classes, the array of four columns boxes."""
    batched = any(output.ndim == 3 and output.shape[0] == 1 and output.shape[2] == 4 for output in outputs)
    flat = [output[0] if batched and output.ndim > 1 and output.shape[0] == 1 else output for output in outputs]
    boxes = [output for output in flat if output.ndim == 2 and output.shape[1] == 4]
    labels = [output for output in flat if output.ndim == 1 and output.dtype.kind in "iu"]
    scores = [output for output in flat if output.ndim == 1 and output.dtype.kind == "f"]
    lengths = {len(output) for output in (*boxes, *labels, *scores)}
    if not (len(boxes) == len(labels) == len(scores) == 1 and len(lengths) == 1):
        raise _other_form("boxes (N, 4), scores (N,) and whole labels (N,)", outputs)
    likely = _probabilities(scores[0].astype(np.float64))
    kept = (labels[0] == wanted.person) & (likely >= wanted.min_score)
    return Candidates(boxes[0][kept].astype(np.float64), likely[kept])


Reader = Callable[[Arrays, OutputLayout], Candidates]
OUTPUT_DECODERS: Mapping[str, Reader] = {
    "yolox": _yolox,
    "yolox_decoded": _yolox_decoded,
    "yolov8": _yolov8,
    "boxes_scores_labels": _boxes_scores_labels,
}


def suppress_overlaps(found: Candidates, max_overlap: float) -> Candidates:
    """Of boxes that overlap by more than this (intersection over union), the one with the highest score; best first.

    Of equal scores the first stays.
    """
    order = np.argsort(-found.scores, kind="stable")
    low, high = found.corners[:, :2], found.corners[:, 2:]
    areas = np.prod(high - low, axis=1)
    kept: list[int] = []
    while order.size:
        best, order = int(order[0]), order[1:]
        kept.append(best)
        sides = np.minimum(high[best], high[order]) - np.maximum(low[best], low[order])
        shared = np.prod(np.clip(sides, 0, None), axis=1)
        order = order[shared <= max_overlap * (areas[best] + areas[order] - shared)]
    return found.take(np.array(kept, dtype=np.int64))


def _cells(input_size: tuple[int, int]) -> NDArray[np.float64]:
    """(N, 3): column, row and stride of every cell."""
    grids = []
    for stride in STRIDES_PX:
        rows, columns = np.mgrid[: input_size[0] // stride, : input_size[1] // stride]
        grids.append(np.stack([columns, rows, np.full_like(rows, stride)], axis=-1).reshape(-1, 3))
    return np.concatenate(grids).astype(np.float64)


def _one_table(
    outputs: Arrays, person_column: int, expected: str, length: int | None = None, found: Arrays | None = None
) -> NDArray[np.float64]:
    """The only output's only table, (N, columns), checked."""
    fits = len(outputs) == 1 and outputs[0].ndim == 3 and outputs[0].shape[0] == 1 and outputs[0].shape[2] > person_column
    if not fits or (length is not None and outputs[0].shape[1] != length):
        raise _other_form(f"{expected}, with the people's class at place {person_column}", outputs if found is None else found)
    return np.asarray(outputs[0][0], dtype=np.float64)


def _probabilities(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if values.size and not (values.min() >= -1e-3 and values.max() <= 1 + 1e-3):
        raise DetectorOutputError(f"expected scores from 0 to 1, found {values.min():.3g} to {values.max():.3g}")
    return np.clip(values, 0, 1)


def _from_centres(centres: NDArray[np.float64], sizes: NDArray[np.float64], scores: NDArray[np.float64]) -> Candidates:
    return Candidates(np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1), scores)


def _other_form(expected: str, outputs: Arrays) -> DetectorOutputError:
    shapes = ", ".join(f"{output.dtype} {output.shape}" for output in outputs)
    return DetectorOutputError(f"expected {expected}, found {shapes}")

"""Tests of posescope.prediction.detectors.detector_outputs, with boxes computed by hand."""

import numpy as np
import pytest

from posescope.prediction.detectors.detector_outputs import (
    OUTPUT_DECODERS,
    Candidates,
    DetectorOutputError,
    OutputLayout,
    suppress_overlaps,
)

SIZE = (32, 64)  # grids of 4 x 8, 2 x 4 and 1 x 2 cells: 32 + 8 + 2
CELLS = 42
LAYOUT = OutputLayout(SIZE, person=0, min_score=0.3)


def yolox(**rows: list[float]) -> np.ndarray:
    """Return an output (1, 42, 7) of zeros except rows `at_<number>`: x, y, log w, log h, objectness, two classes."""
    table = np.zeros((1, CELLS, 7), np.float32)
    for name, row in rows.items():
        table[0, int(name.removeprefix("at_"))] = row
    return table


@pytest.mark.parametrize(
    ("cell", "centre", "stride"),
    [
        (0, (0.5 * 8, 0.25 * 8), 8),
        (7, (7.5 * 8, 0.25 * 8), 8),
        (8, (0.5 * 8, 1.25 * 8), 8),  # the next row
        (32, (0.5 * 16, 0.25 * 16), 16),
        (37, (1.5 * 16, 1.25 * 16), 16),
        (41, (1.5 * 32, 0.25 * 32), 32),
    ],
)
def test_yolox_boxes_are_relative_to_grid_cells(cell: int, centre: tuple[float, float], stride: int) -> None:
    found = OUTPUT_DECODERS["yolox"]([yolox(**{f"at_{cell}": [0.5, 0.25, 0.0, np.log(3), 0.8, 0.5, 1.0]})], LAYOUT)
    (x, y), width, height = centre, stride, 3 * stride
    np.testing.assert_allclose(found.corners, [[x - width / 2, y - height / 2, x + width / 2, y + height / 2]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.4], rtol=1e-6)


@pytest.mark.parametrize(("person", "scores"), [(0, [0.4]), (1, [0.8])])
def test_scores_of_the_selected_class_are_returned(person: int, scores: list[float]) -> None:
    output = [yolox(at_3=[0, 0, 0, 0, 0.8, 0.5, 1.0])]
    np.testing.assert_allclose(OUTPUT_DECODERS["yolox"](output, OutputLayout(SIZE, person, 0.3)).scores, scores, rtol=1e-6)
    assert OUTPUT_DECODERS["yolox"](output, OutputLayout(SIZE, person, 0.81)).corners.shape == (0, 4)


def test_decoded_boxes_are_returned_unchanged() -> None:
    table = np.array([[[20, 10, 8, 4, 1.0, 0.5], [0, 0, 1, 1, 0.5, 0.5]]], np.float32)
    found = OUTPUT_DECODERS["yolox_decoded"]([table], LAYOUT)
    np.testing.assert_allclose(found.corners, [[16, 8, 24, 12]])
    np.testing.assert_allclose(found.scores, [0.5])


def test_yolov8_output_is_transposed_without_objectness() -> None:
    table = np.zeros((1, 6, 9), np.float32)
    table[0, :, 4] = [20, 10, 8, 4, 0.25, 0.75]
    assert OUTPUT_DECODERS["yolov8"]([table], LAYOUT).scores.size == 0
    found = OUTPUT_DECODERS["yolov8"]([table], OutputLayout(SIZE, 1, 0.3))
    np.testing.assert_allclose(found.corners, [[16, 8, 24, 12]])
    np.testing.assert_allclose(found.scores, [0.75])


@pytest.mark.parametrize("count", [0, 1, 4])
@pytest.mark.parametrize("batched", [True, False])
def test_boxes_scores_and_labels_are_read_in_any_order(batched: bool, count: int) -> None:
    boxes = np.arange(4 * count, dtype=np.float32).reshape(count, 4)
    labels, scores = np.ones(count, np.int64), np.linspace(1, 0.2, count, dtype=np.float32)
    arrays = [labels, boxes, scores]
    found = OUTPUT_DECODERS["boxes_scores_labels"](
        [array[None] for array in arrays] if batched else arrays, OutputLayout(SIZE, 1, 0.3)
    )
    selected = scores >= 0.3
    np.testing.assert_allclose(found.corners, boxes[selected])
    np.testing.assert_allclose(found.scores, scores[selected])
    assert OUTPUT_DECODERS["boxes_scores_labels"](arrays, OutputLayout(SIZE, 2, 0.3)).scores.size == 0


@pytest.mark.parametrize(
    ("kind", "shapes", "expected"),
    [
        ("yolox", [(1, 41, 85)], r"\(1, 42, 5 \+ classes\)"),
        ("yolox", [(1, 84, 42)], r"\(1, 42, 5 \+ classes\)"),
        ("yolox", [(2, 42, 85)], r"float32 \(2, 42, 85\)"),
        ("yolox", [(42, 85)], r"float32 \(42, 85\)"),
        ("yolox", [(1, 42, 85), (1, 3)], r"found float32 \(1, 42, 85\), float32 \(1, 3\)"),
        ("yolox", [(1, 42, 5)], "column 5"),
        ("yolox", [], "found $"),
        ("yolox_decoded", [(1, 42, 5)], "column 5"),
        ("yolov8", [(1, 42, 6)], r"\(1, 4 \+ classes, boxes\).*found float32 \(1, 42, 6\)"),
        ("yolov8", [(1, 4, 42)], "column 4"),
        ("boxes_scores_labels", [(5, 4), (5,)], r"boxes \(N, 4\)"),
        ("boxes_scores_labels", [(1, 42, 85)], r"boxes \(N, 4\)"),
    ],
)
def test_another_format_is_an_error(kind: str, shapes: list[tuple[int, ...]], expected: str) -> None:
    with pytest.raises(DetectorOutputError, match=expected):
        OUTPUT_DECODERS[kind]([np.zeros(shape, np.float32) for shape in shapes], LAYOUT)


def test_different_lengths_are_an_error() -> None:
    with pytest.raises(DetectorOutputError, match="whole labels"):
        OUTPUT_DECODERS["boxes_scores_labels"]([np.zeros((3, 4)), np.zeros(3), np.zeros(2, np.int64)], LAYOUT)


@pytest.mark.parametrize("score", [7.0, -0.5, float("nan")])
def test_scores_outside_0_to_1_are_an_error(score: float) -> None:
    """Scores outside of this range occur in outputs before the sigmoid."""
    with pytest.raises(DetectorOutputError, match="expected scores from 0 to 1, found"):
        OUTPUT_DECODERS["yolox"]([yolox(at_0=[0, 0, 0, 0, score, 0.5, 0])], LAYOUT)


def candidates(*rows: tuple[float, ...]) -> Candidates:
    table = np.array(rows, np.float64).reshape(-1, 5)
    return Candidates(table[:, :4], table[:, 4])


def test_overlapping_box_with_the_lower_score_is_suppressed() -> None:
    """Two boxes of 10 x 10 px with an offset of 5 px have an IoU of 50 / 150 = 1/3."""
    pair = candidates((0, 0, 10, 10, 0.5), (5, 0, 15, 10, 0.9), (50, 50, 60, 60, 0.7))
    np.testing.assert_allclose(suppress_overlaps(pair, 0.3).scores, [0.9, 0.7])
    np.testing.assert_allclose(suppress_overlaps(pair, 0.34).scores, [0.9, 0.7, 0.5])
    assert suppress_overlaps(candidates(), 0.5).scores.size == 0


def test_suppressed_box_does_not_suppress_others() -> None:
    chain = candidates((0, 0, 10, 10, 0.9), (4, 0, 14, 10, 0.8), (8, 0, 18, 10, 0.7))
    np.testing.assert_allclose(suppress_overlaps(chain, 0.3).scores, [0.9, 0.7])

"""Tests of posescope.prediction.detectors.detector_outputs: boxes worked out by hand."""

import numpy as np
import pytest

from posescope.prediction.detectors.detector_outputs import (
    OUTPUT_DECODERS,
    Candidates,
    DetectorOutputError,
    OutputLayout,
    suppress_overlaps,
)

SIZE = (32, 64)  # 4 x 8, 2 x 4 and 1 x 2 cells: 32 + 8 + 2
CELLS = 42
WANTED = OutputLayout(SIZE, person=0, min_score=0.3)


def yolox(**rows: list[float]) -> np.ndarray:
    """(1, 42, 7): all zero but for rows `at_<number>`: x, y, log w, log h, objectness, two classes."""
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
def test_yolox_speaks_in_cells(cell: int, centre: tuple[float, float], stride: int) -> None:
    found = OUTPUT_DECODERS["yolox"]([yolox(**{f"at_{cell}": [0.5, 0.25, 0.0, np.log(3), 0.8, 0.5, 1.0]})], WANTED)
    (x, y), width, height = centre, stride, 3 * stride
    np.testing.assert_allclose(found.corners, [[x - width / 2, y - height / 2, x + width / 2, y + height / 2]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.4], rtol=1e-6)


@pytest.mark.parametrize(("person", "scores"), [(0, [0.4]), (1, [0.8])])
def test_the_class_that_is_wanted(person: int, scores: list[float]) -> None:
    answer = [yolox(at_3=[0, 0, 0, 0, 0.8, 0.5, 1.0])]
    np.testing.assert_allclose(OUTPUT_DECODERS["yolox"](answer, OutputLayout(SIZE, person, 0.3)).scores, scores, rtol=1e-6)
    assert OUTPUT_DECODERS["yolox"](answer, OutputLayout(SIZE, person, 0.81)).corners.shape == (0, 4)


def test_decoded_boxes_are_not_changed() -> None:
    table = np.array([[[20, 10, 8, 4, 1.0, 0.5], [0, 0, 1, 1, 0.5, 0.5]]], np.float32)
    found = OUTPUT_DECODERS["yolox_decoded"]([table], WANTED)
    np.testing.assert_allclose(found.corners, [[16, 8, 24, 12]])
    np.testing.assert_allclose(found.scores, [0.5])


def test_yolov8_lies_on_its_side_and_has_no_objectness() -> None:
    table = np.zeros((1, 6, 9), np.float32)
    table[0, :, 4] = [20, 10, 8, 4, 0.25, 0.75]
    assert OUTPUT_DECODERS["yolov8"]([table], WANTED).scores.size == 0
    found = OUTPUT_DECODERS["yolov8"]([table], OutputLayout(SIZE, 1, 0.3))
    np.testing.assert_allclose(found.corners, [[16, 8, 24, 12]])
    np.testing.assert_allclose(found.scores, [0.75])


@pytest.mark.parametrize("count", [0, 1, 4])
@pytest.mark.parametrize("batched", [True, False])
def test_boxes_scores_and_labels_in_any_order(batched: bool, count: int) -> None:
    boxes = np.arange(4 * count, dtype=np.float32).reshape(count, 4)
    labels, scores = np.ones(count, np.int64), np.linspace(1, 0.2, count, dtype=np.float32)
    arrays = [labels, boxes, scores]
    found = OUTPUT_DECODERS["boxes_scores_labels"](
        [one[None] for one in arrays] if batched else arrays, OutputLayout(SIZE, 1, 0.3)
    )
    kept = scores >= 0.3
    np.testing.assert_allclose(found.corners, boxes[kept])
    np.testing.assert_allclose(found.scores, scores[kept])
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
        OUTPUT_DECODERS[kind]([np.zeros(shape, np.float32) for shape in shapes], WANTED)


def test_lengths_that_differ_are_an_error() -> None:
    with pytest.raises(DetectorOutputError, match="whole labels"):
        OUTPUT_DECODERS["boxes_scores_labels"]([np.zeros((3, 4)), np.zeros(3), np.zeros(2, np.int64)], WANTED)


@pytest.mark.parametrize("wrong", [7.0, -0.5, float("nan")])
def test_scores_outside_0_to_1_are_an_error(wrong: float) -> None:
    """Scores before the sigmoid, say."""
    with pytest.raises(DetectorOutputError, match="expected scores from 0 to 1, found"):
        OUTPUT_DECODERS["yolox"]([yolox(at_0=[0, 0, 0, 0, wrong, 0.5, 0])], WANTED)


def candidates(*rows: tuple[float, ...]) -> Candidates:
    table = np.array(rows, np.float64).reshape(-1, 5)
    return Candidates(table[:, :4], table[:, 4])


def test_of_two_that_overlap_the_better_one_stays() -> None:
    """10 x 10 and 10 x 10, moved by 5: 50 shared of 150 is 1/3."""
    pair = candidates((0, 0, 10, 10, 0.5), (5, 0, 15, 10, 0.9), (50, 50, 60, 60, 0.7))
    np.testing.assert_allclose(suppress_overlaps(pair, 0.3).scores, [0.9, 0.7])
    np.testing.assert_allclose(suppress_overlaps(pair, 0.34).scores, [0.9, 0.7, 0.5])
    assert suppress_overlaps(candidates(), 0.5).scores.size == 0


def test_a_suppressed_box_does_not_suppress_others() -> None:
    chain = candidates((0, 0, 10, 10, 0.9), (4, 0, 14, 10, 0.8), (8, 0, 18, 10, 0.7))
    np.testing.assert_allclose(suppress_overlaps(chain, 0.3).scores, [0.9, 0.7])

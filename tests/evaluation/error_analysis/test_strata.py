import numpy as np
import pytest

from posescope.evaluation.bootstrap import resample_images
from posescope.evaluation.error_analysis.strata import ALL_PERSONS, box_overlaps, count_overlaps, stratum_table, touches_border
from posescope.evaluation.metrics.oks import Oks
from posescope.evaluation.metrics.pck_thesis import PckThesis
from posescope.evaluation.scored_persons import Cases, Neighbours

NAN = np.nan


def neighbours_of(rows, boxes, joint_count=2) -> Neighbours:
    return Neighbours(
        np.asarray(rows, dtype=np.int64), np.full((len(rows), joint_count, 2), NAN), np.ones(len(rows)),
        np.asarray(boxes, dtype=np.float64).reshape(-1, 4),
    )  # fmt: skip


def test_box_overlap_by_hand() -> None:
    # 10 x 10 boxes: half of one over the other is 50 / 150; side by side is none; an empty box overlaps nothing.
    first = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10], [3, 3, 0, 0]], dtype=float)
    second = np.array([[5, 0, 10, 10], [10, 0, 10, 10], [0, 0, 10, 10], [3, 3, 0, 0]], dtype=float)
    np.testing.assert_allclose(box_overlaps(first, second), [1 / 3, 0, 1, 0])


def test_neighbours_count_from_an_iou_of_a_tenth() -> None:
    # Person 0: one box that is the same, one far off, one with 5 of 195 shared (0.026). Person 1: none. Person 2: two.
    boxes = np.array([[0, 0, 10, 10], [50, 50, 10, 10], [100, 0, 10, 10]], dtype=float)
    others = [[0, 0, 10, 10], [80, 80, 9, 9], [9.5, 0, 10, 10], [100, 0, 10, 12], [101, 0, 10, 10]]
    assert count_overlaps(boxes, neighbours_of([0, 0, 0, 2, 2], others)).tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("box", "touching"),
    [
        ((-0.5, 20, 30, 30), True),
        ((20, 0.5, 30, 30), True),
        ((20, 20, 78.5, 30), True),  # the image's right border is at 99.5
        ((20, 20, 30, 58.5), True),  # its lower one at 79.5
        ((0.6, 0.6, 97.8, 77.8), False),
    ],
)
def test_boxes_at_the_border(box, touching) -> None:
    assert touches_border(np.array([box], dtype=float), np.array([[80, 100]])).tolist() == [touching]


def test_strata_by_hand(make_scored) -> None:
    """Two persons with two joints. First: visible and correct, occluded and wrong. Second: one joint, visible and correct."""
    truth = [[[50, 50], [100, 100]], [[50, 50], [NAN, NAN]]]
    predicted = [[[50, 50], [200, 200]], [[50, 50], [9, 9]]]
    scored = make_scored(
        predicted, truth, [[2, 1], [2, 0]],
        areas=np.array([900.0, 10_000.0]), boxes=np.array([[20.0, 20, 90, 90], [-0.5, 20, 90, 90]]),
    )  # fmt: skip
    cases = Cases(scored, neighbours_of([0], [[20, 20, 90, 90]]), np.array([[200, 200], [200, 200]]))
    table = stratum_table(cases, resample_images(scored.image_ids, 0, 100))
    rows = table.set_index(["stratum", "group"])
    assert rows["persons"].to_dict() == {
        (ALL_PERSONS, ALL_PERSONS): 2,
        ("visibility", "occluded"): 1,
        ("visibility", "visible"): 2,
        ("labels", "1"): 1,
        ("labels", "2"): 1,
        ("size", "small"): 1,
        ("size", "large"): 1,
        ("crowding", "no overlap"): 1,
        ("crowding", "1 overlap"): 1,
        ("truncation", "inside"): 1,
        ("truncation", "at the border"): 1,
    }
    assert rows["pck_thesis"].to_dict() == {
        place: {(ALL_PERSONS, ALL_PERSONS): 0.75, ("visibility", "occluded"): 0.0}.get(place, rows.loc[place, "pck_thesis"])
        for place in rows.index
    }
    worse = [("labels", "2"), ("size", "small"), ("crowding", "1 overlap"), ("truncation", "inside")]
    assert rows.loc[worse, "pck_thesis"].tolist() == [0.5] * 4
    better = [
        ("visibility", "visible"),
        ("labels", "1"),
        ("size", "large"),
        ("crowding", "no overlap"),
        ("truncation", "at the border"),
    ]
    assert rows.loc[better, "pck_thesis"].tolist() == [1.0] * 5
    assert rows.loc[(ALL_PERSONS, ALL_PERSONS), "oks"] == pytest.approx(0.75)
    assert rows.loc[(ALL_PERSONS, ALL_PERSONS), ["oks_low", "oks_high"]].tolist() == pytest.approx([0.5, 1.0])


def test_row_of_all_persons_equals_the_metrics_and_every_stratum_holds_all(make_scored) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 255, (60, 17, 2))
    visibility = rng.integers(0, 3, (60, 17)) * (rng.uniform(size=(60, 1)) < rng.uniform(size=(60, 17)))
    visibility[:, 0] = 1
    scored = make_scored(truth + rng.normal(0, 9, truth.shape), truth, visibility, areas=rng.uniform(100, 20_000, 60))
    cases = Cases(scored, neighbours_of([], [], 17), np.full((60, 2), 300))
    table = stratum_table(cases, resample_images(scored.image_ids, 0, 20))
    first = table.iloc[0]
    assert first["pck_thesis"] == pytest.approx(PckThesis(PckThesis.Options())(scored).metric_values["pck_thesis"])
    assert first["oks"] == pytest.approx(Oks(Oks.Options())(scored).metric_values["oks"])
    sums = table.groupby("stratum")["persons"].sum()
    assert sums[["labels", "size", "crowding", "truncation"]].tolist() == [60] * 4
    assert set(table[table["stratum"] == "labels"]["group"]) <= {"1-5", "6-10", "11-15", "16+"}


def test_persons_without_prediction_count_with_0(make_scored) -> None:
    truth = np.full((3, 2, 2), 50.0)
    predicted = np.where(np.arange(3)[:, None, None] == 0, NAN, truth)
    scored = make_scored(predicted, truth, [[2, 2]] * 3, areas=np.array([900.0, 900.0, 10_000.0]))
    cases = Cases(scored, neighbours_of([], []), np.full((3, 2), 300))
    rows = stratum_table(cases, resample_images(scored.image_ids, 0, 20)).set_index(["stratum", "group"])
    assert rows.loc[(ALL_PERSONS, ALL_PERSONS), ["persons", "not_found", "pck_thesis", "oks"]].tolist() == pytest.approx(
        [3, 1, 2 / 3, 2 / 3]
    )
    assert rows.loc[("size", "small"), ["persons", "not_found", "oks"]].tolist() == [2, 1, 0.5]
    assert rows.loc[("size", "large"), ["persons", "not_found", "oks"]].tolist() == [1, 0, 1]


def test_without_persons_there_are_no_groups(make_scored) -> None:
    scored = make_scored(np.empty((0, 2, 2)), np.empty((0, 2, 2)), np.empty((0, 2)), boxes=np.empty((0, 4)))
    cases = Cases(scored, neighbours_of([], []), np.empty((0, 2), dtype=np.int64))
    assert stratum_table(cases, resample_images(scored.image_ids, 0, 5)).empty


def test_draws_are_of_all_evaluated_images_so_that_intervals_are_those_of_the_metrics(make_scored) -> None:
    scored = make_scored(np.full((3, 2, 2), 50.0), np.full((3, 2, 2), 50.0), [[2, 2]] * 3)
    images = np.array([*scored.image_ids, 700, 900])
    draws = Cases(scored, neighbours_of([], []), np.full((3, 2), 300), images).resample(0, 5)
    assert draws.image_ids.tolist() == sorted(set(images.tolist()))
    np.testing.assert_array_equal(draws.counts, resample_images(images, 0, 5).counts)
    alone = Cases(scored, neighbours_of([], []), np.full((3, 2), 300)).resample(0, 5)
    assert alone.image_ids.tolist() == sorted(set(scored.image_ids.tolist()))


def test_each_data_set_is_a_group(make_scored) -> None:
    """The joints of the first person are correct, those of the second, of another data set, are wrong."""
    truth = [[[50, 50], [NAN, NAN]], [[NAN, NAN], [50, 50]]]
    scored = make_scored([[[50, 50], [0, 0]], [[0, 0], [150, 150]]], truth, [[2, 0], [0, 2]])
    cases = Cases(scored, neighbours_of([], []), np.array([[200, 200], [200, 200]]), sources=np.array(["b", "a"]))
    rows = stratum_table(cases, resample_images(scored.image_ids, 0, 100)).set_index(["stratum", "group"])
    assert rows.loc[("source", "b"), ["persons", "pck_thesis"]].tolist() == [1, 1]
    assert rows.loc[("source", "a"), ["persons", "pck_thesis"]].tolist() == [1, 0]
    assert rows.loc[(ALL_PERSONS, ALL_PERSONS), "pck_thesis"] == 0.5

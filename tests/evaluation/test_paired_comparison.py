"""Tests of posescope.evaluation.paired_comparison."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from posescope.evaluation.bootstrap import ImageResamples, resample_images
from posescope.evaluation.metrics.base import MetricError
from posescope.evaluation.paired_comparison import compare_joints, compare_persons, compare_values

NAN = np.nan


def scores(person_ids, image_ids, **metric_values) -> pd.DataFrame:
    return pd.DataFrame({"person_id": person_ids, "image_id": image_ids, "found": True, **metric_values})


def hits(rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["person_id", "image_id", "joint", "visibility", "oks", "pck_thesis"])


def test_paired_difference_by_hand():
    """Persons 0 and 1 in image 7, person 2 in image 9, person 3 has no value in B. Draws: 7 twice; 9 twice; each once."""
    draws = ImageResamples(np.array([7, 9]), np.array([[2, 0], [0, 2], [1, 1]], dtype=np.float32))
    first, second = np.array([0.5, 0.2, 0.9, 0.3]), np.array([0.75, 0.2, 0.7, NAN])
    found = compare_values("pck", first, second, np.array([7, 7, 9, 9]), draws)
    assert (found.name, found.count) == ("pck", 3)
    assert (found.a, found.b) == (pytest.approx(1.6 / 3), pytest.approx(1.65 / 3))
    assert found.difference == pytest.approx(0.05 / 3)
    # The three draws give 0.25 / 2, -0.2 and 0.05 / 3; the 2.5 % quantile is 1/20 of the way from the lowest to the middle one.
    assert found.low == pytest.approx(-0.2 + 0.05 * (0.05 / 3 + 0.2))
    assert found.high == pytest.approx(0.125 - 0.05 * (0.125 - 0.05 / 3))
    assert not found.excludes_zero


def test_run_compared_with_itself_differs_by_exactly_0():
    rng = np.random.default_rng(0)
    table = scores(np.arange(50), rng.integers(0, 20, 50), oks=rng.random(50), pck_thesis=rng.random(50))
    found = compare_persons(table, table.copy())
    for metric in found.metric_values:
        assert (metric.difference, metric.low, metric.high, metric.excludes_zero) == (0.0, 0.0, 0.0, False)
        assert metric.a == metric.b
    joints = hits([(p, p // 2, "nose", 2, v, v > 0.5) for p, v in enumerate(rng.random(50))])
    (nose,) = compare_joints(joints, joints.copy())
    assert (nose.oks.difference, nose.oks.low, nose.oks.high, nose.winner("oks")) == (0.0, 0.0, 0.0, "")


def test_one_person_per_image_equals_scipys_paired_bootstrap():
    rng = np.random.default_rng(0)
    first = rng.normal(0.5, 0.2, 300)
    second = first + rng.normal(0.02, 0.05, 300)
    images = np.arange(300)
    found = compare_values("oks", first, second, images, resample_images(images, seed=0, resamples=9999))
    expected = bootstrap(
        (first, second), lambda a, b, axis: (b - a).mean(axis=axis), paired=True, method="percentile", rng=1, vectorized=True
    ).confidence_interval
    assert found.difference == pytest.approx(second.mean() - first.mean())
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=3e-4)
    # Pairing makes the interval several times narrower than that of two independent groups.
    separate = bootstrap((first, second), lambda a, b, axis: b.mean(axis=axis) - a.mean(axis=axis), method="percentile", rng=1)
    assert found.excludes_zero
    assert separate.confidence_interval.low < 0 < separate.confidence_interval.high


def test_swapped_runs_negate_the_difference_in_any_order_of_rows():
    rng = np.random.default_rng(0)
    first = scores(np.arange(40), np.arange(40) // 2, oks=rng.random(40))
    second = scores(np.arange(40), np.arange(40) // 2, oks=rng.random(40))
    (one,), (other,) = compare_persons(first, second).metric_values, compare_persons(second, first).metric_values
    assert (other.difference, other.low, other.high) == pytest.approx((-one.difference, -one.high, -one.low))
    assert compare_persons(first, second.sample(frac=1, random_state=0)).metric_values == (one,)
    assert compare_persons(first, second, seed=1).metric_values != (one,)


def test_persons_of_one_run_only_are_left_out_and_counted():
    first = scores([1, 2, 3], [1, 1, 2], oks=[0.1, 0.2, 0.9], pck_thesis=[1.0, 1.0, 1.0])
    second = scores([2, 1, 5, 6], [1, 1, 4, 4], oks=[0.4, 0.1, 0, 0], mine=[1, 2, 3, 4])
    found = compare_persons(first, second)
    assert (found.persons, found.images, found.only_a, found.only_b) == (2, 1, 1, 2)
    assert found.left_out == ("mine", "pck_thesis")
    (oks,) = found.metric_values
    assert (oks.count, oks.a, oks.b) == (2, pytest.approx(0.15), pytest.approx(0.25))
    # With a single image, all draws are equal.
    assert (oks.low, oks.high) == pytest.approx((0.1, 0.1))


def test_person_without_prediction_counts_with_0():
    """B is better for the persons that it finds, and has not found person 3."""
    first = scores([1, 2, 3, 4], [1, 1, 2, 3], oks=[0.5, 0.5, 0.9, 0.5])
    second = scores([1, 2, 3, 4], [1, 1, 2, 3], oks=[0.6, 0.6, 0.0, 0.6]).assign(found=[True, True, False, True])
    found = compare_persons(first, second)
    assert (found.persons, found.missed_a, found.missed_b, found.only_a, found.only_b) == (4, 0, 1, 0, 0)
    (oks,) = found.metric_values
    assert (oks.count, oks.a, oks.b, oks.difference) == (4, pytest.approx(0.6), pytest.approx(0.45), pytest.approx(-0.15))
    # One of 27 draws has image 2 three times, which lowers the lower bound; the upper bound is that of the other images.
    assert (oks.low, oks.high) == pytest.approx((-0.9, 0.1))
    assert found.to_dict()["missed_b"] == 1
    joints = [
        hits([(p, p, "nose", 2, value, value > 0.5) for p, value in enumerate(values)])
        for values in ((0.5, 0.9, 0.9, 0.9), (0.6, 0.0, 0.0, 0.0))
    ]
    (nose,) = compare_joints(*joints)
    assert (nose.oks.count, nose.oks.a, nose.oks.b, nose.winner("oks")) == (4, pytest.approx(0.8), 0.15, "A")


def test_metric_without_values_is_null():
    table = scores([1, 2], [1, 2], oks=[NAN, NAN])
    (oks,) = compare_persons(table, table).metric_values
    assert (oks.count, oks.excludes_zero) == (0, False)
    content = oks.to_dict()
    assert [content[key] for key in ("a", "b", "difference", "low", "high")] == [None] * 5
    json.dumps(compare_persons(table, table).to_dict(), allow_nan=False)


def test_joint_comparison_by_hand():
    """The nose is better in B for all persons, the hand in A for all, the foot in B for one of two."""
    first = hits([(p, p, joint, 2, value, value > 0.5) for p in (1, 2) for joint, value in (("nose", 0.1), ("hand", 0.9))])
    second = hits([(p, p, joint, 2, value, value > 0.5) for p in (1, 2) for joint, value in (("hand", 0.7), ("nose", 0.8))])
    feet = (
        [(1, 1, "foot", 1, 0.5, False), (2, 2, "foot", 1, 0.5, False)],
        [(1, 1, "foot", 1, 0.4, False), (2, 2, "foot", 1, 0.6, True)],
    )
    found = compare_joints(*(pd.concat([table, hits(rows)]) for table, rows in zip((first, second), feet, strict=True)))
    assert [one.joint for one in found] == ["nose", "hand", "foot"]
    nose, hand, foot = found
    assert (nose.oks.difference, nose.oks.low, nose.oks.high) == pytest.approx((0.7, 0.7, 0.7))
    assert (nose.pck_thesis.a, nose.pck_thesis.b) == (0, 1)
    assert [one.winner("oks") for one in found] == ["B", "A", ""]
    assert [one.winner("pck_thesis") for one in found] == ["B", "", ""]
    assert hand.oks.difference == pytest.approx(-0.2)
    assert (foot.pck_thesis.difference, foot.pck_thesis.low) == (0.5, 0)
    assert nose.to_dict()["oks"]["winner"] == "B"


def test_joints_of_persons_of_one_run_only_do_not_count():
    first = hits([(1, 1, "nose", 2, 0.5, True), (2, 2, "nose", 2, 0.0, False)])
    (nose,) = compare_joints(first, hits([(1, 1, "nose", 2, 0.75, True)]))
    assert (nose.oks.count, nose.oks.difference) == (1, 0.25)


def test_runs_without_common_persons_are_an_error():
    with pytest.raises(MetricError, match="person"):
        compare_persons(scores([1], [1], oks=[0.5]), scores([2, 3], [1, 1], oks=[0.5, 0.5]))


def test_runs_without_common_metrics_are_an_error():
    with pytest.raises(MetricError, match="metric"):
        compare_persons(scores([1], [1], oks=[0.5]), scores([1], [1], pck=[0.5]))


def test_another_split_with_the_same_ids_is_an_error():
    with pytest.raises(MetricError, match="person 2"):
        compare_persons(scores([1, 2], [7, 8], oks=[0, 0]), scores([1, 2], [7, 9], oks=[0, 0]))


def test_another_skeleton_is_an_error():
    with pytest.raises(MetricError, match="skeletons"):
        compare_joints(hits([(1, 1, "nose", 2, 0.5, True)]), hits([(1, 1, "neck", 2, 0.5, True), (1, 1, "tail", 2, 0.5, True)]))


def test_other_annotations_are_an_error():
    with pytest.raises(MetricError, match="annotations"):
        compare_joints(hits([(1, 1, "nose", 2, 0.5, True)]), hits([(1, 1, "nose", 1, 0.5, True)]))


def test_other_coordinates_of_the_same_labels_are_an_error():
    """One person per image with all joints labelled: the two sets differ in the coordinates only."""
    first = hits([(1, 1, "nose", 2, 0.5, True)]).assign(x=10.0, y=20.0)
    with pytest.raises(MetricError, match="annotations"):
        compare_joints(first, first.assign(x=11.0))
    assert len(compare_joints(first, first)) == 1
    assert len(compare_joints(first, hits([(1, 1, "nose", 2, 0.5, True)]))) == 1, "an older run has no places"

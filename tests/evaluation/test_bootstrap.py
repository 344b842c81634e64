"""Tests of posescope.evaluation.bootstrap."""

import numpy as np
import pytest
from scipy.stats import bootstrap
from tests.pickling_cluster import PicklingCluster

from posescope.core.compute import use_cluster
from posescope.evaluation import bootstrap as module
from posescope.evaluation.bootstrap import MIN_IMAGES, ImageResamples, Interval, resample_images

NAN = np.nan


def test_means_of_a_draw_by_hand() -> None:
    """Image 7 is drawn twice, image 9 never, image 11 once; NaN does not count."""
    draws = ImageResamples(np.array([7, 9, 11]), np.array([[2, 0, 1], [0, 3, 0]], dtype=np.float32))
    values, images = np.array([1.0, 2.0, 10.0, 4.0, NAN]), np.array([7, 7, 9, 11, 9])
    np.testing.assert_allclose(draws.means(values, images), [(2 * 3 + 4) / 5, 10])


def test_draws_without_values_are_left_out_of_the_interval() -> None:
    draws = ImageResamples(np.array([1, 2]), np.array([[2, 0], [0, 2]], dtype=np.float32))
    means = draws.means(np.array([0.5, NAN]), np.array([1, 2]))
    np.testing.assert_array_equal(means, [0.5, NAN])
    found = draws.interval(0.5, means)
    assert (found.estimate, found.low, found.high) == (0.5, 0.5, 0.5)


def test_every_draw_has_the_number_of_images() -> None:
    draws = resample_images(np.array([5, 3, 3, 8]), seed=0, resamples=50)
    np.testing.assert_array_equal(draws.image_ids, [3, 5, 8])
    np.testing.assert_array_equal(draws.counts.sum(axis=1), np.full(50, 3))


def test_seed_determines_the_draws() -> None:
    images = np.arange(20)
    assert np.array_equal(resample_images(images, 1).counts, resample_images(images, 1).counts)
    assert not np.array_equal(resample_images(images, 1).counts, resample_images(images, 2).counts)


def test_one_person_per_image_equals_scipys_bootstrap() -> None:
    values = np.random.default_rng(0).normal(size=200)
    images = np.arange(200)
    found = resample_images(images, seed=0, resamples=4000).mean_interval(values, images)
    expected = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1))
    assert found.estimate == pytest.approx(values.mean())
    assert found.low == pytest.approx(expected.confidence_interval.low, abs=0.01)
    assert found.high == pytest.approx(expected.confidence_interval.high, abs=0.01)


def test_persons_of_one_image_are_drawn_together() -> None:
    """Four copies of each person in one image do not narrow the interval."""
    values, images = np.random.default_rng(0).normal(size=100), np.arange(100)
    once = resample_images(images, 0).mean_interval(values, images)
    four = resample_images(images, 0).mean_interval(np.repeat(values, 4), np.repeat(images, 4))
    assert (four.low, four.high) == pytest.approx((once.low, once.high))


def test_order_of_values_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    values, images = rng.normal(size=60), rng.integers(0, 20, size=60)
    order = rng.permutation(60)
    draws = resample_images(images, 0)
    np.testing.assert_allclose(draws.means(values, images), draws.means(values[order], images[order]))


def test_without_values_the_interval_is_nan() -> None:
    empty = resample_images(np.array([], dtype=np.int64), 0, 10)
    assert np.isnan(empty.means(np.array([]), np.array([], dtype=np.int64))).all()
    unknown = resample_images(np.array([1, 2]), 0, 10).mean_interval(np.array([NAN, NAN]), np.array([1, 2]))
    assert np.isnan([unknown.estimate, unknown.low, unknown.high]).all()


def test_ratios_of_sums_by_hand() -> None:
    draws = ImageResamples(np.array([1, 2]), np.array([[2, 0], [1, 1], [0, 2]], np.float32))
    over, under, images = np.array([1.0, 3.0, 5.0]), np.array([2.0, 2.0, 0.0]), np.array([1, 1, 2])
    assert draws.ratios(over, under, images).tolist() == pytest.approx([1.0, 9 / 4, np.nan], nan_ok=True)
    both = draws.ratios(np.stack([over, under], axis=1), np.stack([under, under], axis=1), images)
    assert both.tolist() == [pytest.approx(row, nan_ok=True) for row in ([1.0, 1.0], [9 / 4, 1.0], [np.nan, np.nan])]


def test_interval_is_formatted_with_both_ends() -> None:
    assert f"{Interval(0.5, -0.25, 1.0):+.2f}" == "+0.50 [-0.25, +1.00]"


def test_interval_is_known_if_all_three_numbers_are_finite() -> None:
    assert Interval(0.5, 0.0, 1.0).is_known
    assert not Interval(0.5, float("nan"), float("nan")).is_known


def test_the_columns_of_an_interval_are_the_estimate_and_both_ends() -> None:
    assert Interval(0.5, 0.0, 1.0).columns("drop") == {"drop": 0.5, "drop_low": 0.0, "drop_high": 1.0}


def test_coverage_of_few_images_is_why_there_is_a_minimum() -> None:
    """Coverage of the mean of skewed values per image: below 0.93 at 10 images, higher at the minimum."""

    def coverage(images: int) -> float:
        rng, found = np.random.default_rng(0), 0
        for _ in range(400):
            values, ids = rng.beta(4, 1, images), np.arange(images)
            interval = resample_images(ids, seed=int(rng.integers(2**31)), resamples=200).mean_interval(values, ids)
            found += interval.low <= 0.8 <= interval.high
        return found / 400

    assert coverage(10) < 0.93
    assert coverage(MIN_IMAGES) > coverage(10)


def test_blocks_of_draws_give_the_product_of_all_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    draws, values = resample_images(np.arange(30), seed=0, resamples=120), np.random.default_rng(0).normal(size=30)
    expected = draws.means(values, np.arange(30))
    monkeypatch.setattr(module, "_IN_BLOCKS_FROM", 1)
    np.testing.assert_allclose(draws.means(values, np.arange(30)), expected, rtol=1e-12)


@pytest.mark.parametrize("resamples", [120, 100, 7, 0])
def test_a_cluster_draws_the_same_images_again_and_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch, resamples: int) -> None:
    monkeypatch.setattr(module, "_IN_BLOCKS_FROM", 1)
    draws, values = resample_images(np.arange(30), seed=3, resamples=resamples), np.random.default_rng(0).normal(size=30)
    expected = draws.means(values, np.arange(30))
    monkeypatch.setattr(module, "_ON_CLUSTER_FROM", 1)
    cluster = PicklingCluster()
    with use_cluster(cluster):
        np.testing.assert_array_equal(draws.means(values, np.arange(30)), expected)
    assert len(cluster.sizes) == -(-resamples // 50)


def test_draws_of_unknown_states_stay_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_IN_BLOCKS_FROM", "_ON_CLUSTER_FROM"):
        monkeypatch.setattr(module, name, 1)
    draws, cluster = ImageResamples(np.array([1, 2]), np.array([[2, 0], [0, 2]], dtype=np.float32)), PicklingCluster()
    with use_cluster(cluster):
        np.testing.assert_array_equal(draws.means(np.array([0.5, 1.5]), np.array([1, 2])), [0.5, 1.5])
    assert cluster.sizes == []

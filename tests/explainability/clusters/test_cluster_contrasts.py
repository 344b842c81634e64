import numpy as np
import pytest

from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.clusters.cluster_contrasts import ClusterComparison, measure_errors

LABELS = np.repeat([0, 1, 2], [60, 40, 20]).astype(np.int64)
GROUPS = np.random.default_rng(5).permutation(120) // 2
DRAWS = resample_images(GROUPS, 0, 200)
UNKNOWN = np.full(120, np.nan)


def comparison(shuffles: int = 200, seed: int = 0) -> ClusterComparison:
    return ClusterComparison(LABELS, 3, GROUPS, DRAWS, shuffles, seed)


def test_means_and_differences_by_hand() -> None:
    values = np.array([[1.0], [3.0], [np.nan], [6.0], [2.0]])
    groups = np.arange(5)
    found = ClusterComparison(np.array([0, 0, 0, 1, 1]), 2, groups, resample_images(groups, 0, 500), 1, 0).contrast(values)
    assert found.inside.ravel().tolist() == [2, 4]
    assert found.rest.ravel().tolist() == [4, 2]
    assert found.difference.ravel().tolist() == [-2, 2]
    assert found.persons.ravel().tolist() == [2, 2]
    assert found.low[0, 0] == pytest.approx(-found.high[1, 0])
    assert found.low[0, 0] <= -2 <= found.high[0, 0]


def test_intervals_are_those_of_the_bootstrap_samples() -> None:
    values = np.random.default_rng(0).normal(size=(120, 1))
    found = comparison().contrast(values)
    own = DRAWS.mean_interval(np.where(LABELS == 1, values[:, 0], np.nan), GROUPS)
    assert (found.inside_low[1, 0], found.inside_high[1, 0]) == pytest.approx((own.low, own.high))


def test_cluster_without_a_known_value_is_nan() -> None:
    values = np.where(LABELS == 2, np.nan, 1.0)[:, None]
    found = comparison().contrast(values)
    assert np.isnan([found.inside[2, 0], found.low[2, 0], found.inside_high[2, 0]]).all()
    assert found.difference[0, 0] == 0


def test_permuted_labels_keep_sizes_and_images() -> None:
    labels, groups = np.repeat([0, 1], 30).astype(np.int64), np.repeat(np.arange(30), 2)
    own = ClusterComparison(labels, 2, groups, resample_images(groups, 0, 10), 50, 0)
    shuffled = own.permuted_labels(np.random.default_rng(0))
    assert np.bincount(shuffled).tolist() == [30, 30]
    assert (shuffled.reshape(30, 2)[:, 0] == shuffled.reshape(30, 2)[:, 1]).all()
    assert not np.array_equal(shuffled, labels)
    assert own.permuted_differences(labels[:, None] + 0.0).mean() == pytest.approx(0, abs=0.1)


def test_planted_gap_exceeds_the_control_and_no_gap_does_not() -> None:
    rng = np.random.default_rng(0)
    pck = rng.uniform(0.5, 1, 120)
    planted = measure_errors({"pck": pck - 0.4 * (LABELS == 1)}, comparison())
    assert planted.names == ("pck",)
    assert planted.fractions.tolist() == pytest.approx([0.5, 1 / 3, 1 / 6])
    assert -planted.contrasts.difference[1, 0] > np.quantile(planted.largest_gaps, 0.95)
    even = measure_errors({"pck": pck}, comparison())
    assert -even.contrasts.difference.min() < np.quantile(even.largest_gaps, 0.95)
    unknown = measure_errors({"pck": UNKNOWN}, comparison(20))
    assert unknown.table().isna().to_numpy().all()
    assert unknown.fractions.tolist() == [0, 0, 0]


def test_false_positive_rate_of_gaps() -> None:
    found = 0
    for seed in range(60):
        pck = np.random.default_rng(seed).uniform(0.5, 1, 120)
        even = measure_errors({"pck": pck}, comparison(60, seed))
        found += -even.contrasts.difference.min() > np.quantile(even.largest_gaps, 0.95)
    assert found <= 7  # of 60 at 5 %: more than 7 have a probability of 1 %

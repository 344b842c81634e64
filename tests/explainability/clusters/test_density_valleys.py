import numpy as np
import pytest

from posescope.explainability.clustering.base import cluster_range
from posescope.explainability.clustering.kmeans import KMeansClusterer, KMeansOptions
from posescope.explainability.clusters.density_valleys import GroupSeparation, measure_separation
from posescope.explainability.clusters.split_half_stability import SplitHalf, cluster_halves

CLUSTERER = KMeansClusterer(KMeansOptions(restarts=4))


def separation_of(points: np.ndarray, k: int, groups: np.ndarray | None = None) -> tuple[GroupSeparation, ...]:
    groups = np.arange(len(points)) if groups is None else groups
    centres = cluster_range(CLUSTERER, points, 0, [k])[k].centres
    return measure_separation(points, groups, centres, [cluster_halves(points, groups, CLUSTERER, [k], seed) for seed in (0, 1)])


def test_ratio_by_hand() -> None:
    # 6 images in a valley that is half as wide as the core with 48.
    assert GroupSeparation(nearest=1, valley=6, core=48, z=4.9, jaccard=1).ratio == 0.25
    assert GroupSeparation(nearest=1, valley=0, core=0, z=0, jaccard=1).ratio == np.inf


def test_contrast_by_hand() -> None:
    # An interval as wide as the valley holds 24 images of the core.
    assert GroupSeparation(nearest=1, valley=4, core=48, z=5, jaccard=1).contrast == pytest.approx(np.log(25 / 5))
    assert GroupSeparation(nearest=1, valley=0, core=0, z=0, jaccard=1).contrast == 0
    # A shallow waist with many images has a larger z and a smaller contrast than a deep valley with few.
    waist, valley = (
        GroupSeparation(1, 140, 400, z=float((540 / 3 - 140) / np.sqrt(540 * 2 / 9)), jaccard=1),
        GroupSeparation(1, 5, 27, z=float((32 / 3 - 5) / np.sqrt(32 * 2 / 9)), jaccard=1),
    )
    assert waist.z > valley.z
    assert waist.contrast < valley.contrast


@pytest.mark.filterwarnings("error")
def test_groups_of_coinciding_points_have_a_line() -> None:
    points = np.repeat([[0.0, 0.0], [3.0, 4.0]], [6, 6], axis=0)
    centres = points[[0, 6]]
    halves = SplitHalf(np.arange(12) % 2 == 0, {2: (centres, centres)})
    first, second = measure_separation(points, np.arange(12), centres, [halves])
    assert (first.valley, first.core) == (second.valley, second.core) == (0, 6)


def test_counts_by_hand() -> None:
    # Both halves hold the same points: 4 at -1, 1 at 0 and 3 at 1, so the sparser core has 3.
    line = np.repeat([-1.0, 0.0, 1.0], [4, 1, 3])
    points = np.stack([np.tile(line, 2), np.zeros(16)], axis=1)
    centres = np.array([[-1.0, 0], [1, 0]])
    halves = SplitHalf(np.arange(16) < 8, {2: (centres, centres)})
    first, second = measure_separation(points, np.arange(16), centres, [halves])
    assert (first.nearest, second.nearest) == (1, 0)
    # The emptiest place is beside the point in the middle.
    assert (first.valley, first.core) == (0, 6)
    assert first.z == pytest.approx(2 / np.sqrt(6 * 2 / 9))
    assert first.jaccard == 1


def test_planted_groups_are_separate_and_one_mode_is_not() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(600, 5))
    points[:150, 0] += 8
    assert max(group.ratio for group in separation_of(points, 2)) < 0.1
    one = separation_of(rng.normal(size=(600, 5)) * [3, 1, 1, 1, 1], 2)
    assert min(group.ratio for group in one) > 0.9
    assert max(group.z for group in one) < 1


@pytest.mark.parametrize("k", [2, 3, 5])
def test_bent_continuum_has_no_valley(k: int) -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, 1200)
    points = 0.3 * rng.normal(size=(1200, 6))
    points[:, :2] += 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert min(group.ratio for group in separation_of(points, k)) > 0.6


def test_persons_of_one_image_are_no_group() -> None:
    # 80 alike persons far from all others, in one image: only one half sees them, and they count once.
    rng = np.random.default_rng(0)
    points = rng.normal(size=(480, 5))
    points[:80] = np.array([9.0, 0, 0, 0, 0]) + 0.1 * points[:80]
    groups = np.concatenate([np.zeros(80, dtype=np.int64), np.arange(1, 401)])
    found = separation_of(points, 2, groups)
    assert min(group.jaccard for group in found) < 0.75 or max(group.core for group in found) < 2


def test_no_half_has_so_many_groups() -> None:
    assert measure_separation(np.zeros((4, 2)), np.arange(4), np.zeros((2, 2)), [SplitHalf(np.arange(4) < 2, {})]) == ()

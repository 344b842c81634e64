"""Unimodal marginals: skew and spread stay, modes go."""

import numpy as np
import pytest
from scipy.stats import skew

from posescope.explainability.clusters.null_reference import fit_marginals, fit_unimodal


def test_a_second_mode_is_levelled_by_hand() -> None:
    # Densities 4, 1, 3, 2: falling from the first, 1 and 3 become their mean.
    np.testing.assert_allclose(fit_unimodal(np.array([0.4, 0.1, 0.3, 0.2]), np.ones(4)), [0.4, 0.2, 0.2, 0.2])
    # Twice as wide, 1 and 1.5 are pooled by width: (0.1 + 0.3) / 3.
    found = fit_unimodal(np.array([0.4, 0.1, 0.3, 0.2]), np.array([1.0, 1.0, 2.0, 2.0]))
    np.testing.assert_allclose(found, [0.4, 0.4 / 3, 0.8 / 3, 0.2])


def test_one_mode_stays_as_it_is() -> None:
    shares = np.array([0.1, 0.2, 0.4, 0.25, 0.05])
    np.testing.assert_allclose(fit_unimodal(shares, np.ones(5)), shares)


def test_skew_and_spread_stay() -> None:
    points = np.random.default_rng(0).exponential(size=(4000, 2)) * [3, 1]
    drawn = fit_marginals(points, 0).draw(20_000, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(drawn.std(axis=0), [3, 1], rtol=0.05)
    assert np.abs(skew(drawn)).min() > 1.2


def test_two_modes_become_one() -> None:
    points = np.random.default_rng(0).normal(size=(4000, 2))
    points[:2000, 0] += 12
    drawn = fit_marginals(points, 0).draw(20_000, np.random.default_rng(1))
    # Nobody stands in the middle third of the first axis; of the cloud a fair share does.
    assert (np.abs(drawn[:, 0]) < 2).mean() > 0.1


@pytest.mark.parametrize("points", [np.zeros((6, 3)), np.array([[0.0], [1.0]]), np.eye(4, 9)])
def test_few_points_and_points_that_coincide_will_do(points: np.ndarray) -> None:
    drawn = fit_marginals(points, 0).draw(5, np.random.default_rng(0))
    assert drawn.shape == (5, min(points.shape))
    assert np.isfinite(drawn).all()

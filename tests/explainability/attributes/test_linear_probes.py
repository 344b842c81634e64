import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from posescope.explainability.attributes.linear_probes import STRENGTHS, assign_folds, fit_probe, permute_groups, probe


def persons(count: int = 120, width: int = 6, targets: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, width)) + 3
    y = x @ rng.normal(size=(width, targets)) + rng.normal(size=(count, targets)) * 2 + 100
    return x, y, rng.permutation(count) % 5


def test_least_squares_equals_scikit_learn() -> None:
    x, y, folds = persons()
    found = probe(x, y, folds)
    predicted = cross_val_predict(LinearRegression(), x, y, cv=PredefinedSplit(folds))
    means = np.stack([y[folds != fold].mean(axis=0) for fold in folds])
    np.testing.assert_allclose(found.squared_errors, (y - predicted)[:, 0] ** 2, atol=1e-9)
    np.testing.assert_allclose(found.baseline_squared_errors, (y - means)[:, 0] ** 2, atol=1e-9)
    expected = 1 - ((y - predicted) ** 2).sum(axis=0) / ((y - means) ** 2).sum(axis=0)
    np.testing.assert_allclose(found.r2, expected, atol=1e-10)


def test_strength_is_selected_by_nested_cross_validation() -> None:
    x, y, folds = persons(width=30, count=60)
    strengths = (0.01, 0.3, 10.0)
    found = probe(x, y, folds, strengths)
    predicted = np.empty_like(y)
    for fold in range(5):
        for target in range(y.shape[1]):
            errors = []
            for strength in strengths:
                error = 0.0
                for inner in set(range(5)) - {fold}:
                    fit, held = (folds != fold) & (folds != inner), folds == inner
                    ridge = Ridge(alpha=strength * fit.sum()).fit(x[fit], y[fit, target])
                    error += ((ridge.predict(x[held]) - y[held, target]) ** 2).sum()
                errors.append(error)
            fit, held = folds != fold, folds == fold
            ridge = Ridge(alpha=strengths[int(np.argmin(errors))] * fit.sum()).fit(x[fit], y[fit, target])
            predicted[held, target] = ridge.predict(x[held])
    np.testing.assert_allclose(found.squared_errors, (y - predicted)[:, 0] ** 2, atol=1e-8)


def test_planted_r2_is_found_and_none_in_noise() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 20))
    y = np.stack([x[:, 3] + rng.normal(size=2000), rng.normal(size=2000)], axis=1)  # half of its variance; none
    found = probe(x, y, rng.permutation(2000) % 5, STRENGTHS)
    assert found.r2[0] == pytest.approx(0.5, abs=0.04)
    assert abs(found.r2[1]) < 0.01


def test_more_features_than_persons_and_duplicate_features() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 60))
    y = x[:, :1] * 3
    assert probe(x, y, np.arange(40) % 4, STRENGTHS).r2[0] > 0
    twins = np.repeat(rng.normal(size=(40, 1)), 2, axis=1)  # least squares of two equal columns is still one line
    assert probe(twins, twins[:, :1], np.arange(40) % 4).r2[0] == pytest.approx(1)


def test_constant_target_has_no_r2() -> None:
    x, y, folds = persons()
    y[:, 1] = 7
    assert np.isnan(probe(x, y, folds).r2).tolist() == [False, True, False]


def test_folds_are_balanced_and_keep_groups_whole() -> None:
    groups = np.repeat(np.arange(10, 33), 3)
    folds = assign_folds(groups, 5, seed=0)
    assert all(len(set(folds[groups == group])) == 1 for group in groups)
    assert sorted(np.bincount(folds) // 3) == [4, 4, 5, 5, 5]
    np.testing.assert_array_equal(folds, assign_folds(groups, 5, seed=0))
    assert (folds != assign_folds(groups, 5, seed=1)).any()


def test_permutations_keep_groups_adjacent() -> None:
    groups = np.array([7, 3, 7, 3, 5, 5, 9, 9])
    rows = permute_groups(groups, 50, seed=0)
    assert (np.sort(rows, axis=1) == np.arange(8)).all()
    # All groups have two persons, and the persons of a group get the values of one group.
    for first, second in [(0, 2), (1, 3), (4, 5), (6, 7)]:
        assert (groups[rows[:, first]] == groups[rows[:, second]]).all()
        assert 5 < (groups[rows[:, first]] == groups[first]).sum() < 25
    assert len(np.unique(rows, axis=0)) > 25  # of 4! 2^4 = 384: hardly ever the same


def test_fitted_probe_equals_scikit_learn() -> None:
    x, y, folds = persons(width=30, count=60)
    found = fit_probe(x, y, folds, (0.01, 0.3, 10.0))
    for target in range(y.shape[1]):
        errors = {}
        for strength in (0.01, 0.3, 10.0):
            predicted = np.empty(60)
            for fold in range(5):
                fit = folds != fold
                ridge = Ridge(alpha=strength * fit.sum()).fit(x[fit], y[fit, target])
                predicted[~fit] = ridge.predict(x[~fit])
            errors[strength] = ((y[:, target] - predicted) ** 2).sum()
        best = min(errors, key=lambda strength: errors[strength])
        ridge = Ridge(alpha=best * 60).fit(x, y[:, target])
        np.testing.assert_allclose(found.predict(x)[:, target], ridge.predict(x), atol=1e-8)
        means = np.array([y[folds != fold, target].mean() for fold in folds])
        assert found.r2[target] == pytest.approx(1 - errors[best] / ((y[:, target] - means) ** 2).sum())


def test_fitted_probe_of_a_constant_target() -> None:
    x, _, folds = persons()
    found = fit_probe(x, np.full((120, 1), 3.0), folds)
    assert np.isnan(found.r2[0])
    np.testing.assert_allclose(found.predict(x), 3.0, atol=1e-8)

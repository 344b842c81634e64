import numpy as np
import pytest

from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.truncation.person_spans import deal_draws, draw_person_spans

VALUES = np.random.default_rng(0).normal(size=(30, 4)) + 5
FEATURES = FeatureSet(np.arange(30), VALUES, "layer", (4, 1, 1))


def test_first_columns_span_the_first_persons() -> None:
    mean = VALUES.mean(axis=0)
    spans = draw_person_spans(FEATURES, mean, draws=3, largest=2, seed=0)
    assert (spans.rows.shape, spans.bases.shape, spans.largest) == ((3, 2), (3, 4, 2), 2)
    for rows, basis in zip(spans.rows, spans.bases, strict=True):
        np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-6)
        centred = VALUES[rows] - mean
        for count in (1, 2):
            own = basis[:, :count]
            np.testing.assert_allclose(centred[:count] @ own @ own.T, centred[:count], atol=1e-5)
    assert len({tuple(rows) for rows in spans.rows}) > 1


def test_person_without_an_own_direction_adds_none() -> None:
    same = FeatureSet(np.arange(3), np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]), "layer", (2, 1, 1))
    (basis,) = draw_person_spans(same, np.zeros(2), draws=1, largest=3, seed=0).bases
    np.testing.assert_allclose(np.abs(basis), [[1, 0, 0], [0, 0, 0]], atol=1e-6)


def test_persons_of_one_photograph_share_a_draw() -> None:
    groups = np.repeat(np.arange(40), 3)
    draws = deal_draws(groups, 4, seed=0)
    assert all(len(set(draws[groups == group])) == 1 for group in range(40))
    assert np.bincount(draws).tolist() == [30] * 4


@pytest.mark.parametrize("groups", [[], [7]])
def test_few_photographs_are_dealt(groups) -> None:
    assert deal_draws(np.array(groups, dtype=np.int64), 4, seed=0).tolist() == [0] * len(groups)

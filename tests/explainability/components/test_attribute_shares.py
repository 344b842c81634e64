import numpy as np
import pandas as pd
import pytest

from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.components.attribute_shares import (
    ProbedPersons,
    best_squared_correlations,
    measure_shares,
    p_of_maximum,
    prediction_share,
    standardise,
)

PERSONS = 600


def persons(scores: np.ndarray, attributes: dict[str, np.ndarray], first_group: int = 0) -> ProbedPersons:
    return ProbedPersons(scores, pd.DataFrame(attributes), first_group + np.arange(len(scores)))


def planted(seed: int, first_group: int) -> ProbedPersons:
    """Half of component 1 is `tall`, unknown for a quarter at random; component 2 is noise; `noise` is none."""
    rng = np.random.default_rng(seed)
    tall = rng.normal(size=PERSONS)
    scores = np.stack([5 * tall + 5 * rng.normal(size=PERSONS), rng.normal(size=PERSONS)], axis=1)
    known = np.where(rng.random(PERSONS) < 0.25, np.nan, tall)
    return persons(scores, {"tall": known, "noise": rng.normal(size=PERSONS)}, first_group)


def test_share_counts_all_persons_and_unknown_values_explain_nothing() -> None:
    found = measure_shares(planted(2, 0), planted(3, PERSONS), seed=0)
    assert [(column.attribute, column.of_unknown) for column in found.columns] == [
        ("tall", False), ("noise", False), ("tall", True),
    ]  # fmt: skip
    # Half of the variance of the three quarters whose value is known.
    assert found.chosen[0, 0] == pytest.approx(0.375, abs=0.07)
    share = found.judged[0][0]
    assert share.estimate == pytest.approx(0.375, abs=0.08)
    assert share.low < share.estimate < share.high
    assert all(abs(found.judged[i][j].estimate) < 0.03 for i, j in ((0, 1), (0, 2), (1, 0), (1, 1), (1, 2)))


def test_no_attributes_and_few_photographs() -> None:
    none = measure_shares(
        ProbedPersons(np.zeros((30, 2)), pd.DataFrame(index=range(30)), np.arange(30)),
        ProbedPersons(np.zeros((30, 2)), pd.DataFrame(index=range(30)), np.arange(30)),
        seed=0,
    )
    assert (none.columns, none.judged) == ((), ((), ()))
    few = planted(1, PERSONS)
    few = ProbedPersons(few.scores, few.attributes, np.arange(PERSONS) % 5 + PERSONS)
    found = measure_shares(planted(0, 0), few, seed=0)
    assert found.chosen[0, 0] > 0.3
    assert np.isnan(found.judged[0][0].estimate)


def test_share_of_predictions_by_hand() -> None:
    groups = np.arange(40)
    truth = np.where(groups % 2 == 0, 1.0, -1.0)[:, None]
    predicted = np.concatenate([truth, 0 * truth, truth / 2, -truth], axis=1)
    found = prediction_share(predicted, truth, groups, resample_images(groups, 0, 100))
    assert [one.estimate for one in found] == pytest.approx([1, 0, 0.75, -3])


def test_maxima_are_of_all_pairs_and_keep_photographs_together() -> None:
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(200, 2)), rng.normal(size=(200, 3))
    maxima = best_squared_correlations(y, x, np.arange(200), 2000, 0)
    single = best_squared_correlations(y[:, :1], x[:, :1], np.arange(200), 2000, 0)
    assert maxima.shape == (2000,)
    assert (maxima >= single - 1e-12).all()
    assert np.median(maxima) > 3 * np.median(single)
    assert np.mean(single) == pytest.approx(1 / 199, rel=0.15)  # expected squared correlation of independent columns
    groups = np.repeat(np.arange(20), 10)  # persons of a photograph alike: ten times fewer independent persons
    alike = best_squared_correlations(rng.normal(size=(20, 1))[groups], rng.normal(size=(20, 1))[groups], groups, 2000, 0)
    assert np.mean(alike) == pytest.approx(1 / 19, rel=0.15)


def test_constant_columns_are_never_correlated() -> None:
    maxima = best_squared_correlations(np.ones((30, 1)), np.arange(30.0)[:, None], np.arange(30), 20, 0)
    assert maxima.tolist() == [0.0] * 20
    assert standardise(np.full((3, 1), 7.0), np.full((3, 1), 7.0)).tolist() == [[0], [0], [0]]


def test_p_of_maximum() -> None:
    assert p_of_maximum(0.5, [0.1, 0.2, 0.6]) == 0.5
    assert p_of_maximum(float("nan"), [0.1]) == 1.0
    assert p_of_maximum(0.5, []) == 1.0

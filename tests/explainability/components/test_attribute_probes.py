import numpy as np
import pandas as pd
import pytest

from posescope.explainability.components.attribute_probes import (
    EXPLAINED_COLUMNS,
    PROBE_COLUMNS,
    NullDistribution,
    ProbedAttributes,
    explain_components,
    probe_attributes,
)
from posescope.explainability.components.attribute_shares import ProbedPersons

PERSONS = 600


def planted(seed: int, first_group: int = 0, per_photograph: int = 1) -> ProbedPersons:
    """Half of `tall` is component 1; `wide` is components 2 and 4 together; `noise` is none; `few` is known for 19 persons."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(PERSONS, 6)) * [9, 5, 3, 2, 1, 1]
    tall = -scores[:, 0] / 9 + rng.normal(size=PERSONS)
    wide = scores[:, 1] / 5 + scores[:, 3] / 2
    attributes = pd.DataFrame({"tall": tall, "wide": wide, "noise": rng.normal(size=PERSONS), "few": np.nan})
    attributes.loc[:99, "tall"] = np.nan
    attributes.loc[:18, "few"] = 1.0 * np.arange(19)
    return ProbedPersons(scores, attributes, first_group + np.arange(PERSONS) // per_photograph)


@pytest.fixture(scope="module")
def found() -> ProbedAttributes:
    return probe_attributes(planted(0), planted(1, PERSONS), seed=0)


def test_all_components_together_predict_what_one_cannot(found) -> None:
    probes = found.probes.set_index("attribute")
    assert list(found.probes) == PROBE_COLUMNS
    assert probes.loc["wide", "r2"] > 0.99
    assert probes.loc["tall", "r2"] == pytest.approx(0.5, abs=0.07)
    assert probes.loc["tall", "fitted_r2"] == pytest.approx(0.5, abs=0.07)
    assert probes.loc["tall", "r2_low"] < probes.loc["tall", "r2"] < probes.loc["tall", "r2_high"]
    assert probes.loc["noise", "r2"] <= probes.loc["noise", "control_high"]
    assert (probes["p_value"] < 0.001).tolist() == [True, True, False]
    assert probes["persons"].tolist() == [500, 600, 600]
    assert probes["components"].tolist() == [6, 6, 6]
    assert found.left_out == {"few": "known for 19 persons in 19 images"}


def test_attribute_that_few_judged_persons_have_is_left_out() -> None:
    judged = planted(1, PERSONS)
    judged.attributes.loc[10:, "wide"] = np.nan
    result = probe_attributes(planted(0), judged, seed=0)
    assert "wide" not in result.probes["attribute"].tolist()
    assert result.left_out["wide"] == "known for 10 judged persons in 10 images"


def test_no_attributes() -> None:
    persons = ProbedPersons(np.zeros((30, 2)), pd.DataFrame(index=range(30)), np.arange(30))
    result = probe_attributes(persons, persons, seed=0)
    assert (len(result.probes), result.left_out) == (0, {})
    assert np.isnan(result.null.interval(10).estimate)
    assert list(explain_components(persons, persons, seed=0)) == EXPLAINED_COLUMNS


def test_shuffled_attributes_are_not_predicted() -> None:
    for seed in range(3):
        judged = planted(1, PERSONS)
        rows = np.random.default_rng(seed).permutation(PERSONS)
        shuffled = ProbedPersons(judged.scores, judged.attributes.iloc[rows].reset_index(drop=True), judged.groups)
        assert (probe_attributes(planted(0), shuffled, seed).probes["p_value"] > 0.05).all()


def test_photographs_not_persons_are_permuted() -> None:
    # Thirty photographs of twenty equal persons: by chance a few photographs agree well.
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), 20)
    persons = [
        ProbedPersons(rng.normal(size=(30, 1))[groups], pd.DataFrame({"alike": rng.normal(size=30)[groups]}), groups + first)
        for first in (0, 100)
    ]
    result = probe_attributes(persons[0], persons[1], seed=0)
    assert result.probes["control_high"][0] > 0.1
    assert result.probes["p_value"][0] > 0.05


def test_null_r2_is_larger_for_fewer_persons() -> None:
    null = NullDistribution(np.array([2.0, 8.0, 4.0]))
    interval = null.interval(100)
    assert (interval.low, interval.estimate, interval.high) == pytest.approx((0.0204, 0.04, 0.0792))
    assert null.interval(1).high == 1.0


def test_results_are_reproducible(found) -> None:
    pd.testing.assert_frame_equal(found.probes, probe_attributes(planted(0), planted(1, PERSONS), seed=0).probes)


def test_all_attributes_together_explain_a_component() -> None:
    def draw(seed: int, first_group: int) -> ProbedPersons:
        # Component 1 is two attributes plus the same variance of noise; 2 is whether `seen` is known; 3 is noise.
        rng = np.random.default_rng(seed)
        first, second, unknown = rng.normal(size=(3, PERSONS))
        seen = np.where(unknown > 0, rng.normal(size=PERSONS), np.nan)
        noise = rng.normal(size=(2, PERSONS))
        scores = np.stack([first + second + np.sqrt(2) * noise[0], 5.0 * (unknown > 0), noise[1]], axis=1)
        return ProbedPersons(
            scores, pd.DataFrame({"first": first, "second": second, "seen": seen}), first_group + np.arange(PERSONS)
        )

    result = explain_components(draw(0, 0), draw(1, PERSONS), seed=0)
    assert list(result) == EXPLAINED_COLUMNS
    assert result["all_r2"].tolist() == pytest.approx([0.5, 1.0, 0.0], abs=0.07)
    assert (result["all_p_value"] < 0.001).tolist() == [True, True, False]
    assert result["all_r2_low"][0] < result["all_r2"][0] < result["all_r2_high"][0]


@pytest.mark.parametrize("persons", [60, 100, 150])
def test_as_many_components_as_persons_do_not_hide_a_predictive_one(persons: int) -> None:
    def draw(seed: int) -> ProbedPersons:
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=(persons, 100)) * np.linspace(3, 0.1, 100)
        standing = scores[:, 0] + 0.1 * rng.normal(size=persons)
        return ProbedPersons(scores, pd.DataFrame({"standing": standing}), seed * persons + np.arange(persons))

    (row,) = probe_attributes(draw(0), draw(1), seed=0).probes.to_dict("records")
    assert row["components"] == persons // 4
    assert row["r2"] > 0.6
    assert row["r2"] > row["control_high"]

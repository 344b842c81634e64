import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from posescope.explainability.components.attribute_probes import (
    EXPLAINED_COLUMNS,
    PAIR_COLUMNS,
    PROBE_COLUMNS,
    NullDistribution,
    ProbedAttributes,
    explain_components,
    probe_attributes,
)
from posescope.explainability.components.component_findings import beats_chance

PERSONS = 600


def probed(scores, attributes, groups=None, **changes) -> ProbedAttributes:
    groups = np.arange(len(scores)) if groups is None else groups
    options = {"named": 3, "folds": 5, "shuffles": 20, "resamples": 200, "seed": 0, **changes}
    return probe_attributes(scores, attributes, groups, **options)


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, pd.DataFrame, ProbedAttributes]:
    """Half of the variance of `tall` is component 1; `wide` is components 2 and 4 together; `noise` is none."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(PERSONS, 6)) * [9, 5, 3, 2, 1, 1]
    tall = -scores[:, 0] / 9 + rng.normal(size=PERSONS)
    wide = scores[:, 1] / 5 + scores[:, 3] / 2
    attributes = pd.DataFrame({"tall": tall, "wide": wide, "noise": rng.normal(size=PERSONS)})
    attributes.loc[:99, "tall"] = np.nan
    return scores, attributes, probed(scores, attributes)


def test_planted_pairs_are_found_with_their_r2(planted) -> None:
    pairs = planted[2].correlations.set_index(["component", "attribute"])
    assert pairs.loc[(1, "tall"), "r2"] == pytest.approx(0.5, abs=0.07)
    assert pairs.loc[(2, "wide"), "r2"] == pytest.approx(0.5, abs=0.07)
    assert (pairs["r2_low"] <= pairs["r2"]).all()
    assert (pairs["r2_high"] >= pairs["r2"]).all()
    better = pairs.index[pairs.apply(beats_chance, axis=1)]
    assert sorted(better) == [(1, "tall"), (2, "wide")]
    assert list(planted[2].correlations) == PAIR_COLUMNS
    assert planted[2].correlations["component"].tolist() == [1] * 3 + [2] * 3 + [3] * 3


def test_all_components_together_predict_what_one_cannot(planted) -> None:
    probes = planted[2].probes.set_index("attribute")
    assert probes.loc["wide", "r2"] > 0.99
    assert probes.loc["tall", "r2"] == pytest.approx(0.5, abs=0.07)
    assert probes.loc["noise", "r2"] <= probes.loc["noise", "control_high"]
    assert probes["components"].tolist() == [6, 6, 6]
    assert list(planted[2].probes) == PROBE_COLUMNS


def test_correlations_use_the_persons_with_known_attributes(planted) -> None:
    scores, attributes, found = planted
    row = found.correlations.set_index(["component", "attribute"]).loc[(1, "tall")]
    assert row["persons"] == 500
    known = attributes["tall"].to_numpy()[100:]
    assert row["pearson"] == pytest.approx(np.corrcoef(scores[100:, 0], known)[0, 1])
    assert row["spearman"] == pytest.approx(spearmanr(scores[100:, 0], known).statistic)


def test_no_pair_beats_chance_in_shuffled_data(planted) -> None:
    scores, attributes, _ = planted
    for seed in range(3):
        rows = np.random.default_rng(seed).permutation(PERSONS)
        found = probed(scores, attributes.iloc[rows].reset_index(drop=True), seed=seed, shuffles=99)
        for table in (found.correlations, found.probes):
            assert not table.apply(beats_chance, axis=1).any()


def test_images_not_persons_are_shuffled_and_held_out() -> None:
    # Sixty images of ten equal persons, and components that only identify the image: nothing generalises.
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(60), 10)
    alike = rng.normal(size=60)[groups] + 0.01 * rng.normal(size=600)
    scores = rng.normal(size=(60, 3))[groups] + 0.01 * rng.normal(size=(600, 3))
    found = probed(scores, pd.DataFrame({"alike": alike}), groups)
    assert not found.correlations.apply(beats_chance, axis=1).any()
    # With ten times fewer independent units the null distribution is much wider than for one person per image.
    apart = probed(scores, pd.DataFrame({"alike": alike}))
    assert found.pair_null.maxima.max() > 3 * apart.pair_null.maxima.max()


def test_outliers_do_not_hide_a_relation() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(PERSONS, 2))
    values = scores[:, 0] + 0.1 * rng.normal(size=PERSONS)
    values[[3, 70]] = 1000, -2000  # as of torsos that point at the camera
    rare = np.where(np.arange(PERSONS) < 2, 1.0, 0.0)  # one in three hundred: clipping would remove it
    found = probed(scores, pd.DataFrame({"values": values, "rare": rare}), named=2)
    assert found.correlations.set_index(["component", "attribute"]).loc[(1, "values"), "r2"] > 0.9
    assert np.isfinite(found.correlations["r2"]).all()


def test_attributes_that_cannot_be_probed_are_left_out_with_a_reason() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(100, 4))
    few = np.where(np.arange(100) < 19, rng.normal(size=100), np.nan)
    attributes = pd.DataFrame({"few": few, "constant": 3.0, "unknown": np.nan, "fine": rng.normal(size=100)})
    found = probed(scores, attributes)
    assert found.probes["attribute"].tolist() == ["fine"]
    assert found.left_out == {
        "few": "known for 19 persons in 19 images",
        "constant": "the same for all persons",
        "unknown": "known for 0 persons in 0 images",
    }
    one_image = probed(scores, attributes, np.zeros(100, dtype=np.int64))
    assert one_image.left_out["fine"] == "known for 100 persons in 1 images"
    assert not len(one_image.correlations)
    assert not len(one_image.probes)


def test_null_r2_is_larger_for_fewer_persons() -> None:
    null = NullDistribution(np.array([2.0, 8.0, 4.0]))
    found = null.interval(100)
    assert (found.low, found.estimate, found.high) == pytest.approx((0.02, 0.04, 0.08))
    assert null.interval(4).high == 1.0


def test_results_are_reproducible(planted) -> None:
    scores, attributes, found = planted
    pd.testing.assert_frame_equal(found.correlations, probed(scores, attributes).correlations)


def test_all_attributes_together_explain_a_component() -> None:
    rng = np.random.default_rng(0)
    first, second, unknown = rng.normal(size=(3, PERSONS))
    # Component 1 is two attributes plus the same variance of noise; 2 is whether `seen` is known; 3 is noise.
    seen = np.where(unknown > 0, rng.normal(size=PERSONS), np.nan)
    scores = np.stack(
        [first + second + np.sqrt(2) * rng.normal(size=PERSONS), 5.0 * (unknown > 0), rng.normal(size=PERSONS)], axis=1
    )
    attributes = pd.DataFrame({"first": first, "second": second, "seen": seen})
    found = explain_components(scores, attributes, np.arange(PERSONS), folds=5, shuffles=99, resamples=200, seed=0)
    assert list(found) == EXPLAINED_COLUMNS
    assert found["all_r2"].tolist() == pytest.approx([0.5, 1.0, 0.0], abs=0.07)
    better = (found["all_r2"] > found["all_control_high"]) & (found["all_r2_low"] > 0)
    assert better.tolist() == [True, True, False]
    assert found["all_r2_low"][0] < found["all_r2"][0] < found["all_r2_high"][0]


@pytest.mark.parametrize("persons", [60, 100, 150])
def test_as_many_components_as_persons_do_not_hide_a_predictive_one(persons: int) -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(persons, 100)) * np.linspace(3, 0.1, 100)
    attributes = pd.DataFrame({"standing": scores[:, 0] + 0.1 * rng.normal(size=persons)})
    found = probe_attributes(scores, attributes, np.arange(persons), named=1, folds=5, shuffles=10, resamples=100, seed=0)
    (row,) = found.probes.to_dict("records")
    assert row["components"] == persons // 4
    assert row["r2"] > 0.6
    assert row["r2"] > row["control_high"]

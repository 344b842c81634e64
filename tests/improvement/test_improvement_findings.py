"""Tests of posescope.improvement.improvement_findings with and without planted differences."""

import json

import numpy as np
import pandas as pd
import pytest
from tests.improvement.conftest import hits, scores

from posescope.core.origin import Origin, OriginMismatchError, add_origin
from posescope.improvement.code_size import CodeSize
from posescope.improvement.improvement_findings import conclude
from posescope.improvement.options import FineTuning
from posescope.improvement.variant_comparison import COMPARISONS, compare_by_joint, compare_by_person

RECONSTRUCTION = pd.DataFrame(
    [
        {"stack": 1, "method": method, "dimensions": dimensions, "active_dimensions": dimensions, "persons": 30, "mse": 1 - kept,
         "explained_variance": kept, "difference_to_pca": against, "low": against - 0.01, "high": against + 0.01}
        for method, dimensions, kept, against in (("autoencoder", 4, 0.8, 0.1), ("pca", 4, 0.7, 0.0), ("mean", 0, 0.0, -0.7))
    ]
)  # fmt: skip
BOTTLENECKS = pd.DataFrame(
    [
        {"variant": variant, "layer": layer, "persons": 30, "dimensions": 64, "components_95": count,
         "participation_ratio": count / 2}
        for variant, layer, count in (
            ("original", "stack1.bottleneck", 20), ("continued", "stack1.bottleneck", 19), ("improved", "stack1.bottleneck", 9),
            ("improved", "stack1.code", 3), ("improved", "stack1.restored", 3),
        )
    ]
)  # fmt: skip


def outcome(gain: float, better: str = "nose") -> dict:
    metric_values, joints = compare_by_person(scores(gain), 0, 200), compare_by_joint(hits(better), 0, 200)
    return conclude(CodeSize(4, "planted"), metric_values, joints, RECONSTRUCTION, BOTTLENECKS, FineTuning(epochs=5))


def test_comparisons_name_both_models() -> None:
    own = Origin(model="o" * 16, data="d" * 16)
    prints = {"original": own.model, "mean_ablated": own.model, "inserted": "i", "continued": "c", "improved": "m"}
    persons, joints = scores(0.1), hits("nose")
    persons = add_origin(persons.assign(variant_model=persons["variant"].map(prints)), own)
    joints = add_origin(joints.assign(variant_model=joints["variant"].map(prints)), own)
    metric_values, by_joint = compare_by_person(persons, 0, 20), compare_by_joint(joints, 0, 20)
    for table in (metric_values, by_joint):
        assert {(row.model_a, row.model_b) for row in table.itertuples()} == {(prints[a], prints[b]) for a, b in COMPARISONS}
    assert set(metric_values["metric"]) == {"pck_thesis"}, "fingerprints are no metrics"
    marked = [add_origin(table, own) for table in (metric_values, by_joint, RECONSTRUCTION, BOTTLENECKS)]
    found = conclude(CodeSize(4, "planted"), *marked, FineTuning(epochs=5))
    assert (found["model"], found["data"], found["models"]) == (own.model, own.data, prints)
    marked[2] = add_origin(RECONSTRUCTION, Origin(model="before", data=own.data))
    with pytest.raises(OriginMismatchError) as caught:
        conclude(CodeSize(4, "planted"), *marked, FineTuning(epochs=5))
    assert caught.value.names == ("reconstruction",)


@pytest.mark.parametrize(
    ("gain", "verdict", "words"),
    [(0.1, "supported", "higher than"), (-0.1, "refuted", "lower than"), (0.0, "refuted", "counts as no difference")],
)
def test_verdict_follows_the_difference(gain, verdict, words) -> None:
    found = outcome(gain)
    finding = found["findings"][0]
    assert (finding["id"], finding["verdict"]) == ("autoencoder-helps", verdict)
    assert words in finding["statement"]
    assert finding["effect"] == pytest.approx(gain, abs=0.005)
    assert finding["control"]["value"] == pytest.approx(0.05, abs=0.005)
    assert finding["importance"] == pytest.approx(max(gain, 0.0), abs=0.005)
    assert finding["statement"] in found["note"]
    assert finding["p_adjusted"] >= finding["p_value"]


def test_gain_of_fine_tuning_alone_is_no_gain() -> None:
    """0.05 above the original with an interval above zero, but the control gains as much."""
    finding = outcome(0.0)["findings"][0]
    assert finding["control"]["low"] > 0
    assert finding["verdict"] == "refuted"


def test_findings_of_insertion_and_reconstruction_and_the_note() -> None:
    found = outcome(0.1, better="knee")
    _, inserted, reconstruction = found["findings"]
    assert "a code of 4 numbers is not enough" in inserted["statement"].lower()
    assert (inserted["effect"], inserted["control"]["value"]) == pytest.approx((0.3, 0.4), abs=0.01)
    assert inserted["verdict"] == "refuted"
    assert (reconstruction["effect"], reconstruction["control"]["value"]) == (0.8, 0.7)
    assert reconstruction["verdict"] == "supported"
    assert reconstruction["statement"] == (
        "The 4 numbers of the autoencoder keep 80.0% of the variance of the bottleneck, more than as many principal components."
    )
    # Without an interval there is no answer, so the dimensions are in the note.
    assert "95 % of its variance in 3 components, in 20 in the original, and in 19 after fine-tuning" in found["note"]
    assert "Of 2 joints 1 are better with it (knee) and 0 worse (none)" in found["note"]
    assert found["scores"]["inserted"]["pck_thesis"] == pytest.approx(found["scores"]["original"]["pck_thesis"] - 0.3, abs=0.01)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(("mean_ablated", "verdict"), [(-0.4, "supported"), (0.0, "inconclusive")])
def test_code_is_sufficient_only_if_the_bottleneck_matters(mean_ablated, verdict) -> None:
    table = scores(0.1)
    base = table.loc[table["variant"] == "original", "pck_thesis"].to_numpy()
    table.loc[table["variant"] == "inserted", "pck_thesis"] = base
    table.loc[table["variant"] == "mean_ablated", "pck_thesis"] = base + mean_ablated
    metric_values, joints = compare_by_person(table, 0, 200), compare_by_joint(hits("nose"), 0, 200)
    found = conclude(CodeSize(4, "planted"), metric_values, joints, RECONSTRUCTION, BOTTLENECKS, FineTuning(epochs=5))
    assert found["findings"][1]["verdict"] == verdict


def test_reconstruction_without_an_interval_is_no_finding() -> None:
    unknown = RECONSTRUCTION.assign(low=np.nan, high=np.nan)
    metric_values, joints = compare_by_person(scores(0.1), 0, 200), compare_by_joint(hits("nose"), 0, 200)
    found = conclude(CodeSize(4, "planted"), metric_values, joints, unknown, BOTTLENECKS, FineTuning(epochs=5))
    assert [finding["id"] for finding in found["findings"]] == ["autoencoder-helps", "code-is-enough"]

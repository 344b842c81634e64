"""Tests of posescope.improvement.improvement_findings with and without planted differences."""

import json

import numpy as np
import pandas as pd
import pytest
from tests.improvement.conftest import hits, scores

from posescope.core.origin import Origin, OriginMismatchError, add_origin
from posescope.improvement.code_size import CodeSize
from posescope.improvement.improvement_findings import _claim_of_reconstruction, _claims_of_reconstruction, conclude
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
    ("gain", "verdict", "passed"),
    [(0.1, "helps", True), (-0.1, "harms", False), (0.0, "makes no significant difference", False)],
)
def test_verdict_follows_the_difference(gain, verdict, passed) -> None:
    found = outcome(gain)
    claim = found["findings"][0]
    assert f"in the bottleneck {verdict}:" in claim["statement"]
    assert claim["passed"] is passed
    assert claim["value"] == pytest.approx(gain, abs=0.005)
    assert claim["control"]["value"] == pytest.approx(0.05, abs=0.005)
    assert claim["importance"] == pytest.approx(gain if passed else 0.0, abs=0.005)
    assert claim["statement"] in found["note"]


def test_gain_of_fine_tuning_alone_is_no_gain() -> None:
    """0.05 above the original with an interval above zero, but the control gains as much."""
    claim = outcome(0.0)["findings"][0]
    assert claim["control"]["low"] > 0
    assert not claim["passed"]


def test_claims_of_insertion_reconstruction_dimensionality_and_joints() -> None:
    found = outcome(0.1, better="knee")
    _, inserted, reconstruction, directions = found["findings"]
    assert "a code of 4 numbers is not enough" in inserted["statement"]
    assert (inserted["value"], inserted["control"]["value"]) == pytest.approx((-0.3, -0.4), abs=0.01)
    assert not inserted["passed"]
    assert (reconstruction["value"], reconstruction["control"]["value"], reconstruction["passed"]) == (0.8, 0.7, True)
    assert (directions["value"], directions["control"]["value"], directions["passed"]) == (3.0, 19.0, True)
    assert "Of 2 joints 1 are better with it (knee) and 0 worse (none)" in found["note"]
    assert found["scores"]["inserted"]["pck_thesis"] == pytest.approx(found["scores"]["original"]["pck_thesis"] - 0.3, abs=0.01)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("mean_ablated", "passed", "verdict"), [(-0.4, True, "is enough"), (0.0, False, "hardly needs its bottleneck")]
)
def test_code_is_sufficient_only_if_the_bottleneck_matters(mean_ablated, passed, verdict) -> None:
    table = scores(0.1)
    base = table.loc[table["variant"] == "original", "pck_thesis"].to_numpy()
    table.loc[table["variant"] == "inserted", "pck_thesis"] = base
    table.loc[table["variant"] == "mean_ablated", "pck_thesis"] = base + mean_ablated
    metric_values, joints = compare_by_person(table, 0, 200), compare_by_joint(hits("nose"), 0, 200)
    claim = conclude(CodeSize(4, "planted"), metric_values, joints, RECONSTRUCTION, BOTTLENECKS, FineTuning(epochs=5))[
        "findings"
    ][1]
    assert claim["passed"] is passed
    assert verdict in claim["statement"]


def test_claim_of_the_reconstruction() -> None:
    claim = _claim_of_reconstruction(RECONSTRUCTION).statement
    assert claim == (
        "On 30 evaluation persons the 4 numbers of the autoencoder of stack 1 (4 in use) explain 80.0% of the variance of the "
        "bottleneck, more than as many principal components (70.0%)."
    )


def test_reconstruction_without_an_interval_is_no_claim() -> None:
    assert len(list(_claims_of_reconstruction(RECONSTRUCTION))) == 1
    unknown = RECONSTRUCTION.assign(low=np.nan, high=np.nan)
    assert not list(_claims_of_reconstruction(unknown))

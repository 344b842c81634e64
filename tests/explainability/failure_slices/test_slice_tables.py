import numpy as np
import pandas as pd
import pytest

from posescope.explainability.failure_slices.cross_fitting import SearchOptions
from posescope.explainability.failure_slices.slice_judgement import find_failure_slices
from posescope.explainability.failure_slices.slice_tables import (
    describe_errors,
    tabulate_conditions,
    tabulate_error_types,
    tabulate_properties,
    tabulate_slices,
)
from posescope.explainability.failure_slices.slice_words import RuleWords


@pytest.fixture(scope="module")
def slices():
    rng = np.random.default_rng(0)
    columns = pd.DataFrame({"size": rng.normal(size=200), "occluded": rng.random(200)})
    columns["truncated"] = (rng.random(200) < 0.3).astype(float)
    pck = np.where(columns["size"] < -1, 0.4, 0.9) + 0.02 * rng.normal(size=200)
    found = find_failure_slices(columns, columns, pck, np.arange(200), SearchOptions(permutations=20, resamples=100), 0)
    return found[:1]


def test_a_slice_without_explanation_has_the_gap_adjusted_for_all_properties(slices):
    row = tabulate_slices(slices, [RuleWords("small", "size below -1")]).iloc[0]
    assert row["gap"] == pytest.approx(row["pck_outside"] - row["pck_inside"])
    assert row["explained_by"] == ""
    assert row["adjusted_gap"] == slices[0].adjusted["several"].estimate
    assert tabulate_properties(slices)["property"].tolist() == ["occluded", "truncated", "several"]  # the rule is about the size


def test_the_rules_of_all_folds_are_kept(slices):
    rows = tabulate_conditions(slices)
    assert rows["fold"].tolist() == [-1, 0, 1, 2, 3, 4]
    assert rows["threshold"].iloc[0] == rows["threshold"].iloc[1:].median()


def test_error_types_are_fractions_of_the_labelled_joints(slices):
    inside = slices[0].fitted.inside == 1
    types = np.where(inside[:, None], [[4, -1, 1, 4]], [[0, 0, 0, -1]]).astype(np.int8)
    found = tabulate_error_types(slices, types).set_index(["side", "type"])["fraction"]
    assert found["inside", "miss"] == pytest.approx(2 / 3)
    assert (found["inside", "jitter"], found["outside", "good"]) == (pytest.approx(1 / 3), 1.0)
    assert len(tabulate_error_types(slices, None)) == 0
    described = describe_errors(tabulate_error_types(slices, types), 1)
    assert described == " Most increased error: joints far off (67% of the joints, 0% on all others)."
    assert describe_errors(tabulate_error_types(slices, None), 1) == ""


def test_no_slices_give_empty_tables_with_columns():
    assert len(tabulate_slices([], [])) == 0
    assert "words" in tabulate_slices([], [])
    assert list(tabulate_conditions([])) == ["slice", "fold", "feature", "comparison", "threshold"]

"""Reduced form of the planted benchmark (benchmarks/truth/failure_slices.py)."""

import numpy as np
import pytest

from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.failure_slices.cross_fitting import SearchOptions
from posescope.explainability.failure_slices.rules import as_columns
from posescope.explainability.failure_slices.slice_judgement import find_failure_slices

OPTIONS = SearchOptions(permutations=30, resamples=200)


def found_in(data, without=()):
    columns, groups, pck = data
    return find_failure_slices(columns.drop(columns=list(without)), columns[["size", "occluded"]], pck, groups, OPTIONS, seed=0)


def test_a_planted_slice_is_found_and_judged(planted):
    columns, groups, pck = planted("slice")
    found = found_in((columns, groups, pck))[0]
    truth = columns["component_9"].to_numpy() > 1.2
    covered = found.rule.covers(as_columns(columns))
    both = (covered & truth).sum()
    assert found.is_claimed
    assert found.rule.features == ("component_9",)
    assert min(both / covered.sum(), both / truth.sum()) >= 0.8
    assert found.gap.low < 0.4 < found.gap.high
    assert found.explained_by == ""
    inside = found.fitted.inside == 1
    assert found.persons == inside.sum() == len(found.members)
    assert found.inside.estimate == pytest.approx(pck[inside].mean())
    judged = found.fitted.inside >= 0
    assert found.share_of_error == pytest.approx((1 - pck)[inside].sum() / (1 - pck)[judged].sum())


def test_a_property_does_not_explain_a_rule_about_itself(planted):
    claimed = [one for one in found_in(planted("confounder"), without=["component_9"]) if one.is_claimed]
    assert claimed[0].rule.features == ("occluded",)
    assert claimed[0].explained_by == ""
    assert "occluded" not in claimed[0].adjusted


def test_nothing_is_claimed_where_nothing_is_planted(planted):
    claims = [any(one.is_claimed for one in found_in(planted("nothing", seed))) for seed in range(6)]
    assert sum(claims) <= 1


def test_a_confounder_is_named(planted):
    claimed = [one for one in found_in(planted("confounder"), without=["occluded"]) if one.is_claimed]
    assert claimed
    assert all(one.explained_by == "occluded" for one in claimed if "component_9" in one.rule.features)


def test_other_lengths_and_unknown_pck_are_refused(planted):
    columns, groups, pck = planted("nothing")
    with pytest.raises(ExplainabilityError):
        find_failure_slices(columns, columns, pck[:-1], groups, OPTIONS, 0)
    with pytest.raises(ExplainabilityError):
        find_failure_slices(columns, columns, np.where(np.arange(len(pck)) == 3, np.nan, pck), groups, OPTIONS, 0)

import numpy as np

from posescope.explainability.failure_slices.cross_fitting import CrossFitting, SearchOptions, assign_folds
from posescope.explainability.failure_slices.rules import as_columns


def test_persons_of_one_photograph_are_in_one_fold():
    groups = np.repeat(np.arange(50), 3)
    folds = assign_folds(groups, 5, seed=0)
    assert all(len(set(folds[groups == group])) == 1 for group in range(50))
    assert np.bincount(folds).tolist() == [30] * 5


def test_each_person_is_judged_by_a_rule_of_the_other_photographs(planted):
    columns, groups, pck = planted("slice")
    fitting = CrossFitting.prepare(as_columns(columns), groups, SearchOptions(), seed=0)
    found = fitting.find(pck)[0]
    assert found.rule.features == ("component_9",)
    for fold, rule in enumerate(found.rules):
        own = found.folds == fold
        assert found.inside[own].tolist() == rule.covers(as_columns(columns))[own].astype(int).tolist()
        # Other PCK of the judged persons changes no rule that judges them.
        changed = np.where(own, 1 - pck, pck)
        again = [one.rules[fold] for one in fitting.find(changed)]
        assert rule in again or not again


def test_the_gap_is_a_weighted_sum(planted):
    columns, groups, pck = planted("slice")
    found = CrossFitting.prepare(as_columns(columns), groups, SearchOptions(), seed=0).find(pck)[0]
    gap = pck[found.inside == 0].mean() - pck[found.inside == 1].mean()
    np.testing.assert_allclose(found.contrast @ pck, gap)
    assert found.contrast[found.inside < 0].tolist() == [0.0] * int((found.inside < 0).sum())


def test_no_columns_give_no_slice():
    fitting = CrossFitting.prepare({}, np.arange(60), SearchOptions(), seed=0)
    assert fitting.find(np.linspace(0, 1, 60)) == ()

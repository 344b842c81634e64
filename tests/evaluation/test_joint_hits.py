"""Tests of posescope.evaluation.per_joint."""

from dataclasses import replace

import numpy as np
import pytest

from posescope.core.skeleton import Skeleton
from posescope.core.tables import JointHits
from posescope.evaluation.metrics.oks import Oks, OksOptions
from posescope.evaluation.metrics.pck_thesis import PckThesis, PckThesisOptions
from posescope.evaluation.per_joint import tabulate_joint_hits

SKELETON = Skeleton(("nose", "left_hand"), (), (0.1, 0.1))


def test_rows_by_hand(make_scored):
    """Person 0: nose right, hand 30 px off; person 1: the nose is unlabelled, the hand was not predicted."""
    scored = make_scored(
        predicted=[[[10, 10], [50, 80]], [[1, 1], [np.nan, np.nan]]],
        truth=[[[10, 10], [50, 50]], [[np.nan, np.nan], [5, 5]]],
        visibility=[[2, 1], [0, 2]],
        image_ids=np.array([70, 80]),
    )
    table = tabulate_joint_hits(scored, SKELETON)
    JointHits.validate(table)
    assert table["person_id"].tolist() == [0, 0, 1]
    assert table["image_id"].tolist() == [70, 70, 80]
    assert table["joint"].tolist() == ["nose", "left_hand", "left_hand"]
    assert table["visibility"].tolist() == [2, 1, 2]
    # exp(-30^2 / (2 x 0.1)^2 / 2500 / 2) = exp(-4.5)
    assert table["oks"].tolist() == pytest.approx([1, np.exp(-4.5), 0])
    assert table["pck_thesis"].tolist() == [1, 0, 0]


def test_without_a_crop_nobody_knows_the_hit(make_scored):
    """Another system may find somebody who has no crop: the OKS is known, the study's PCK is not."""
    scored = make_scored([[[10, 10]], [[10, 10]]], [[[10, 10]], [[10, 10]]], [[2], [2]])
    lost = np.where(np.arange(2)[:, None, None] == 1, np.nan, scored.crop_from_image)
    table = tabulate_joint_hits(replace(scored, crop_from_image=lost), Skeleton(("nose",), (), (0.1,)))
    assert table["oks"].tolist() == [1, 1]
    np.testing.assert_array_equal(table["pck_thesis"], [1, np.nan])


def test_who_was_missed_has_hit_nothing_with_a_crop_or_without(make_scored):
    missed = np.full((2, 1, 2), np.nan)
    scored = make_scored(missed, [[[10, 10]], [[10, 10]]], [[2], [1]])
    lost = np.where(np.arange(2)[:, None, None] == 1, np.nan, scored.crop_from_image)
    table = tabulate_joint_hits(replace(scored, crop_from_image=lost), Skeleton(("nose",), (), (0.1,)))
    assert table["oks"].tolist() == table["pck_thesis"].tolist() == [0, 0]
    assert table["x"].tolist() == table["y"].tolist() == [10, 10]


def test_their_means_are_the_metrics_own_figures(make_scored):
    rng = np.random.default_rng(0)
    scored = make_scored(rng.uniform(90, 130, (60, 2, 2)), rng.uniform(95, 105, (60, 2, 2)), rng.integers(0, 3, (60, 2)))
    table = tabulate_joint_hits(scored, SKELETON)
    for name, metric in {"oks": Oks(OksOptions()), "pck_thesis": PckThesis(PckThesisOptions())}.items():
        of_persons = table.groupby("person_id")[name].mean()
        expected = metric(scored)
        assert of_persons.mean() == pytest.approx(expected.metric_values[name])
        of_joints = table.groupby("joint")[name].mean()[list(SKELETON.joints)]
        np.testing.assert_allclose(of_joints, expected.per_joint[name])


def test_nobody(make_scored):
    table = tabulate_joint_hits(make_scored(np.empty((0, 2, 2)), np.empty((0, 2, 2)), np.empty((0, 2))), SKELETON)
    assert len(table) == 0
    JointHits.validate(table)

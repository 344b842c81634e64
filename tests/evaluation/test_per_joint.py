"""Tests of posescope.evaluation.per_joint."""

from dataclasses import replace

import numpy as np
import pytest

from posescope.core.plugins import Options
from posescope.evaluation.metrics.oks import Oks, OksOptions
from posescope.evaluation.metrics.pck_thesis import PckThesis
from posescope.evaluation.per_joint import joint_error_table, tabulate_joint_hits
from posescope.evaluation.table_schemas import JointHits


def test_joint_error_table_by_hand(make_scored) -> None:
    # Joint 0: 5 px where visible, 10 px where occluded; the box's longer side is 100 px. Joint 1: never labelled.
    truth = [[[0, 0], [np.nan, np.nan]], [[0, 0], [np.nan, np.nan]]]
    table = joint_error_table(make_scored([[[3, 4], [0, 0]], [[10, 0], [0, 0]]], truth, [[2, 0], [1, 0]]))
    columns = ["joint", "visibility", "persons", "not_found", "labelled", "mean_error_px", "normalised_mean_error"]
    assert list(table.columns) == columns
    nose = table[table["joint"] == "nose"].set_index("visibility")
    assert nose.loc["visible", "mean_error_px"] == 5.0
    assert nose.loc["occluded", "mean_error_px"] == 10.0
    assert nose.loc["all", "mean_error_px"] == 7.5
    assert nose.loc["all", "normalised_mean_error"] == pytest.approx(0.075)
    hand = table[table["joint"] == "left_hand"]
    assert hand["labelled"].tolist() == [0, 0, 0]
    assert hand["mean_error_px"].isna().all()


def test_person_without_prediction_is_counted_and_has_no_error(make_scored) -> None:
    table = joint_error_table(make_scored([[[3, 4]], [[np.nan, np.nan]]], [[[0, 0]], [[0, 0]]], [[2], [2]]))
    visible = table.set_index("visibility").loc["visible"]
    assert visible[["persons", "not_found", "labelled", "mean_error_px"]].tolist() == [2, 1, 1, 5.0]


def test_without_persons_nothing_is_labelled(make_scored) -> None:
    table = joint_error_table(make_scored(np.empty((0, 1, 2)), np.empty((0, 1, 2)), np.empty((0, 1))))
    assert table["labelled"].tolist() == [0, 0, 0]


def test_joint_hits_by_hand(make_scored):
    """Person 0: nose correct, hand 30 px off. Person 1: nose unlabelled, hand not predicted."""
    scored = make_scored(
        predicted=[[[10, 10], [50, 80]], [[1, 1], [np.nan, np.nan]]],
        truth=[[[10, 10], [50, 50]], [[np.nan, np.nan], [5, 5]]],
        visibility=[[2, 1], [0, 2]],
        image_ids=np.array([70, 80]),
    )
    table = tabulate_joint_hits(scored)
    JointHits.validate(table)
    assert table["person_id"].tolist() == [0, 0, 1]
    assert table["image_id"].tolist() == [70, 70, 80]
    assert table["joint"].tolist() == ["nose", "left_hand", "left_hand"]
    assert table["visibility"].tolist() == [2, 1, 2]
    # exp(-30^2 / (2 x 0.1)^2 / 2500 / 2) = exp(-4.5)
    assert table["oks"].tolist() == pytest.approx([1, np.exp(-4.5), 0])
    assert table["pck_thesis"].tolist() == [1, 0, 0]


def test_joint_hits_are_unknown_without_a_crop(make_scored):
    """Another system may find a person without crop: its OKS is known, the thesis's PCK is not."""
    scored = make_scored([[[10, 10]], [[10, 10]]], [[[10, 10]], [[10, 10]]], [[2], [2]])
    lost = np.where(np.arange(2)[:, None, None] == 1, np.nan, scored.crop_from_image)
    table = tabulate_joint_hits(replace(scored, crop_from_image=lost))
    assert table["oks"].tolist() == [1, 1]
    np.testing.assert_array_equal(table["pck_thesis"], [1, np.nan])


def test_joint_hits_of_a_missed_person_are_0_with_and_without_a_crop(make_scored):
    missed = np.full((2, 1, 2), np.nan)
    scored = make_scored(missed, [[[10, 10]], [[10, 10]]], [[2], [1]])
    lost = np.where(np.arange(2)[:, None, None] == 1, np.nan, scored.crop_from_image)
    table = tabulate_joint_hits(replace(scored, crop_from_image=lost))
    assert table["oks"].tolist() == table["pck_thesis"].tolist() == [0, 0]
    assert table["x"].tolist() == table["y"].tolist() == [10, 10]


def test_means_of_joint_hits_are_the_metric_values(make_scored):
    rng = np.random.default_rng(0)
    scored = make_scored(rng.uniform(90, 130, (60, 2, 2)), rng.uniform(95, 105, (60, 2, 2)), rng.integers(0, 3, (60, 2)))
    table = tabulate_joint_hits(scored)
    for name, metric in {"oks": Oks(OksOptions()), "pck_thesis": PckThesis(Options())}.items():
        of_persons = table.groupby("person_id")[name].mean()
        expected = metric(scored)
        assert of_persons.mean() == pytest.approx(expected.metric_values[name])
        of_joints = table.groupby("joint")[name].mean()[["nose", "left_hand"]]
        np.testing.assert_allclose(of_joints, expected.per_joint[name])


def test_without_persons_joint_hits_are_empty(make_scored):
    table = tabulate_joint_hits(make_scored(np.empty((0, 2, 2)), np.empty((0, 2, 2)), np.empty((0, 2))))
    assert len(table) == 0
    JointHits.validate(table)

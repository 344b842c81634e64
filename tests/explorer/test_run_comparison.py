"""The comparison of two runs: hand-computed values, and the values of `posescope compare`."""

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.explorer.two_runs import TRUE, make_run

from posescope.core.errors import OptionsError
from posescope.evaluation.paired_comparison import compare_persons
from posescope.explorer.run_comparison import ERROR, PCK, RunPair
from posescope.explorer.table_metadata import SkeletonAbout

HIT, MISS = 0.0, 50.0  # px of a crop of 100 px; PCK accepts about 5


@pytest.fixture
def pair(tmp_path: Path) -> RunPair:
    """Return runs of four persons: 10 got better by one joint of three, 11 worse by two, 12 is equal, 13 was trained on by B."""
    first = make_run(tmp_path / "a", [[HIT, MISS, HIT], [HIT, HIT, HIT], [HIT, HIT, MISS], [MISS, MISS, MISS]])
    splits = {"split": ["val", "val", "val", "train"]}
    second = make_run(
        tmp_path / "b", [[HIT, HIT, HIT], [MISS, HIT, MISS], [HIT, HIT, MISS], [HIT, HIT, HIT]], columns=splits
    )  # fmt: skip
    return RunPair(first, second)


def test_values_by_hand(pair: RunPair) -> None:
    found = pair.compare(PCK)
    assert pair.person_ids[found.rows].tolist() == [10, 11, 12]
    np.testing.assert_allclose(found.gains, [1 / 3, -2 / 3, 0])
    assert (found.better, found.worse, found.equal, found.photographs) == (1, 1, 1, 2)
    assert found.overall.a == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert found.overall.difference == pytest.approx(-1 / 9)
    assert [joint.difference for joint in found.joints] == pytest.approx([-1 / 3, 1 / 3, -1 / 3])
    assert [joint.count for joint in found.joints] == [3, 3, 3]
    error = pair.compare(ERROR)
    np.testing.assert_allclose(error.gains, [50 / 3, -100 / 3, 0])
    assert error.overall.difference == pytest.approx(50 / 9)
    assert error.joints[1].difference == pytest.approx(-50 / 3)
    np.testing.assert_allclose(pair.distances_of(1)[1], [50, 0, 50])


def test_persons_of_the_training_set_count_on_request_only(pair: RunPair) -> None:
    assert pair.trained_a.tolist() == [False] * 4
    assert pair.trained_b.tolist() == [False, False, False, True]
    found = pair.compare(PCK, include_trained=True)
    assert found.overall.count == 4
    assert found.trained.tolist() == [False, False, False, True]
    assert pair.person_ids[found.most_improved(9)].tolist() == [13, 10]
    assert pair.person_ids[pair.compare(PCK).most_improved(9)].tolist() == [10]
    assert pair.person_ids[found.most_worsened(9)].tolist() == [11]
    assert found.most_improved(1).tolist() == [3]


def test_splits_of_an_explanation_are_no_training(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, np.zeros((2, 3)), explanation=True, columns={"split": "train"}) for name in "ab"]
    assert RunPair(*runs).compare(PCK).overall.count == 2


def test_groups_are_those_of_the_first_run(pair: RunPair) -> None:
    groups = pair.compare(PCK).groups
    assert [(one.kind, one.name) for one in groups] == [("slice", "persons in dark images"), ("cluster", "group 2 (large)")]
    assert [one.metric.count for one in groups] == [1, 1]
    assert groups[0].metric.difference == pytest.approx(1 / 3)
    assert groups[0].photographs == 1


def test_intervals_are_those_of_the_command_compare(tmp_path: Path) -> None:
    """Persons of two photographs each, in another order than the ids, and one without labels."""
    rng = np.random.default_rng(0)
    errors = rng.choice([HIT, MISS], size=(2, 60, 3))
    true = np.tile(TRUE, (60, 1, 1))
    true[7] = np.nan
    oks = rng.uniform(size=(2, 60)).astype(np.float32)
    runs = [
        make_run(tmp_path / name, own, true=true, order=rng.permutation(60), columns={"oks": similarity})
        for name, own, similarity in zip("ab", errors, oks, strict=True)
    ]
    pair = RunPair(*runs)
    rows = np.arange(60)
    tables = [
        pd.DataFrame(
            {
                "person_id": rows + 10,
                "image_id": rows // 2,
                "found": True,
                PCK: np.where(rows == 7, np.nan, (own == HIT).mean(axis=1)),
                "oks": similarity,
            }
        )
        for own, similarity in zip(errors, oks, strict=True)
    ]
    expected = {metric.name: metric for metric in compare_persons(*tables).metric_values}
    for name in (PCK, "oks"):
        assert astuple(pair.compare(name).overall)[1:] == pytest.approx(astuple(expected[name])[1:])
    assert expected[PCK].count == 59
    assert expected[PCK].low < expected[PCK].difference < expected[PCK].high


def test_scores_over_other_joints_are_left_out(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", np.zeros((2, 3)))
    second = make_run(tmp_path / "b", np.zeros((2, 2)), skeleton=SkeletonAbout(joints=("left_dot", "middle")))
    pair = RunPair(first, second)
    assert list(pair.scores) == [PCK, ERROR]
    assert pair.shared_scores == ("oks",)
    assert pair.skeleton.joints == ("left_dot", "middle")
    assert pair.skeleton.limbs == ((0, 1),)
    assert list(RunPair(first, first).scores) == [PCK, "oks", ERROR]


def test_scores_of_the_tables_count_where_the_labels_are_the_same(tmp_path: Path) -> None:
    true = np.tile(TRUE, (3, 1, 1))
    first = make_run(tmp_path / "a", np.zeros((3, 3)), true=true)
    true[1, 0] = np.nan
    pair = RunPair(first, make_run(tmp_path / "b", np.zeros((3, 3)), true=true))
    assert np.isnan(pair.scores["oks"].gains).tolist() == [False, True, False]
    assert (pair.compare("oks").overall.count, pair.compare(PCK).overall.count) == (2, 3)


def test_no_person_is_left(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", np.zeros((2, 3)), columns={"split": "train"})
    found = RunPair(run, run).compare(PCK)
    assert (found.overall.count, found.photographs, len(found.rows)) == (0, 0, 0)
    assert np.isnan(found.overall.difference)


@pytest.mark.parametrize(
    ("a", "b", "expected"), [("full", "none", "none"), ("blurred", "full", "blurred"), ("full", "full", "full")]
)
def test_stricter_rule_on_photographs_holds(tmp_path: Path, a: str, b: str, expected: str) -> None:
    runs = [make_run(tmp_path / name, np.zeros((1, 3)), photographs=mode) for name, mode in (("a", a), ("b", b))]
    assert RunPair(*runs).photographs == expected


def test_unknown_score_and_person(pair: RunPair) -> None:
    with pytest.raises(OptionsError, match="pck_thesis"):
        pair.compare("speed")
    assert pair.row_of(11) == 1
    assert pair.row_of(99) is None

"""Sentences of a comparison: the direction of the difference, who is left out, and what is by chance."""

from pathlib import Path

import numpy as np
import pytest
from tests.explorer.two_runs import TRUE, make_run

from posescope.evaluation.paired_comparison import PairedMetric
from posescope.explorer.comparison_words import describe_groups, describe_joints, describe_persons, headline, words_of
from posescope.explorer.run_comparison import ERROR, PCK, RunPair
from posescope.explorer.table_metadata import SkeletonAbout

MISS = 50.0


@pytest.fixture
def worse(tmp_path: Path) -> RunPair:
    """Return runs of 60 persons in 30 photographs: the first joint of B misses at two of three persons."""
    errors = np.zeros((60, 3))
    first = make_run(tmp_path / "a", errors)
    errors[np.arange(60) % 3 > 0, 0] = MISS
    return RunPair(first, make_run(tmp_path / "b", errors))


def test_headline_states_direction_interval_and_persons(worse: RunPair) -> None:
    text = headline(worse.compare(PCK))
    assert text.startswith("B places 22.2 [")
    assert "percentage points fewer" in text
    assert text.endswith("on 60 persons in 30 photographs: better on 0, worse on 40, equal on 20.")
    low, high = map(float, text.split("[")[1].split("]")[0].split(", "))
    assert 0 < low < 22.2 < high
    assert "farther from" in headline(worse.compare(ERROR))
    turned = RunPair(worse.second, worse.first)
    assert "percentage points more" in headline(turned.compare(PCK))
    assert "nearer to" in headline(turned.compare(ERROR))


def test_interval_that_includes_zero_decides_nothing(tmp_path: Path) -> None:
    errors = np.zeros((60, 3))
    errors[:5, 0] = MISS
    first, second = make_run(tmp_path / "a", errors), make_run(tmp_path / "b", np.roll(errors, 30, axis=0))
    assert "is open" in headline(RunPair(first, second).compare(PCK))
    assert (
        headline(RunPair(first, first).compare(PCK))
        == "A and B have the same values on all persons: 60 persons in 30 photographs."
    )


def test_few_photographs_are_named(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, [[miss, 0.0, 0.0]]) for name, miss in (("a", 0.0), ("b", MISS))]
    assert headline(RunPair(*runs).compare(PCK)).endswith("Intervals of fewer than 20 photographs are too narrow.")


def test_no_person_is_left(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", np.zeros((2, 3)), columns={"split": "train"})
    pair = RunPair(run, run)
    assert headline(pair.compare(PCK)).startswith("No person can be compared")
    assert describe_persons(pair, False)[0].startswith("2 of 2 common persons were used for training (2 by A and B) and are left")
    assert "no fair comparison" in describe_persons(pair, True)[0]


def test_one_person_has_verbs_in_the_singular(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", np.zeros((1, 3)), columns={"split": "train"})
    pair = RunPair(run, run)
    assert describe_persons(pair, False)[0].startswith("1 of 1 common person was used for training (1 by A and B) and is left")
    assert "and is included" in describe_persons(pair, True)[0]


def test_headline_counts_persons_of_the_training_set(tmp_path: Path) -> None:
    splits = {"split": ["train", "val"]}
    runs = [make_run(tmp_path / name, [[0.0, 0, 0], [miss, 0, 0]], columns=splits) for name, miss in (("a", 0.0), ("b", MISS))]
    assert "seen in training" not in headline(RunPair(*runs).compare(PCK))
    assert "on 2 persons in 1 photograph (1 of them seen in training):" in headline(RunPair(*runs).compare(PCK, True))


def test_scores_over_other_labels_are_named(tmp_path: Path) -> None:
    true = np.tile(TRUE, (4, 1, 1))
    first = make_run(tmp_path / "a", np.zeros((4, 3)), true=true)
    true[1, 0] = np.nan
    text = " ".join(describe_persons(RunPair(first, make_run(tmp_path / "b", np.zeros((4, 3)), true=true)), False))
    assert "1 joint labelled in the crop of one run only does not count." in text
    assert "OKS: only 3 of 4 common persons" in text


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    splits = {"split": ["train", "val", "val", "val"]}
    true = np.tile(TRUE, (4, 1, 1))
    first = make_run(tmp_path / "a", np.zeros((4, 3)), columns=splits, true=true)
    true = true[:, :2] / 2
    true[3] += [[0, 0], [3, -3]]
    second = make_run(
        tmp_path / "b", np.zeros((4, 2)), true=true, data="3" * 16, explanation=True, order=(0, 2, 3),
        columns={"source_split": "judged"}, skeleton=SkeletonAbout(joints=("left_dot", "middle")),
    )  # fmt: skip
    text = " ".join(describe_persons(RunPair(first, second), False))
    for part in (
        "(1 by A only)",
        "B is an explanation",
        "1 of A, 0 of B",
        "1 person with other annotations in B is left out.",
        "The crops of A and B differ",
        "Joints of A only, not compared: right dot.",
        "since A and B scored other joints: OKS.",
    ):
        assert part in text


def test_number_of_joints_and_groups_is_stated(worse: RunPair) -> None:
    text = describe_joints(worse.compare(PCK))
    assert text.startswith("By PCK, B is better at 0 of 3 joints and A at 1:")
    assert "of 3 about 0.1" in text
    assert describe_joints(worse.compare(ERROR)).startswith("By the distance, B is better at 0 of 3 joints and A at 1:")
    assert "for whole persons only" in describe_joints(worse.compare("oks"))
    assert "of 2 groups" in describe_groups(worse.compare(PCK))
    assert "fewer than 20 photographs" in describe_groups(worse.compare(PCK))


@pytest.mark.parametrize(
    ("score", "difference", "winner"), [(PCK, 0.5, "B"), (PCK, -0.5, "A"), (ERROR, 0.5, "A"), (ERROR, -0.5, "B")]
)
def test_winner_depends_on_the_direction_of_the_score(score: str, difference: float, winner: str) -> None:
    metric = PairedMetric("x", 9, 0.0, difference, difference, difference - 0.1, difference + 0.1)
    assert words_of(score).winner(metric) == winner
    assert words_of(score).winner(PairedMetric("x", 9, 0.0, difference, difference, -1.0, 1.0)) == ""


def test_numbers_have_the_decimals_and_the_sign_of_their_score() -> None:
    metric = PairedMetric("x", 9, 0.5, 0.45, -0.05, -0.08, 0.01)
    assert words_of(PCK).difference(metric) == "−5.0 [−8.0, +1.0]"
    assert words_of("oks").number(0.12345) == "0.123"
    assert words_of("oks").difference(PairedMetric("x", 0, *[float("nan")] * 5)) == "–"
    assert words_of(ERROR).number(float("nan")) == "–"

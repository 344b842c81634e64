"""The seal of the test set and its ledger, without a model: which uses are free, which are refused, what is kept."""

import json
import logging
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.core.tables import join_joints, split_fingerprint
from posescope.evaluation.access_log import AccessError, AccessLog, FinalTest, check_unseen, describe_final_test
from posescope.evaluation.metric_values import MetricValue, MetricValues

MODEL_A = FinalTest("a" * 16, "d" * 16, ("k1", "k2", "k3"), persons=3, images=2, flip_test=False)
MODEL_B = replace(MODEL_A, model_fingerprint="b" * 16)
FIGURES, PRECISION = MetricValues({"oks": MetricValue(0.5, 0.4, 0.6)}), MetricValues({"oks_ap": MetricValue(float("nan"))})


@pytest.fixture
def ledger(tmp_path: Path) -> AccessLog:
    return AccessLog(tmp_path / "reporting" / "ledger.json", run_id="2026-01-01T10.00.00.000Z", data_dir="data/a")


def kinds(ledger: AccessLog) -> list[tuple[str, str]]:
    return [(use.kind, use.state) for use in ledger.accesses()]


def test_nobody_has_looked(ledger: AccessLog) -> None:
    assert ledger.accesses() == ()
    assert not ledger.is_finished()


def test_the_first_use_is_free_and_kept_before_and_after(ledger: AccessLog) -> None:
    use = ledger.open(MODEL_A, allow_repeated_access=False)
    (row,) = json.loads(ledger.root.read_text())
    assert (row["number"], row["kind"], row["state"], row["run_id"]) == (1, "first", "opened", "2026-01-01T10.00.00.000Z")
    assert (row["model_fingerprint"], row["data_fingerprint"], row["persons"], row["images"]) == ("a" * 16, "d" * 16, 3, 2)
    assert row["opened_utc"].endswith("+00:00")
    assert (row["completed_utc"], row["metric_values"]) == (None, None)
    assert (row["seen_before"], row["person_keys"], row["data_dir"]) == (0, "k1 k2 k3", "data/a")
    assert not ledger.is_finished()
    assert ledger.complete(use, FIGURES, PRECISION) == ledger
    (row,) = json.loads(ledger.root.read_text())
    assert row["state"] == "completed"
    assert row["opened_utc"] == use.opened_utc <= row["completed_utc"]
    assert row["metric_values"]["oks"]["low"] == 0.4
    assert row["metric_values"]["oks_ap"]["value"] is None
    assert ledger.is_finished()
    assert asdict(ledger.accesses()[0]) == row


def test_the_same_model_again_is_a_repetition(ledger: AccessLog) -> None:
    ledger.complete(ledger.open(MODEL_A, allow_repeated_access=False), FIGURES, PRECISION)
    ledger.open(replace(MODEL_A, flip_test=True), allow_repeated_access=False)
    ledger.open(MODEL_A, allow_repeated_access=True)
    assert kinds(ledger) == [("first", "completed"), ("repetition", "opened"), ("repetition", "opened")]


def test_another_model_is_refused_and_nothing_is_kept(ledger: AccessLog) -> None:
    ledger.complete(ledger.open(MODEL_A, allow_repeated_access=False), FIGURES, PRECISION)
    before = ledger.root.read_bytes()
    with pytest.raises(
        AccessError, match=r"used before, with another model than b{16} \(uses so far: 1,.*final_test\.unseal_again=true"
    ) as error:
        ledger.open(MODEL_B, allow_repeated_access=False)
    assert "\n" not in str(error.value)
    assert ledger.root.read_bytes() == before


def test_the_same_model_on_other_persons_is_refused(ledger: AccessLog) -> None:
    ledger.open(MODEL_A, allow_repeated_access=False)
    with pytest.raises(AccessError, match="with this model, but on other persons"):
        ledger.open(replace(MODEL_A, data_fingerprint="e" * 16), allow_repeated_access=False)


def test_other_persons_of_whom_some_were_seen_are_refused_and_counted(ledger: AccessLog) -> None:
    """Another split of the same images: nobody can unsee the two that both have."""
    ledger.open(MODEL_A, allow_repeated_access=False)
    overlapping = replace(MODEL_B, data_fingerprint="e" * 16, person_keys=("k2", "k3", "k4", "k5"), persons=4)
    with pytest.raises(AccessError, match=r"uses so far: 1, the last at \S+ in data/a; they had 2 of its 4 persons"):
        ledger.open(overlapping, allow_repeated_access=False)
    assert ledger.open(overlapping, allow_repeated_access=True).seen_before == 2
    assert ledger.open(overlapping, allow_repeated_access=False).seen_before == 4


def test_other_data_do_not_disturb_and_are_not_disturbed(ledger: AccessLog) -> None:
    """Two data sets, two models each, in one ledger."""
    other = replace(MODEL_B, data_fingerprint="e" * 16, person_keys=("x1", "x2"), persons=2)
    assert [ledger.open(test, allow_repeated_access=False).kind for test in (MODEL_A, other, MODEL_A, other)] == [
        "first", "first", "repetition", "repetition"
    ]  # fmt: skip
    for test in (MODEL_B, replace(other, model_fingerprint="a" * 16)):
        with pytest.raises(AccessError, match="uses so far: 2"):
            ledger.open(test, allow_repeated_access=False)


def test_another_data_dir_has_the_same_first_use(ledger: AccessLog) -> None:
    elsewhere = replace(ledger, run_id="2026-01-02T10.00.00.000Z", data_dir="data/b")
    ledger.open(MODEL_A, allow_repeated_access=False)
    with pytest.raises(AccessError):
        elsewhere.open(MODEL_B, allow_repeated_access=False)
    assert elsewhere.open(MODEL_A, allow_repeated_access=False).kind == "repetition"
    assert [use.data_dir for use in ledger.accesses()] == ["data/a", "data/b"]


def test_runs_at_the_same_time_lose_no_use(ledger: AccessLog) -> None:
    """Processes that open and complete uses of other data, all at once."""
    code = (
        "import sys; from pathlib import Path; from posescope.evaluation.metric_values import Figures; "
        "from posescope.evaluation.access_log import SealLedger, SealedTest; n = sys.argv[1]\n"
        "for i in range(10):\n"
        "    ledger = SealLedger(Path(sys.argv[2]), run_id=f'{n} {i}')\n"
        "    test = SealedTest('a', f'{n} {i}', (f'{n}-{i}',), persons=1, images=1, flip_test=False)\n"
        "    ledger.complete(ledger.open(test, unseal_again=False), Figures({}))\n"
        "    ledger.is_finished() or sys.exit('lost')\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(n), str(ledger.root)]) for n in range(3)]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    accesses = ledger.accesses()
    assert [use.number for use in accesses] == list(range(1, 31))
    assert {(use.kind, use.state) for use in accesses} == {("first", "completed")}
    assert len({use.run_id for use in accesses}) == 30


def test_another_run_that_is_still_at_it_does_not_unfinish_this_one(ledger: AccessLog) -> None:
    mine = ledger.open(MODEL_A, allow_repeated_access=False)
    other = replace(ledger, run_id="2026-01-02T10.00.00.000Z")
    other.open(MODEL_A, allow_repeated_access=False)
    ledger.complete(mine, FIGURES, PRECISION)
    assert (ledger.is_finished(), other.is_finished()) == (True, False)
    assert not AccessLog(ledger.root).is_finished(), "nobody asks: the last one"


def test_a_use_that_was_killed_has_counted(ledger: AccessLog) -> None:
    ledger.open(MODEL_A, allow_repeated_access=False)
    with pytest.raises(AccessError):
        ledger.open(MODEL_B, allow_repeated_access=False)
    ledger.open(MODEL_A, allow_repeated_access=False)
    assert kinds(ledger) == [("first", "opened"), ("repetition", "opened")]


def test_unsealing_again_is_kept_as_such(ledger: AccessLog, caplog: pytest.LogCaptureFixture) -> None:
    ledger.open(MODEL_A, allow_repeated_access=False)
    with caplog.at_level(logging.WARNING):
        ledger.complete(ledger.open(MODEL_B, allow_repeated_access=True), FIGURES, PRECISION)
    assert "override" in caplog.text
    # Both models have been looked at now: nothing more can be chosen by looking at them once more.
    ledger.open(MODEL_A, allow_repeated_access=False)
    ledger.open(MODEL_B, allow_repeated_access=False)
    assert [kind for kind, _ in kinds(ledger)] == ["first", "override", "repetition", "repetition"]
    assert [use.number for use in ledger.accesses()] == [1, 2, 3, 4]


def test_a_use_that_is_gone_cannot_be_completed(ledger: AccessLog) -> None:
    use = ledger.open(MODEL_A, allow_repeated_access=False)
    ledger.root.unlink()
    with pytest.raises(DataError, match=r"use 1, opened at .* is gone"):
        ledger.complete(use, FIGURES, PRECISION)


@pytest.mark.parametrize("content", ["", "{", "{}", "[1]", '[{"number": 1}]'])
def test_what_is_no_ledger_is_never_an_empty_one(ledger: AccessLog, content: str) -> None:
    ledger.root.parent.mkdir()
    ledger.root.write_text(content)
    with pytest.raises(DataError, match=r"ledger\.json"):
        ledger.open(MODEL_A, allow_repeated_access=True)
    assert ledger.root.read_text() == content


@pytest.fixture
def tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Persons, keypoints and squares of four people: two of them, in one image, are the test set."""
    ids = np.arange(4)
    persons = pd.DataFrame(
        {
            "person_id": ids, "source_split": "train2017", "annotation_id": ids + 10, "image_id": [1, 2, 2, 3],
            "file_name": ["1.jpg", "2.jpg", "2.jpg", "3.jpg"], "split": ["train", "test", "test", "val"],
            **dict.fromkeys(("bbox_x", "bbox_y", "bbox_w", "bbox_h", "area"), np.float32(5)),
        }
    )  # fmt: skip
    joints = np.arange(16, dtype=np.float64).reshape(4, 2, 2)
    joints[1, 0] = np.nan
    keypoints = join_joints(ids, joints, np.full((4, 2), 2, np.uint8), "visibility")
    boxes = pd.DataFrame({"person_id": ids, "left": ids, "top": ids, "side": 9})
    return persons, keypoints, boxes


def test_what_is_scored(tables) -> None:
    found = describe_final_test(*tables, model_fingerprint="a", flip_test=True)
    assert (found.model_fingerprint, found.persons, found.images, found.flip_test) == ("a", 2, 1, True)
    assert len(found.data_fingerprint) == 16


def test_the_fingerprint_is_of_the_test_set_alone(tables) -> None:
    persons, keypoints, boxes = tables

    def keys_of(persons, keypoints) -> tuple[str, ...]:
        boxes_there = boxes.assign(person_id=persons["person_id"])
        return describe_final_test(persons, keypoints, boxes_there, "a", flip_test=False).person_keys

    def of(persons=persons, keypoints=keypoints, boxes=boxes) -> str:
        return describe_final_test(persons, keypoints, boxes, "a", flip_test=False).data_fingerprint

    assert of(persons.sample(frac=1, random_state=1), keypoints.sample(frac=1, random_state=2)) == of()
    assert of(persons[persons["split"] != "val"]) == of()
    assert of(persons.assign(area=persons["area"].where(persons["person_id"] != 0, 7))) == of()
    by_place = persons.assign(person_id=persons["person_id"] + 7), keypoints.assign(person_id=keypoints["person_id"] + 7)
    assert keys_of(*by_place) == keys_of(persons, keypoints), "the number that a run gives somebody is no part of them"
    assert set(keys_of(persons, keypoints)).isdisjoint(keys_of(persons, keypoints.assign(x=keypoints["x"] + 1)))
    assert len(set(keys_of(persons, keypoints))) == 2
    changed = [
        of(persons.assign(split=["train", "test", "train", "val"])),
        of(persons.assign(annotation_id=persons["annotation_id"] + 1)),
        of(persons.assign(area=persons["area"] + 1)),
        of(keypoints=keypoints.assign(x=keypoints["x"] + 1)),
        of(boxes=boxes.assign(side=8)),
    ]
    assert len({of(), *changed}) == 6


def test_an_empty_test_set(tables) -> None:
    persons, keypoints, boxes = tables
    with pytest.raises(DataError, match=r"The test set is empty.*test_share_max") as error:
        describe_final_test(persons.assign(split="train"), keypoints, boxes, "a", flip_test=False)
    assert "\n" not in str(error.value)


def test_a_model_that_was_trained_beside_another_test_set_is_refused(tables, caplog: pytest.LogCaptureFixture) -> None:
    persons = tables[0]
    told = {"test_set_fingerprint": split_fingerprint(persons, "test")}
    check_unseen(told, persons, trained_elsewhere=False)
    drawn_anew = persons.assign(split=["test", "train", "train", "val"])
    with pytest.raises(AccessError, match="may have learned from test persons"):
        check_unseen(told, drawn_anew, trained_elsewhere=False)
    check_unseen(told, drawn_anew, trained_elsewhere=True)
    assert caplog.text == ""
    check_unseen({}, persons, trained_elsewhere=False)
    assert "it may have seen the test persons" in caplog.text


def test_who_is_in_a_split_does_not_depend_on_the_order_of_rows(tables) -> None:
    persons = tables[0]
    assert split_fingerprint(persons.iloc[::-1], "test") == split_fingerprint(persons, "test")
    assert split_fingerprint(persons, "train") != split_fingerprint(persons, "test")

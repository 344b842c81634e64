"""Tests of posescope.evaluation.access_log."""

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

MODEL_A = FinalTest("a" * 16, "d" * 16, "k1 k2 k3", persons=3, images=2, flip_test=False)
MODEL_B = replace(MODEL_A, model_fingerprint="b" * 16)
VALUES, PRECISION = MetricValues({"oks": MetricValue(0.5, 0.4, 0.6)}), MetricValues({"oks_ap": MetricValue(float("nan"))})


@pytest.fixture
def log(tmp_path: Path) -> AccessLog:
    return AccessLog(tmp_path / "reporting" / "access_log.json", run_id="2026-01-01T10.00.00.000Z", data_dir="data/a")


def kinds(log: AccessLog) -> list[tuple[str, str]]:
    return [(access.kind, access.state) for access in log.accesses()]


def test_missing_file_has_no_accesses(log: AccessLog) -> None:
    assert log.accesses() == ()
    assert not log.is_finished()


def test_first_access_is_logged_before_and_after(log: AccessLog) -> None:
    access = log.open(MODEL_A, allow_repeated_access=False)
    (row,) = json.loads(log.root.read_text())
    assert (row["number"], row["kind"], row["state"], row["run_id"]) == (1, "first", "opened", "2026-01-01T10.00.00.000Z")
    assert (row["model_fingerprint"], row["data_fingerprint"], row["persons"], row["images"]) == ("a" * 16, "d" * 16, 3, 2)
    assert row["opened_utc"].endswith("+00:00")
    assert (row["completed_utc"], row["metric_values"]) == (None, None)
    assert (row["seen_before"], row["person_keys"], row["data_dir"]) == (0, "k1 k2 k3", "data/a")
    assert not log.is_finished()
    assert log.complete(access, VALUES, PRECISION) == log
    (row,) = json.loads(log.root.read_text())
    assert row["state"] == "completed"
    assert row["opened_utc"] == access.opened_utc <= row["completed_utc"]
    assert row["metric_values"]["oks"]["low"] == 0.4
    assert row["metric_values"]["oks_ap"]["value"] is None
    assert log.is_finished()
    assert asdict(log.accesses()[0]) == row


def test_same_model_again_is_a_repetition(log: AccessLog) -> None:
    log.complete(log.open(MODEL_A, allow_repeated_access=False), VALUES, PRECISION)
    log.open(replace(MODEL_A, flip_test=True), allow_repeated_access=False)
    log.open(MODEL_A, allow_repeated_access=True)
    assert kinds(log) == [("first", "completed"), ("repetition", "opened"), ("repetition", "opened")]


def test_another_model_is_refused_and_not_logged(log: AccessLog) -> None:
    log.complete(log.open(MODEL_A, allow_repeated_access=False), VALUES, PRECISION)
    before = log.root.read_bytes()
    with pytest.raises(AccessError, match="allow_repeated_access") as error:
        log.open(MODEL_B, allow_repeated_access=False)
    assert "\n" not in str(error.value)
    assert log.root.read_bytes() == before


def test_same_model_on_other_persons_is_refused(log: AccessLog) -> None:
    log.open(MODEL_A, allow_repeated_access=False)
    with pytest.raises(AccessError, match="other persons"):
        log.open(replace(MODEL_A, data_fingerprint="e" * 16), allow_repeated_access=False)


def test_overlapping_persons_are_refused_and_counted(log: AccessLog) -> None:
    log.open(MODEL_A, allow_repeated_access=False)
    overlapping = replace(MODEL_B, data_fingerprint="e" * 16, person_keys="k2 k3 k4 k5", persons=4)
    with pytest.raises(AccessError, match="2 of 4"):
        log.open(overlapping, allow_repeated_access=False)
    assert log.open(overlapping, allow_repeated_access=True).seen_before == 2
    assert log.open(overlapping, allow_repeated_access=False).seen_before == 4


def test_data_sets_are_logged_independently(log: AccessLog) -> None:
    """Two data sets, two models each, in one log."""
    other = replace(MODEL_B, data_fingerprint="e" * 16, person_keys="x1 x2", persons=2)
    assert [log.open(test, allow_repeated_access=False).kind for test in (MODEL_A, other, MODEL_A, other)] == [
        "first", "first", "repetition", "repetition"
    ]  # fmt: skip
    for test in (MODEL_B, replace(other, model_fingerprint="a" * 16)):
        with pytest.raises(AccessError, match="accesses: 2"):
            log.open(test, allow_repeated_access=False)


def test_all_data_dirs_share_the_log(log: AccessLog) -> None:
    elsewhere = replace(log, run_id="2026-01-02T10.00.00.000Z", data_dir="data/b")
    log.open(MODEL_A, allow_repeated_access=False)
    with pytest.raises(AccessError):
        elsewhere.open(MODEL_B, allow_repeated_access=False)
    assert elsewhere.open(MODEL_A, allow_repeated_access=False).kind == "repetition"
    assert [access.data_dir for access in log.accesses()] == ["data/a", "data/b"]


def test_simultaneous_runs_lose_no_access(log: AccessLog) -> None:
    """Processes open and complete accesses of different data at once."""
    code = (
        "import sys; from pathlib import Path; from posescope.evaluation.metric_values import MetricValues; "
        "from posescope.evaluation.access_log import AccessLog, FinalTest; n = sys.argv[1]\n"
        "for i in range(10):\n"
        "    log = AccessLog(Path(sys.argv[2]), run_id=f'{n} {i}')\n"
        "    test = FinalTest('a', f'{n} {i}', f'{n}-{i}', persons=1, images=1, flip_test=False)\n"
        "    log.complete(log.open(test, allow_repeated_access=False), MetricValues({}))\n"
        "    log.is_finished() or sys.exit('lost')\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(n), str(log.root)]) for n in range(3)]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    accesses = log.accesses()
    assert [access.number for access in accesses] == list(range(1, 31))
    assert {(access.kind, access.state) for access in accesses} == {("first", "completed")}
    assert len({access.run_id for access in accesses}) == 30


def test_unfinished_run_leaves_another_one_finished(log: AccessLog) -> None:
    mine = log.open(MODEL_A, allow_repeated_access=False)
    other = replace(log, run_id="2026-01-02T10.00.00.000Z")
    other.open(MODEL_A, allow_repeated_access=False)
    log.complete(mine, VALUES, PRECISION)
    assert (log.is_finished(), other.is_finished()) == (True, False)
    assert not AccessLog(log.root).is_finished(), "without run_id: the last access"


def test_killed_access_counts(log: AccessLog) -> None:
    log.open(MODEL_A, allow_repeated_access=False)
    with pytest.raises(AccessError):
        log.open(MODEL_B, allow_repeated_access=False)
    log.open(MODEL_A, allow_repeated_access=False)
    assert kinds(log) == [("first", "opened"), ("repetition", "opened")]


def test_override_is_logged_as_such(log: AccessLog, caplog: pytest.LogCaptureFixture) -> None:
    log.open(MODEL_A, allow_repeated_access=False)
    with caplog.at_level(logging.WARNING):
        log.complete(log.open(MODEL_B, allow_repeated_access=True), VALUES, PRECISION)
    assert "override" in caplog.text
    # Both models have been scored: scoring them again is a repetition.
    log.open(MODEL_A, allow_repeated_access=False)
    log.open(MODEL_B, allow_repeated_access=False)
    assert [kind for kind, _ in kinds(log)] == ["first", "override", "repetition", "repetition"]
    assert [access.number for access in log.accesses()] == [1, 2, 3, 4]


def test_missing_access_cannot_be_completed(log: AccessLog) -> None:
    access = log.open(MODEL_A, allow_repeated_access=False)
    log.root.unlink()
    with pytest.raises(DataError, match="access 1"):
        log.complete(access, VALUES, PRECISION)


@pytest.mark.parametrize("content", ["", "{", "{}", "[1]", '[{"number": 1}]'])
def test_another_file_is_an_error_and_not_an_empty_log(log: AccessLog, content: str) -> None:
    log.root.parent.mkdir()
    log.root.write_text(content)
    with pytest.raises(DataError, match="access_log"):
        log.open(MODEL_A, allow_repeated_access=True)
    assert log.root.read_text() == content


@pytest.fixture
def tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Persons, keypoints and crop boxes of four persons, two of which, in one image, are the test set."""
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


def test_final_test_describes_model_and_persons(tables) -> None:
    found = describe_final_test(*tables, model_fingerprint="a", flip_test=True)
    assert (found.model_fingerprint, found.persons, found.images, found.flip_test) == ("a", 2, 1, True)
    assert len(found.data_fingerprint) == 16


def test_fingerprint_is_of_the_test_set_only(tables) -> None:
    persons, keypoints, boxes = tables

    def keys_of(persons, keypoints) -> list[str]:
        boxes_there = boxes.assign(person_id=persons["person_id"])
        return describe_final_test(persons, keypoints, boxes_there, "a", flip_test=False).person_keys.split()

    def of(persons=persons, keypoints=keypoints, boxes=boxes) -> str:
        return describe_final_test(persons, keypoints, boxes, "a", flip_test=False).data_fingerprint

    assert of(persons.sample(frac=1, random_state=1), keypoints.sample(frac=1, random_state=2)) == of()
    assert of(persons[persons["split"] != "val"]) == of()
    assert of(persons.assign(area=persons["area"].where(persons["person_id"] != 0, 7))) == of()
    by_place = persons.assign(person_id=persons["person_id"] + 7), keypoints.assign(person_id=keypoints["person_id"] + 7)
    assert keys_of(*by_place) == keys_of(persons, keypoints), "person_id is no part of the key"
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


def test_empty_test_set_is_an_error(tables) -> None:
    persons, keypoints, boxes = tables
    with pytest.raises(DataError, match="max_test_fraction") as error:
        describe_final_test(persons.assign(split="train"), keypoints, boxes, "a", flip_test=False)
    assert "\n" not in str(error.value)


def test_model_with_another_test_set_is_refused(tables, caplog: pytest.LogCaptureFixture) -> None:
    persons = tables[0]
    provenance = {"test_set_fingerprint": split_fingerprint(persons, "test")}
    check_unseen(provenance, persons, trained_elsewhere=False)
    redrawn = persons.assign(split=["test", "train", "train", "val"])
    with pytest.raises(AccessError, match="trained"):
        check_unseen(provenance, redrawn, trained_elsewhere=False)
    check_unseen(provenance, redrawn, trained_elsewhere=True)
    assert caplog.text == ""
    check_unseen({}, persons, trained_elsewhere=False)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_start_model_with_another_test_set_is_warned_of(tables, caplog: pytest.LogCaptureFixture) -> None:
    held_out = split_fingerprint(tables[0], "test")
    for start, count in (({"model": "f00d", "test_set_fingerprint": held_out}, 0), ({"model": "f00d"}, 1)):
        check_unseen({"test_set_fingerprint": held_out, "start": start}, tables[0], trained_elsewhere=False)
        assert len(caplog.records) == count


def test_fingerprint_of_a_split_ignores_the_order_of_rows(tables) -> None:
    persons = tables[0]
    assert split_fingerprint(persons.iloc[::-1], "test") == split_fingerprint(persons, "test")
    assert split_fingerprint(persons, "train") != split_fingerprint(persons, "test")


def test_log_of_an_earlier_version_is_read_and_continued(log: AccessLog) -> None:
    log.complete(log.open(MODEL_A, allow_repeated_access=False), VALUES)
    (row,) = json.loads(log.root.read_text())
    row["figures"], row["kind"] = row.pop("metric_values"), "unsealed again"
    log.root.unlink()
    old = log.root.with_name("test_ledger.json")
    old.write_text(json.dumps([row]))
    (found,) = log.accesses()
    assert (found.kind, found.metric_values) == ("override", row["figures"])
    with pytest.raises(AccessError):
        log.open(MODEL_B, allow_repeated_access=False)
    log.open(MODEL_A, allow_repeated_access=False)
    assert kinds(log) == [("override", "completed"), ("repetition", "opened")]
    assert json.loads(old.read_text()) == [row], "the old file is not changed"

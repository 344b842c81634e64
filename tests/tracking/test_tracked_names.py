"""Tests of the names of tracked runs: a resumed training keeps the name of the run that began it."""

import pytest

from posescope.core.errors import DataError
from posescope.tracking.tracked_names import read_run_name, resolve_name

FIRST, SECOND, THIRD = (f"2026-01-0{day}T10.00.00.000Z" for day in (1, 2, 3))


def test_new_training_has_the_name_of_its_run(tmp_path):
    assert resolve_name(tmp_path, FIRST, "f", FIRST, is_resumed=False) == FIRST
    assert read_run_name(tmp_path, FIRST) == FIRST


def test_resumed_training_continues_the_first_name(tmp_path):
    resolve_name(tmp_path, FIRST, "f", FIRST, is_resumed=False)
    assert resolve_name(tmp_path, SECOND, "f", SECOND, is_resumed=True) == FIRST
    assert resolve_name(tmp_path, THIRD, "f", THIRD, is_resumed=True) == FIRST
    assert read_run_name(tmp_path, THIRD) == FIRST


def test_training_that_begins_again_has_a_new_name(tmp_path):
    resolve_name(tmp_path, FIRST, "f", FIRST, is_resumed=False)
    assert resolve_name(tmp_path, SECOND, "f", SECOND, is_resumed=False) == SECOND
    assert resolve_name(tmp_path, THIRD, "f", THIRD, is_resumed=True) == SECOND


def test_training_that_was_not_tracked_before(tmp_path):
    resolve_name(tmp_path, FIRST, "other", FIRST, is_resumed=False)
    assert resolve_name(tmp_path, SECOND, "f", SECOND, is_resumed=True) == SECOND


def test_run_without_training_has_its_own_name(tmp_path):
    assert read_run_name(tmp_path, FIRST) == FIRST


def test_trials_belong_to_the_run_of_the_search(tmp_path):
    for number in (1, 2):
        resolve_name(tmp_path, FIRST, f"trial{number}", f"{FIRST}/trial_000{number}", is_resumed=False)
    assert read_run_name(tmp_path, FIRST) == FIRST
    assert resolve_name(tmp_path, SECOND, "trial2", f"{SECOND}/trial_0002", is_resumed=True) == f"{FIRST}/trial_0002"


def test_colons_of_an_id_are_no_part_of_a_folder(tmp_path):
    resolve_name(tmp_path, "10:00", "f", "10:00", is_resumed=False)
    assert (tmp_path / "runs" / "10.00" / "tracking.json").is_file()


@pytest.mark.parametrize("content", ["{", "[]", "null", '{"trainings": null}', '{"trainings": []}'])
def test_damaged_note_is_an_error(tmp_path, content):
    resolve_name(tmp_path, FIRST, "f", FIRST, is_resumed=False)
    (tmp_path / "runs" / FIRST / "tracking.json").write_text(content)
    with pytest.raises(DataError):
        resolve_name(tmp_path, SECOND, "f", SECOND, is_resumed=True)
    with pytest.raises(DataError):
        read_run_name(tmp_path, FIRST)

"""Tests of posescope.runs.finished_runs; tests/cli/test_compare.py tests them through the command."""

from pathlib import Path

import pandas as pd
import pytest
from tests.run_records import NEW, OLD, make_run

from posescope.core.errors import DataError
from posescope.core.origin import Origin
from posescope.runs.finished_runs import find_run, find_trained_model


def test_run_is_found_by_id_by_folder_and_as_the_newest_of_a_data_dir(tmp_path: Path) -> None:
    make_run(tmp_path, OLD)
    make_run(tmp_path, NEW)
    found = [
        find_run(OLD, tmp_path),
        find_run(str(tmp_path / "08_reporting" / "runs" / OLD), Path("nowhere")),
        find_run(str(tmp_path), Path("nowhere")),
    ]
    assert [run.run_id for run in found] == [OLD, OLD, NEW]
    assert [bool(run.selection_reason) for run in found] == [False, False, True]


def test_newest_run_of_a_model_precedes_newer_external_results(tmp_path: Path) -> None:
    make_run(tmp_path, OLD)
    make_run(tmp_path, NEW, {"evaluation": {"results": "theirs.json"}})
    assert find_run(str(tmp_path), tmp_path).run_id == OLD


def test_outputs_are_read_below_the_current_data_dir(tmp_path: Path) -> None:
    make_run(tmp_path, OLD)
    scores = find_run(OLD, tmp_path).person_scores()
    assert scores["oks"].tolist() == [0.5]


def test_unknown_run_or_a_run_without_scores_is_an_error(tmp_path: Path) -> None:
    make_run(tmp_path, OLD, outputs={})
    for name in ("unknown", OLD, str(tmp_path)):
        with pytest.raises(DataError):
            find_run(name, tmp_path)


def test_parameters_are_found_by_their_path(tmp_path: Path) -> None:
    make_run(tmp_path, OLD, {"evaluation": {"prediction": {"flip_test": True}}})
    run = find_run(OLD, tmp_path)
    assert run.parameter("evaluation", "prediction", "flip_test") is True
    assert run.parameter("evaluation", "scoring", "protocol") is None
    assert run.flip_test is True


def test_origin_of_the_table_precedes_the_record(tmp_path: Path) -> None:
    make_run(tmp_path, OLD)
    (path,) = tmp_path.glob("07_model_output/val/*/*/*.parquet")
    pd.read_parquet(path).assign(model="m" * 16, data="e" * 16, results="").to_parquet(path)
    run = find_run(OLD, tmp_path)
    assert run.origin == Origin("m" * 16, "e" * 16, "")
    assert (run.model_fingerprint(), run.data_fingerprint()) == ("m" * 16, "e" * 16)
    assert len(run.differences()) == 1


def test_trained_model_is_found_by_run_and_by_folder(tmp_path: Path) -> None:
    for run_id in (OLD, NEW):
        folder = tmp_path / "06_models" / "model" / run_id / "model"
        folder.mkdir(parents=True)
        (folder / "model.json").write_text("{}")
        make_run(tmp_path, run_id, outputs={"model": f"/elsewhere/06_models/model/{run_id}/model"})
    first, second = (tmp_path / "06_models" / "model" / run_id / "model" for run_id in (OLD, NEW))
    assert find_trained_model(OLD, tmp_path) == first
    assert find_trained_model(str(tmp_path / "08_reporting" / "runs" / OLD), Path("nowhere")) == first
    assert find_trained_model(str(first), Path("nowhere")) == first
    assert find_trained_model(str(tmp_path), Path("nowhere")) == second


def test_unknown_model_or_a_run_without_model_is_an_error(tmp_path: Path) -> None:
    make_run(tmp_path, OLD)
    for name in ("unknown", OLD, str(tmp_path)):
        with pytest.raises(DataError):
            find_trained_model(name, tmp_path)

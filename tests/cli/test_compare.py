"""Tests of `posescope compare`: selection of runs, output, and errors."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from tests.onnx_networks import save_channel_means
from tests.peer_runs import RUN_ID, write_run

from posescope.cli import cli
from posescope.core.origin import Origin, add_origin

A, B = "2026-01-01T10.00.00.000Z", "2026-01-02T10.00.00.000Z"
NAMES = ("nose", "left_hand")


@pytest.fixture(autouse=True)
def outside_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run outside any project, so that runs are searched in `data`."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def make_run(data_dir: Path) -> Callable[..., Path]:
    """Return a function that writes a finished run of four persons, two per image, with scores raised by `better`."""

    def make(
        run_id: str,
        better: float = 0.0,
        joints: bool = True,
        ids: tuple[int, ...] = (1, 2, 3, 4),
        missed: tuple[int, ...] = (),
        origin: Origin | None = None,
        hits_origin: Origin | None = None,
        **changes: Any,
    ) -> Path:
        found = np.array([person not in missed for person in ids])
        oks = np.where(found, np.linspace(0.1, 0.4, len(ids)) + better, 0.0)
        scores = pd.DataFrame({"person_id": ids, "image_id": [p // 2 for p in ids], "found": found, "oks": oks})
        rows = [
            (p, p // 2, name, 2, (0.3 + better * (name == "nose")) * (p not in missed), better > 0 and p not in missed)
            for p in ids
            for name in NAMES
        ]
        hits = pd.DataFrame(rows, columns=["person_id", "image_id", "joint", "visibility", "oks", "pck_thesis"])
        scores, hits = add_origin(scores, origin or Origin()), add_origin(hits, hits_origin or origin or Origin())
        tables = {"person_scores": scores, **({"joint_hits": hits} if joints else {})}
        outputs = {}
        for name, table in tables.items():
            path = data_dir / "07_model_output" / "val" / f"{name}.parquet" / run_id / f"{name}.parquet"
            path.parent.mkdir(parents=True)
            table.to_parquet(path)
            outputs[f"{name}_val"] = str(path)
        record = {
            "status": "completed", "run_id": run_id, "pipelines": ["evaluation"], "inputs": {}, "outputs": outputs,
            "data_fingerprint": None, "parameters": {"evaluation": {"prediction": {"flip_test": better > 0}}},
        }  # fmt: skip
        folder = data_dir / "08_reporting" / "runs" / run_id
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({**record, **changes}))
        return folder

    return make


def compare(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)])


def error_message(result: Result) -> str:
    """Return the single output line of a command that ended with exit code 1."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.output.count("\n") == 1, result.output
    return result.output.removeprefix("Error: ")


def test_output_contains_runs_persons_metrics_and_joints(make_run: Callable[..., Path]) -> None:
    make_run(A)
    make_run(B, better=0.25, ids=(1, 2, 3, 4, 5))
    result = compare(A, B)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert lines[0].startswith(f"A {A} model unknown flip test off")
    assert lines[1].startswith(f"B {B} model unknown flip test on")
    assert "4 persons of the validation set in common, in 3 images." in lines
    assert any(line.startswith("EXCLUDED: 0 persons only in A, 1 person only in B.") for line in lines)
    (oks_line,) = [line for line in lines if line.startswith("oks ")]
    assert oks_line.endswith("B is higher")
    assert "Joints better in B by oks: 1 of 2" in lines
    assert "nose 0.3000 0.5500 +0.2500 [+0.2500, +0.2500]" in lines
    assert not any(line.startswith("Joints better in A") for line in lines)
    assert "1 parameter differs:" in lines
    assert "evaluation.prediction.flip_test A false B true" in lines


def test_person_without_prediction_scores_zero(make_run: Callable[..., Path]) -> None:
    """Run B is better for the persons that it has found, and has not found persons 3 and 4."""
    make_run(A, ids=(1, 2, 3, 4))
    make_run(B, better=0.1, missed=(3, 4))
    content = json.loads(compare(A, B, "--json").output)
    assert (content["persons"], content["missed_a"], content["missed_b"], content["only_a"]) == (4, 0, 2, 0)
    (oks,) = content["metric_values"]
    assert (oks["a"], oks["b"], oks["count"]) == (0.25, pytest.approx(0.125), 4)
    nose = next(joint for joint in content["joints"] if joint["joint"] == "nose")
    assert (nose["oks"]["count"], nose["oks"]["b"]) == (4, pytest.approx(0.2))
    output = compare(A, B).output
    assert "Without prediction, scored as 0: 0 persons of A, 2 of B." in output
    assert "EXCLUDED" not in output


def test_run_without_the_column_found_contains_found_persons_only(make_run: Callable[..., Path], data_dir: Path) -> None:
    make_run(A)
    make_run(B, ids=(1, 2, 3))
    for path in data_dir.glob("07_model_output/val/person_scores.parquet/*/*"):
        pd.read_parquet(path).drop(columns="found").to_parquet(path)
    assert "EXCLUDED: 1 person only in A, 0 persons only in B." in compare(A, B).output


def test_singular_is_used_for_one_person(make_run: Callable[..., Path]) -> None:
    make_run(A, ids=(1,))
    assert "1 person of the validation set in common, in 1 image." in compare(A, A).output


def test_run_compared_with_itself_has_no_differences(make_run: Callable[..., Path]) -> None:
    make_run(A)
    content = json.loads(compare(A, A, "--json").output)
    (oks,) = content["metric_values"]
    assert (oks["difference"], oks["low"], oks["high"], oks["excludes_zero"]) == (0, 0, 0, False)
    assert oks["a"] == oks["b"] == 0.25
    assert all(joint["oks"]["winner"] == joint["pck_thesis"]["winner"] == "" for joint in content["joints"])
    assert content["parameters"] == []
    output = compare(A, A).output
    assert "not significant" in output
    assert "Joints" not in output
    assert "parameter" not in output


def test_parameters_of_one_run_only_are_named(make_run: Callable[..., Path]) -> None:
    make_run(A, parameters={"modelling": {"training": {"seed": 0, "patience": 5}}})
    make_run(B, parameters={"modelling": {"training": {"seed": 1}}})
    lines = [" ".join(line.split()) for line in compare(A, B).output.splitlines()]
    assert lines[lines.index("2 parameters differ:") + 1 :][:2] == [
        "modelling.training.patience A 5 B not set", "modelling.training.seed A 0 B 1",
    ]  # fmt: skip
    patience, seed = json.loads(compare(A, B, "--json").output)["parameters"]
    assert patience == {"name": "modelling.training.patience", "a": 5, "b": None, "set_a": True, "set_b": False}
    assert (seed["a"], seed["b"]) == (0, 1)


def test_json_output_has_the_same_values(make_run: Callable[..., Path]) -> None:
    make_run(A)
    make_run(B, better=0.25)
    result = compare(A, B, "--json", "--seed", "3", "--resamples", "50")
    content = json.loads(result.output)
    assert (content["a"]["run_id"], content["b"]["run_id"]) == (A, B)
    assert (content["split"], content["seed"], content["resamples"], content["persons"]) == ("val", 3, 50, 4)
    assert content["a"]["flip_test"] is False
    assert content["metric_values"][0]["difference"] == pytest.approx(0.25)
    assert {joint["joint"]: joint["oks"]["winner"] for joint in content["joints"]} == {"nose": "B", "left_hand": ""}


def test_runs_are_found_by_folder_and_after_a_move(make_run: Callable[..., Path], data_dir: Path, tmp_path: Path) -> None:
    make_run(A)
    make_run(B, better=0.25)
    expected = json.loads(compare(A, B, "--json").output)["metric_values"]
    moved = tmp_path / "moved"
    shutil.move(data_dir, moved)
    runs = moved / "08_reporting" / "runs"
    for names in ((A, B, "--data-dir", moved), (runs / A, runs / B), (runs / A, moved), (A, moved, "--data-dir", moved)):
        result = compare(*names, "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.output)["metric_values"] == expected
    assert json.loads(compare(runs / A, moved, "--json").output)["b"]["run_id"] == B, "the newest run of a data_dir is selected"


def test_run_id_may_have_colons(make_run: Callable[..., Path]) -> None:
    make_run(A)
    assert compare("2026-01-01T10:00:00.000Z", A).exit_code == 0


def test_runs_without_joint_table_are_compared_by_persons(make_run: Callable[..., Path]) -> None:
    make_run(A, joints=False)
    make_run(B)
    result = compare(A, B)
    assert result.exit_code == 0
    assert "Joints are not compared" in result.output
    assert json.loads(compare(A, B, "--json").output)["joints"] is None


def test_unknown_run_is_refused_with_the_existing_ones(make_run: Callable[..., Path]) -> None:
    make_run(A)
    make_run(B, outputs={})
    message = error_message(compare(A, "yesterday"))
    assert "'yesterday'" in message
    assert f"Runs with scores: {A}." in message


def test_missing_runs_are_reported(tmp_path: Path) -> None:
    assert "Runs with scores: none." in error_message(compare("a", "b"))


@pytest.mark.parametrize("changes", [{"outputs": {}}, {"status": "failed"}], ids=["no evaluation", "failed"])
def test_run_without_scores_is_refused(make_run: Callable[..., Path], data_dir: Path, changes: dict[str, Any]) -> None:
    make_run(A, **changes)
    assert f"{A} ({changes.get('status', 'completed')}: evaluation)" in error_message(compare(A, A))
    assert str(data_dir) in error_message(compare(data_dir, A))


def test_runs_without_common_persons_are_refused(make_run: Callable[..., Path]) -> None:
    make_run(A)
    make_run(B, ids=(7, 8))
    assert error_message(compare(A, B)).startswith("The runs have no person in common: A has scored 4 persons, B 2 others.")


@pytest.mark.parametrize("key", ["source", "sample"])
def test_runs_on_different_validation_sets_are_refused(make_run: Callable[..., Path], key: str) -> None:
    make_run(A, parameters={"data_engineering": {key: {"val_split": "val2017", "workers": 1}}})
    make_run(B, parameters={"data_engineering": {key: {"val_split": "other_val"}}})
    assert error_message(compare(A, B)).startswith(f"The runs were scored on different persons: data_engineering.{key} is {{")


def test_runs_with_different_skeletons_are_refused(make_run: Callable[..., Path], data_dir: Path) -> None:
    make_run(A)
    make_run(B)
    (path,) = data_dir.glob(f"07_model_output/val/joint_hits.parquet/{B}/*")
    table = pd.read_parquet(path)
    table.assign(joint=table["joint"].replace("nose", "neck")).to_parquet(path)
    assert error_message(compare(A, B)) == "The runs have different skeletons: only in A: nose; only in B: neck.\n"


def test_different_crops_are_noted(make_run: Callable[..., Path]) -> None:
    make_run(A, data_fingerprint="1" * 16)
    make_run(B, data_fingerprint="2" * 16)
    assert "their data fingerprints differ" in compare(A, B).output
    assert "fingerprint" not in compare(A, A).output


def test_missing_data_fingerprint_is_noted(make_run: Callable[..., Path]) -> None:
    make_run(A, data_fingerprint="1" * 16)
    make_run(B)
    assert "no data fingerprint" in compare(A, B).output


def test_different_raw_dirs_are_noted(make_run: Callable[..., Path]) -> None:
    make_run(A, inputs={"raw_source": "/here/coco"})
    make_run(B, inputs={"raw_source": "/there/coco"})
    message = "(raw_dir: A /here/coco, B /there/coco)"
    assert message in compare(A, B).output
    notes = json.loads(compare(A, B, "--json").output)["notes"]
    assert message in notes[0]
    assert not any("folders" in note for note in json.loads(compare(A, A, "--json").output)["notes"])


def test_different_protocols_and_metrics_are_noted(make_run: Callable[..., Path]) -> None:
    sigmas = [{"name": "oks", "options": {"sigmas": [0.1, 0.1]}}]
    make_run(A, parameters={"evaluation": {"scoring": {"protocol": None, "metrics": [{"name": "oks"}]}}})
    make_run(B, parameters={"evaluation": {"scoring": {"protocol": "coco", "metrics": sigmas}}})
    output = compare(A, B).output
    assert "(evaluation.scoring.protocol): A None, B coco." in output
    assert "(evaluation.scoring.metrics): A [{'name': 'oks'}], B [{" in output


def test_newest_run_of_a_model_is_selected_from_a_data_dir(make_run: Callable[..., Path], data_dir: Path) -> None:
    parameters = {"evaluation": {"results": "external.json"}}
    make_run(A, parameters=parameters)
    assert json.loads(compare(data_dir, A, "--json").output)["a"]["run_id"] == A, "it is the only run"
    make_run(B)
    make_run("2026-01-03T10.00.00.000Z", parameters=parameters)
    result = compare(data_dir, A)
    assert result.output.splitlines()[0].startswith(f"A  {B}")
    assert f"{data_dir}: selected {B}, the newest run of a model. The newest run, 2026-01-03T10.00.00.000Z" in result.output
    assert f"{data_dir}: selected {B}, the newest of 3" not in result.output
    assert "selected" not in compare(B, A).output


def test_run_selected_from_a_data_dir_is_printed(make_run: Callable[..., Path], data_dir: Path) -> None:
    make_run(A)
    make_run(B)
    assert f"{data_dir}: selected {B}, the newest of 2 runs" in compare(A, data_dir).output


def test_external_results_are_printed_in_place_of_a_model(make_run: Callable[..., Path]) -> None:
    parameters = {"prediction": {"flip_test": True}, "results": "external.json"}
    make_run(A, parameters={"evaluation": parameters}, inputs={"model": "data/06_models/model/1/model"})
    assert f"A  {A}  results external.json  flip test unknown" in compare(A, A).output


def test_model_and_data_are_read_from_the_tables(make_run: Callable[..., Path]) -> None:
    make_run(A, origin=Origin("a" * 16, "1" * 16, ""), data_fingerprint="1" * 16)
    make_run(B, better=0.25, origin=Origin("b" * 16, "2" * 16, ""), data_fingerprint="1" * 16)
    content = json.loads(compare(A, B, "--json").output)
    fingerprints = [(content[run]["model_fingerprint"], content[run]["data_fingerprint"]) for run in "ab"]
    assert fingerprints == [("a" * 16, "1" * 16), ("b" * 16, "2" * 16)]
    assert len(content["notes"]) == 2
    assert all(part in content["notes"][0] for part in (B, "1" * 16, "2" * 16))
    assert "fingerprints" in content["notes"][1]
    assert [value["name"] for value in content["metric_values"]] == ["oks"], "fingerprints are not metrics"


def test_replaced_model_folder_is_noted(make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The run record contains the folder of a model that was replaced after the evaluation."""
    monkeypatch.setattr("posescope.runs.finished_runs.model_fingerprint", lambda folder: "c" * 16)
    make_run(A, origin=Origin("a" * 16, "1" * 16, ""), inputs={"model": "06_models/model"}, data_fingerprint="1" * 16)
    content = json.loads(compare(A, A, "--json").output)
    assert content["a"]["model_fingerprint"] == "a" * 16
    (note,) = content["notes"]
    assert all(part in note for part in (A, "a" * 16, "c" * 16))


@pytest.mark.parametrize("hits_origin", [Origin("b" * 16, "1" * 16, ""), Origin("a" * 16, "2" * 16, ""), Origin(results="")])
def test_tables_of_different_models_or_data_are_refused(make_run: Callable[..., Path], hits_origin: Origin) -> None:
    make_run(A, origin=Origin("a" * 16, "1" * 16, ""), hits_origin=hits_origin)
    assert f"joint_hits_val of run {A}" in error_message(compare(A, A))


def test_rows_of_two_models_are_refused(make_run: Callable[..., Path], data_dir: Path) -> None:
    make_run(A, origin=Origin("a" * 16, "1" * 16, ""))
    (path,) = data_dir.glob("07_model_output/val/person_scores.parquet/*/*")
    table = pd.read_parquet(path)
    table.assign(model=["a" * 16] * 3 + ["b" * 16]).to_parquet(path)
    assert "person_scores_val" in error_message(compare(A, A))


@pytest.mark.parametrize(("results", "found"), [(None, Origin("", "1", "f" * 16)), ("external.json", Origin("a" * 16, "1", ""))])
def test_tables_that_do_not_match_the_record_are_refused(
    make_run: Callable[..., Path], results: str | None, found: Origin
) -> None:
    make_run(A, origin=found, parameters={"evaluation": {"results": results}})
    assert "different runs" in error_message(compare(A, A))


def test_missing_table_is_an_error(make_run: Callable[..., Path], data_dir: Path) -> None:
    make_run(A)
    shutil.rmtree(data_dir / "07_model_output")
    assert "person_scores.parquet" in error_message(compare(A, A))


def test_invalid_record_is_an_error(make_run: Callable[..., Path]) -> None:
    folder = make_run(A)
    (folder / "run.json").write_text("{}")
    assert "data_fingerprint, inputs" in error_message(compare(A, A))


def test_data_dir_of_the_project_is_the_default(make_run: Callable[..., Path], tmp_path: Path) -> None:
    make_run(A)
    shutil.move(tmp_path / "data", tmp_path / "results")
    (tmp_path / "conf" / "base").mkdir(parents=True)
    (tmp_path / "conf" / "local").mkdir()
    (tmp_path / "conf" / "base" / "globals.yml").write_text("data_dir: nowhere\n")
    (tmp_path / "conf" / "local" / "globals.yml").write_text("data_dir: results\n")
    assert compare(A, A).exit_code == 0


@pytest.fixture
def peer(tmp_path: Path) -> list[str]:
    """The options for a network whose joints are the brightest cells of red, green and blue."""
    path = save_channel_means(tmp_path / "peer.onnx")
    settings = ("joints=[red,green,tail]", "mean=[0,0,0]", "std=[1,1,1]", "first_cell_px=1.5")
    return ["--peer", str(path), "--peer-format", "heatmaps", *(part for one in settings for part in ("--set", one))]


def test_run_is_compared_with_a_network_of_others(tmp_path: Path, peer: list[str]) -> None:
    data_dir = write_run(tmp_path, error_px=12.0)
    result = compare(data_dir, *peer, "--peer-results", tmp_path / "theirs.json")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[1] == f"B {tmp_path / 'peer.onnx'} format heatmaps 3 joints"
    assert "4 persons of the validation set in common, in 4 images." in lines
    assert any(line.startswith("pck_thesis 0.0000 1.0000 +1.0000 [+1.0000, +1.0000] B is higher") for line in lines)
    assert any(line.startswith("green 0.0000 1.0000") for line in lines)
    assert "Joints of A only, not compared: blue." in lines
    assert "Joints of B only, not compared: tail." in lines
    results = json.loads((tmp_path / "theirs.json").read_text())
    assert [len(record["keypoints"]) for record in results] == [9] * 4


def test_comparison_with_a_network_of_others_as_json(tmp_path: Path, peer: list[str]) -> None:
    content = json.loads(compare(write_run(tmp_path), *peer, "--json", "--peer-boxes", "annotated").stdout)
    assert (content["a"]["run_id"], content["b"]["format"], content["b"]["boxes"]) == (RUN_ID, "heatmaps", "annotated")
    assert len(content["b"]["sha256"]) == 64
    assert [joint["joint"] for joint in content["joints"]] == ["red", "green"]


@pytest.mark.parametrize(
    "arguments",
    [
        (A,), (A, B, "--peer", "p.onnx", "--peer-format", "movenet"), (A, "--peer", "p.onnx"), (A, B, "--set", "a=1"),
        (A, B, "--peer-format", "movenet"), (A, B, "--peer-results", "r.json"),
        (A, "--peer", "p.onnx", "--peer-format", "posenet"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_belong_together_are_refused(arguments: tuple[str, ...]) -> None:
    assert compare(*arguments).exit_code == 2


def test_missing_network_of_others_is_an_error(tmp_path: Path) -> None:
    write_run(tmp_path)
    result = compare(tmp_path / "data", "--peer", tmp_path / "none.onnx", "--peer-format", "movenet")
    assert "none.onnx" in error_message(result)

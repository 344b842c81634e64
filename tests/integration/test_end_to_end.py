"""The default pipeline on the small sample of conf/test, followed by single pipelines."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from tests.kedro_sessions import REPOSITORY, configure_once, open_session, run_pipelines

from posescope.artifacts.description import model_fingerprint
from posescope.artifacts.model_folder import load_model
from posescope.artifacts.uncertainty import read_uncertainty
from posescope.cli import cli
from posescope.cli.run_command import run as posescope_run
from posescope.core.files import read_json
from posescope.core.origin import OriginMismatchError
from posescope.drawing.rgb_images import read_png
from posescope.pipeline_registry import DEFAULT_PIPELINES

pytestmark = pytest.mark.usefixtures("one_thread")  # as in the subprocesses

METRICS = {
    "mse", "oks", "oks_ap", "oks_ap50", "oks_ap75", "oks_ar", "pck@0.2", "pck_thesis", "pck_thesis_visible"
}  # fmt: skip
# AP and AR count all annotated persons, the other metrics persons with a crop.
METRICS_OF_ALL_PERSONS = {"oks_ap", "oks_ap50", "oks_ap75", "oks_ar"}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python <arguments>` in the repository."""
    environment = {**os.environ, "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.run(
        [sys.executable, *arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr[-4000:]
    return process


def path_params(root: Path) -> str:
    return f"data_dir={root / 'data'},raw_dir={root / 'raw'}"


def records(root: Path) -> list[Path]:
    return sorted((root / "data" / "08_reporting" / "runs").glob("*/run.json"))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run of the default pipeline; tests only read it."""
    root = tmp_path_factory.mktemp("end_to_end")
    python("-m", "kedro", "run", "--env", "test", "--params", path_params(root))
    return root


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """Return a writable copy of the finished run."""
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


def metrics_file(root: Path) -> Path:
    return root / "data" / "08_reporting" / "metrics.json"


def test_metrics_have_the_documented_shape(run: Path) -> None:
    metrics = json.loads(metrics_file(run).read_text())
    assert set(metrics) == {"schema_version", "val"}
    assert metrics["schema_version"] == 1
    assert set(metrics["val"]) == METRICS
    for name, metric in metrics["val"].items():
        setting = {"split": "val", "box_source": "ground_truth", "flip_test": False}
        assert set(metric) == {"value", "low", "high", "persons", "protocol", "model", "data", "results", *setting}, name
        assert {key: metric[key] for key in setting} == setting
        assert math.isfinite(metric["value"])
        most = math.inf if name == "mse" else 1
        assert 0 <= metric["low"] <= metric["value"] <= metric["high"] <= most, name
        assert metric["persons"] > 0
        assert metric["protocol"] == ("coco" if name in METRICS_OF_ALL_PERSONS else "crops"), name
    table = pd.read_csv(metrics_file(run).with_suffix(".csv"))
    assert table["metric"].tolist() == sorted(METRICS)


def test_error_analysis_agrees_with_the_metrics(run: Path) -> None:
    reporting = run / "data" / "08_reporting"
    value = {name: metric["value"] for name, metric in json.loads(metrics_file(run).read_text())["val"].items()}
    all_persons = pd.read_csv(reporting / "strata.csv").set_index("stratum").loc["all persons"]
    assert all_persons["oks"] == pytest.approx(value["oks"])
    assert all_persons["pck_thesis"] == pytest.approx(value["pck_thesis"])
    costs = pd.read_csv(reporting / "error_costs.csv").set_index("type")
    assert costs["oks_gain"].drop("all").sum() == pytest.approx(costs.loc["all", "oks_gain"])
    # The type good is not corrected.
    assert value["oks"] + costs.loc["all", "oks_gain"] == pytest.approx(1, abs=0.15)
    setting = {"split": "val", "box_source": "ground_truth", "protocol": "crops", "flip_test": False}
    for name in ("strata", "error_types", "error_costs", "reliability", "rank_correlations", "joint_scores"):
        table = pd.read_csv(reporting / f"{name}.csv")
        assert (table["persons"] > 0).any(), name
        assert {key: table[key].unique().tolist() for key in setting} == {key: [expected] for key, expected in setting.items()}, (
            name
        )
    types = pd.read_csv(reporting / "error_types.csv")
    assert types.groupby("joint")["fraction"].sum().dropna().to_numpy() == pytest.approx(1)
    variants = pd.read_csv(reporting / "decoding_effects.csv").set_index("variant")
    assert variants.loc["codec decoder", "pck_thesis"] == pytest.approx(value["pck_thesis"])
    assert variants.loc["codec decoder", "oks"] == pytest.approx(value["oks"], abs=1e-5)
    joints = pd.read_parquet(run / "data" / "07_model_output" / "val" / "joint_errors.parquet")
    assert (joints["type"] != "unlabelled").sum() == types.loc[types["joint"] == "all", "count"].sum()


def test_results_name_their_model_and_data(run: Path) -> None:
    reporting = run / "data" / "08_reporting"
    (folder,) = (run / "data" / "06_models" / "model").glob("*/model")
    own = {"model": model_fingerprint(folder), "data": json.loads(records(run)[0].read_text())["data_fingerprint"]}
    values = json.loads(metrics_file(run).read_text())["val"].values()
    assert all({**own, "results": ""}.items() <= value.items() for value in values)
    tables = (
        "strata",
        "error_types",
        "error_costs",
        "reliability",
        "rank_correlations",
        "uncertainty_coverage",
        "risk_coverage",
        "joint_trust",
        "joint_scores",
        "person_scores",
        "history",
    )
    for name in tables:
        table = pd.read_csv(reporting / f"{name}.csv", dtype={"model": str, "data": str})
        assert {key: table[key].unique().tolist() for key in own} == {key: [value] for key, value in own.items()}, name
    for name in ("data_distribution", "rejected", "joint_labels"):
        assert pd.read_csv(reporting / f"{name}.csv", dtype={"data": str})["data"].unique().tolist() == [own["data"]], name
    for name in (
        "strata_plot",
        "error_types_plot",
        "error_costs_plot",
        "reliability_plot",
        "joint_scores_plot",
        "history_plot",
        "uncertainty_plot",
    ):
        assert own.items() <= json.loads((reporting / f"{name}.json").read_text())["layout"]["meta"].items(), name
    for name in ("worst_persons", "person_examples"):
        assert own.items() <= read_png(reporting / f"{name}.png").text.items(), name
    for name in ("crop_grid", "target_grid", "average_crop"):
        assert read_png(reporting / f"{name}.png").text == {"data": own["data"], "photographs": "full"}, name
    for result in (reporting / "explainability").glob("*/result.json"):
        content = json.loads(result.read_text())
        assert {key: content[key] for key in own} == own or not content["facts"], result
    assert "of another model or of other data" not in (reporting / "report.html").read_text(encoding="utf-8")
    assert "left out" not in (reporting / "model_card.md").read_text(encoding="utf-8")


def test_new_model_is_not_shown_with_metrics_of_the_former_one(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    value = json.loads(metrics_file(copy).read_text())["val"]["oks"]["value"]
    card = copy / "data" / "08_reporting" / "model_card.md"
    assert f"| oks | {value:.3f} |" in card.read_text()

    def write_model_card() -> None:
        with open_session(data_dir=str(copy / "data"), raw_dir=str(copy / "raw")) as session:
            session.run(pipeline_names=["reporting"], to_nodes=["reporting.write_model_card"])

    run_pipelines(copy, "modelling", modelling={"training": {"seed": 7, "epochs": 1, "learning_rate": 1e-6}})
    write_model_card()
    assert "| oks |" not in card.read_text()
    assert "Not measured for this model on this data" in card.read_text()
    assert any(record.levelname == "WARNING" and "Left out" in record.message for record in caplog.records)
    run_pipelines(copy, "evaluation")
    write_model_card()
    assert "| oks |" in card.read_text()


def test_metric_values_of_the_former_model_are_rejected(copy: Path) -> None:
    """Only `metrics.json` is missing; its parts are of the former model."""
    run_pipelines(copy, "modelling", modelling={"training": {"learning_rate": 1e-6, "epochs": 1}})
    metrics_file(copy).unlink()
    with (
        open_session(data_dir=str(copy / "data"), raw_dir=str(copy / "raw")) as session,
        pytest.raises(OriginMismatchError) as caught,
    ):
        session.run(pipeline_names=["evaluation"], only_missing_outputs=True)
    assert set(caught.value.names) == METRICS
    assert not metrics_file(copy).exists()


def test_results_of_former_data_are_omitted(copy: Path) -> None:
    run_pipelines(copy, "data_engineering", data_engineering={"split": {"seed": 5}})
    run_pipelines(copy, "reporting")
    page = (copy / "data" / "08_reporting" / "report.html").read_text(encoding="utf-8")
    assert "the model was trained on other data" in page
    assert "No metrics of this model on this data" in page


def test_run_record_lists_the_outputs(run: Path) -> None:
    (path,) = records(run)
    record = json.loads(path.read_text())
    assert record["run_id"] == path.parent.name
    assert (record["env"], record["pipelines"]) == ("test", ["__default__"])
    assert record["parameters"]["modelling"]["training"]["epochs"] == 2
    assert record["parameters"]["data_dir"] == str(run / "data")
    assert record["metrics"] == json.loads(metrics_file(run).read_text())
    assert re.fullmatch("[0-9a-f]{16}", record["data_fingerprint"])
    assert set(record["outputs"]) >= {"model", "report", "metrics", "crops", "analysis_latent_traversal"}
    assert [name for name, place in record["outputs"].items() if not Path(place).exists()] == []


def test_no_file_is_outside_the_data_folder_and_none_is_temporary(run: Path) -> None:
    assert sorted(path.name for path in run.iterdir()) == ["data", "raw"]
    layers = [
        "02_intermediate",
        "03_primary",
        "05_model_input",
        "06_models",
        "07_model_output",
        "08_reporting",
    ]
    of_runs = [".checksums", ".lock", ".lock.workers"]
    assert sorted(path.name for path in (run / "data").iterdir()) == [*of_runs, *layers]
    assert [path for path in run.rglob("*") if ".tmp" in path.name or path.suffix in (".pkl", ".pickle", ".pt", ".pth")] == []


def test_report_is_self_contained(run: Path) -> None:
    page = (run / "data" / "08_reporting" / "report.html").read_text(encoding="utf-8")
    # Embedded scripts may contain addresses; attributes and style sheets must not load any.
    fetches = re.findall(
        r"""<(?:script|img|link|iframe|source|video|audio)\b[^>]*?\b(?:src|href)\s*=\s*["']?(?!data:|#)([^"'\s>]+)""", page
    )
    assert fetches == []
    outside_of_scripts = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)
    assert re.findall(r"(?:url\(|@import)\s*['\"]?https?:", outside_of_scripts) == []
    assert "<html" in page
    assert "posescope report" in page


def test_model_folder_has_its_provenance(run: Path) -> None:
    (folder,) = (run / "data" / "06_models" / "model").glob("*/model")
    model = load_model(folder)
    assert model.crop_size == (64, 64)
    assert model.codec_spec.name == "gaussian"
    assert model.model_spec.options["stacks"] == 2
    decoded = model.predict(torch.zeros((1, 64, 64, 3), dtype=torch.uint8))
    assert decoded.joints.shape == (1, len(model.skeleton), 2)


def test_the_model_is_calibrated_and_its_radii_are_judged(run: Path) -> None:
    (folder,) = (run / "data" / "06_models" / "model").glob("*/model")
    uncertainty = read_uncertainty(folder, model_fingerprint(folder), load_model(folder).skeleton.joints)
    assert uncertainty is not None
    persons = pd.read_parquet(run / "data" / "03_primary" / "persons.parquet")
    calibration = persons[persons["split"] == "calibration"]
    assert uncertainty.persons == len(calibration) > 0
    table = pd.read_csv(run / "data" / "08_reporting" / "uncertainty_coverage.csv")
    judged = table[(table["joint"] == "all") & table["main"]].iloc[0]
    assert judged["level"] == uncertainty.level == 0.5
    assert judged["labelled"] > 0
    assert judged["persons"] <= (persons["split"] == "val").sum()


def test_images_are_in_one_split_only(run: Path) -> None:
    persons = pd.read_parquet(run / "data" / "03_primary" / "persons.parquet")
    splits = persons.groupby(["source_split", "image_id"])["split"].nunique()
    assert splits.max() == 1
    assert set(persons["split"]) == {"train", "val", "test", "calibration"}


def test_inference_predicts_every_image_of_a_folder(copy: Path) -> None:
    images = copy / "raw" / "val2017"
    run_pipelines(copy, "inference", images=str(images), model=str(copy / "data" / "06_models" / "model"))
    folder = copy / "data" / "07_model_output" / "inference"
    results = json.loads((folder / "coco_results.json").read_text())
    names = sorted(path.name for path in images.iterdir())
    assert [result["file_name"] for result in results] == names, "one record per image"
    (model_folder,) = (copy / "data" / "06_models" / "model").glob("*/model")
    joints = len(load_model(model_folder).skeleton)
    for result in results:
        height, width = cv2.imread(str(images / result["file_name"])).shape[:2]
        assert result["image_id"] == int(Path(result["file_name"]).stem)
        assert result["bbox"] == [0.0, 0.0, float(width), float(height)], "COCO's edges"
        assert len(result["keypoints"]) == 3 * joints
        assert result["category_id"] == 1
    assert sorted(path.stem for path in (folder / "overlays").glob("*.png")) == sorted(Path(name).name for name in names)


def test_inference_reads_boxes_from_a_file(copy: Path) -> None:
    images, truth = copy / "raw" / "val2017", copy / "raw" / "annotations" / "person_keypoints_val2017.json"
    paths = {"images": str(images), "model": str(copy / "data" / "06_models" / "model"), "boxes": str(truth)}
    run_pipelines(copy, "inference", inference={"detector": {"name": "boxes_file"}}, **paths)
    results = json.loads((copy / "data" / "07_model_output" / "inference" / "coco_results.json").read_text())
    expected = [item for item in json.loads(truth.read_text())["annotations"] if not item["iscrowd"]]

    def key(item: dict[str, Any]) -> tuple[Any, ...]:
        return item["image_id"], *(round(value, 2) for value in item["bbox"])

    assert sorted(map(key, results)) == sorted(map(key, expected)), "the half-pixel shift is reversed"


@pytest.mark.slow
def test_crops_that_are_not_square(tmp_path: Path) -> None:
    """Crops of 96 x 64 px by the rule top_down, up to the report; inference with the annotated boxes has the same crops."""
    crop = {"data_engineering": {"crop": {"rule": "top_down", "size_px": [96, 64]}}}
    run_pipelines(tmp_path, *DEFAULT_PIPELINES, **crop)
    data, images = tmp_path / "data", tmp_path / "raw" / "val2017"
    boxes = pd.read_parquet(data / "03_primary" / "crop_boxes.parquet")
    assert ((boxes["width"] / boxes["height"]).between(0.6, 0.73) & (boxes["side"] == boxes["height"])).all()
    metrics = json.loads(metrics_file(tmp_path).read_text())["val"]
    assert set(metrics) == METRICS
    assert all(math.isfinite(metric["value"]) for metric in metrics.values())
    (model_folder,) = (data / "06_models" / "model").glob("*/model")
    model = load_model(model_folder)
    assert (model.crop_size, model.codec.map_size, model.crop.rule.name) == ((96, 64), (24, 16), "top_down")
    pages = [(data / "08_reporting" / name).read_text() for name in ("report.html", "summary.html", "model_card.md")]
    assert not [page for page in pages if "square picture" in page or "square crop" in page]

    truth = tmp_path / "raw" / "annotations" / "person_keypoints_val2017.json"
    paths = {"images": str(images), "model": str(data / "06_models" / "model"), "boxes": str(truth)}
    run_pipelines(tmp_path, "inference", inference={"detector": {"name": "boxes_file"}}, **paths, **crop)
    by_image: dict[int, list[np.ndarray]] = {}
    for found in json.loads((data / "07_model_output" / "inference" / "coco_results.json").read_text()):
        by_image.setdefault(found["image_id"], []).append(np.reshape(found["keypoints"], (-1, 3))[:, :2])
    evaluated = json.loads((data / "07_model_output" / "val" / "coco_results.json").read_text())
    assert len(evaluated) == 20
    for result in evaluated:
        joints = np.reshape(result["keypoints"], (-1, 3))[:, :2]
        assert min(np.abs(joints - others).max() for others in by_image[result["image_id"]]) < 0.01


def test_inference_skips_unreadable_images(copy: Path) -> None:
    images = copy / "raw" / "val2017"
    readable = len(list(images.iterdir()))
    (images / "broken.jpg").write_bytes(b"no image")
    run_pipelines(copy, "inference", images=str(images), model=str(copy / "data" / "06_models" / "model"))
    results = json.loads((copy / "data" / "07_model_output" / "inference" / "coco_results.json").read_text())
    assert len(results) == readable


def run_single(root: Path, name: str) -> None:
    """Run one pipeline; it writes its own record and changes no other outputs."""
    before, metrics = {path: path.read_bytes() for path in records(root)}, metrics_file(root).read_bytes()
    run_pipelines(root, name)
    assert len(records(root)) == len(before) + 1
    assert {path: path.read_bytes() for path in before} == before, "earlier records are unchanged"
    assert metrics_file(root).read_bytes() == metrics
    newest = json.loads(records(root)[-1].read_text())
    assert newest["pipelines"] == [name]
    assert (newest["metrics"] is not None) == (name == "evaluation")


def true_results(root: Path) -> list[dict[str, Any]]:
    """Return the annotations of the validation images as COCO results, in the order of the images."""
    truth = json.loads((root / "raw" / "annotations" / "person_keypoints_val2017.json").read_text())
    labelled = [record for record in truth["annotations"] if record["num_keypoints"] and not record["iscrowd"]]
    fields = ("image_id", "category_id", "keypoints")
    return sorted(
        ({**{key: record[key] for key in fields}, "score": 1} for record in labelled), key=lambda record: record["image_id"]
    )


def test_persons_without_external_result_count_as_missed(copy: Path) -> None:
    """Ground truth as results, without the persons of one image: in the metrics and in the comparison of runs."""
    all_results = true_results(copy)
    first = all_results[0]["image_id"]
    results = copy / "external.json"
    results.write_text(json.dumps([result for result in all_results if result["image_id"] != first]))
    run_pipelines(copy, "evaluation", evaluation={"results": str(results)})
    outputs = copy / "data" / "07_model_output" / "val"
    table = pd.read_parquet(sorted(outputs.glob("person_scores.parquet/*/*"))[-1])
    missed = table[~table["found"]]
    assert set(missed["image_id"]) == {first}
    assert (missed[["pck_thesis", "oks"]] == 0).all(axis=None)
    value = json.loads(metrics_file(copy).read_text())["val"]["oks"]["value"]
    all_persons = pd.read_csv(copy / "data" / "08_reporting" / "strata.csv").iloc[0]
    assert all_persons[["oks", "persons", "not_found"]].tolist() == pytest.approx([value, len(table), len(missed)])
    types = pd.read_csv(copy / "data" / "08_reporting" / "error_types.csv").set_index(["joint", "type"])
    assert types.loc[("all", "not found"), "count"] > 0
    ranks = pd.read_csv(copy / "data" / "08_reporting" / "rank_correlations.csv").set_index("level")
    assert ranks.loc["person", "score_of"] == "the result's own score"
    assert ranks.loc["person", ["persons", "not_found"]].tolist() == [len(table) - len(missed), len(missed)]
    assert value == pytest.approx(1 - len(missed) / len(table)) == pytest.approx(table["oks"].mean())
    process = CliRunner().invoke(cli, ["compare", *(str(path.parent) for path in records(copy)), "--json"])
    assert process.exit_code == 0, process.output
    content = json.loads(process.output)
    assert (content["missed_a"], content["missed_b"], content["only_a"]) == (0, len(missed), 0)
    (oks,) = [metric for metric in content["metric_values"] if metric["name"] == "oks"]
    assert (oks["b"], oks["count"]) == (pytest.approx(value), len(table))
    assert sum(joint["oks"]["b"] * joint["oks"]["count"] for joint in content["joints"]) == pytest.approx(
        sum(joint["oks"]["count"] for joint in content["joints"])
        - pd.read_parquet(sorted(outputs.glob("joint_hits.parquet/*/*"))[-1])["image_id"].eq(first).sum()
    )


def test_external_results_are_evaluated(copy: Path) -> None:
    """Ground truth as a file of COCO results: all metrics are perfect."""
    results = copy / "external.json"
    results.write_text(json.dumps(true_results(copy)))
    shutil.rmtree(copy / "data" / "06_models")  # external results are evaluated without a model
    run_pipelines(copy, "evaluation", evaluation={"results": str(results), "scoring": {"protocol": "coco"}})
    found = json.loads(metrics_file(copy).read_text())["val"]
    assert set(found) == METRICS - {"mse"}  # there are no heatmaps
    for name, metric in found.items():
        assert (metric["value"], metric["low"], metric["high"]) == pytest.approx((1, 1, 1)), name
        assert (metric["protocol"], metric["box_source"], metric["flip_test"]) == ("coco", "results", None)
    assert "model" not in json.loads(records(copy)[-1].read_text())["inputs"]


@pytest.mark.parametrize("name", [name for name in DEFAULT_PIPELINES if name != "modelling"])
def test_each_pipeline_can_be_run_again(copy: Path, name: str) -> None:
    run_single(copy, name)


def test_modelling_again_writes_a_second_version_with_equal_weights(copy: Path) -> None:
    run_single(copy, "modelling")
    first, second = sorted((copy / "data" / "06_models" / "model").glob("*/model/model.safetensors"))
    assert first.read_bytes() == second.read_bytes()


def test_another_codec_on_the_command_line_is_trained(copy: Path) -> None:
    run_pipelines(copy, "modelling", data_engineering={"codec": {"name": "thesis"}}, modelling={"training": {"epochs": 1}})
    newest = sorted((copy / "data" / "06_models" / "model").glob("*/model"))[-1]
    content = json.loads((newest / "model.json").read_text())
    assert content["codec"] == {"name": "thesis", "options": {}}


def test_equal_seeds_give_equal_weights_and_metrics_by_both_commands(run: Path, tmp_path: Path) -> None:
    """The first run was `kedro run`, this one is `python -m posescope`."""
    pipelines = "data_engineering,modelling,evaluation"
    python("-m", "posescope", "--env", "test", "--pipelines", pipelines, "--params", path_params(tmp_path))
    assert sorted(json.loads(records(tmp_path)[0].read_text())["pipelines"]) == sorted(pipelines.split(","))
    assert metrics_file(tmp_path).read_bytes() == metrics_file(run).read_bytes()
    one, two = (json.loads(records(root)[0].read_text()) for root in (run, tmp_path))
    assert one["data_fingerprint"] == two["data_fingerprint"]
    first, second = (next((root / "data" / "06_models" / "model").glob("*/model/model.safetensors")) for root in (run, tmp_path))
    assert first.read_bytes() == second.read_bytes()


def test_only_missing_outputs_are_written_again(copy: Path) -> None:
    def modification_times() -> dict[str, int]:
        """Return the modification times of all files except run records, lock and checksums."""
        files = (path for path in copy.rglob("*") if path.is_file() and not {"runs", ".lock", ".checksums"} & set(path.parts))
        return {str(path.relative_to(copy)): path.stat().st_mtime_ns for path in files}

    def run_missing() -> list[str]:
        with open_session(data_dir=str(copy / "data"), raw_dir=str(copy / "raw")) as session:
            session.run(only_missing_outputs=True)
        return list(json.loads(records(copy)[-1].read_text())["outputs"])

    before = modification_times()
    assert run_missing() == []
    assert modification_times() == before, "no output is missing, so that no file is written"
    metrics_file(copy).unlink()
    assert run_missing() == ["metrics"]
    changed = {name for name, time in modification_times().items() if before[name] != time}
    assert changed == {"data/08_reporting/metrics.json"}


def test_command_of_a_finding_repeats_its_analysis(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy / "data" / "08_reporting" / "explainability"
    finding = read_json(folder / "findings.json")[-1]
    result = folder / finding["analysis"] / "result.json"
    before = result.read_bytes()
    shutil.rmtree(result.parent)
    kedro, command, *arguments = finding["command"].split()
    assert (kedro, command) == ("kedro", "run")
    configure_once()
    monkeypatch.chdir(REPOSITORY)
    process = CliRunner().invoke(posescope_run, [*arguments, "--env", "test", "--params", path_params(copy)])
    assert process.exit_code == 0, process.output
    assert result.read_bytes() == before

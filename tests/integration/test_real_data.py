"""The default pipeline on photographs, with the command of the README, and the full-size recipes for two steps."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

REPOSITORY = Path(__file__).resolve().parents[2]


def readme_command() -> list[str]:
    """Return the arguments of the real-data command of the README."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    block = text.split("<!-- REAL DATA COMMAND -->")[1]
    code = re.search(r"```(?:bash|sh|console)?\n(.*?)```", block, re.DOTALL)
    if code is None:
        pytest.fail("README.md: no code block between the markers of the real-data command")
    return code.group(1).replace("\\\n", " ").split()


def run_kedro(arguments: list[str], replacements: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `kedro run ...` with some of the comma-separated parameters replaced or added."""
    place = arguments.index("--params") + 1
    parameters = dict(pair.split("=", 1) for pair in arguments[place].split(",")) | replacements
    arguments = [*arguments[1:place], ",".join(f"{key}={value}" for key, value in parameters.items()), *arguments[place + 1 :]]
    return subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.real_data
def test_readme_command_runs_on_photographs(real_data, tmp_path):
    paths = {"raw_dir": str(real_data / "coco_subset"), "data_dir": str(tmp_path)}
    result = run_kedro(readme_command(), paths | {"modelling.training.epochs": "1"})
    assert result.returncode == 0, result.stderr[-3000:]
    metrics = json.loads((tmp_path / "08_reporting" / "metrics.json").read_text())["val"]
    assert 0 <= metrics["oks_ap"]["value"] <= 1
    # All labelled persons of the validation images are present: the padded square rejects none.
    results = json.loads((tmp_path / "07_model_output" / "val" / "coco_results.json").read_text())
    assert len(results) == 374
    truth = real_data / "coco_subset" / "annotations" / "person_keypoints_val2017.json"
    assert metrics["oks_ap"]["value"] == pytest.approx(plain_pycocotools(truth, tmp_path), abs=1e-9)
    assert "The test set is limited to 59 persons; the validation set has 374" in result.stderr
    assert (tmp_path / "08_reporting" / "report.html").stat().st_size > 100_000


def plain_pycocotools(truth: Path, data_dir: Path) -> float:
    """Return the AP of the results file as computed by pycocotools."""
    expected = COCO(str(truth))
    found = expected.loadRes(str(data_dir / "07_model_output" / "val" / "coco_results.json"))
    evaluation = COCOeval(expected, found, "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return float(evaluation.stats[0])


@pytest.mark.slow
@pytest.mark.real_data
def test_default_pipeline_with_another_skeleton_and_split_names(real_data, tmp_path):
    """LSPET: 14 joints, two of which COCO lacks; splits `train` and `val`."""
    arguments = readme_command()
    raw = subset_of(real_data / "lspet", tmp_path / "raw", {"train": 60, "val": 30})
    paths = {"raw_dir": str(raw), "data_dir": str(tmp_path)}
    splits = {"data_engineering.source.train_split": "train", "data_engineering.source.val_split": "val"}
    result = run_kedro(arguments, paths | splits | {"modelling.training.epochs": "1"})
    assert result.returncode == 0, result.stderr[-3000:]
    findings = pd.read_csv(tmp_path / "08_reporting" / "data_quality.csv").set_index("check")
    assert "neck, head_top" in findings.loc["guessed_oks_sigmas", "detail"]
    assert "guessed_oks_sigmas" in result.stderr
    skeleton = json.loads((tmp_path / "02_intermediate" / "skeleton.json").read_text())
    assert (len(skeleton["joints"]), skeleton["guessed_sigmas"]) == (14, ["neck", "head_top"])
    (result_of_one, *_) = json.loads((tmp_path / "07_model_output" / "val" / "coco_results.json").read_text())
    assert len(result_of_one["keypoints"]) == 3 * 14
    model = json.loads(next((tmp_path / "06_models" / "model").glob("*/model/model.json")).read_text())
    assert model["skeleton"]["joints"] == skeleton["joints"]


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("env", ["coco", "thesis", "thesis_final"])
def test_full_size_recipes_take_optimiser_steps(real_data, tmp_path, env):
    arguments = ["kedro", "run", "--env", env, "--pipelines", "data_engineering,modelling", "--params", "x=y"]
    small = {
        "raw_dir": str(subset_of(real_data / "coco_subset", tmp_path / "raw", {"train2017": 14, "val2017": 2})),
        "data_dir": str(tmp_path / "data"),
        "modelling.training.epochs": "1",
        "modelling.training.batch_size": "4",
        "modelling.training.device": "cpu",
    }
    arguments[-1] = ",".join(f"{key}={value}" for key, value in small.items())
    result = run_kedro(arguments, {})
    assert result.returncode == 0, result.stderr[-3000:]
    model = json.loads(next((tmp_path / "data" / "06_models" / "model").glob("*/model/model.json")).read_text())
    assert model["crop_size"] == [256, 256]
    # At least two real steps: a batch of four each.
    persons = pd.read_parquet(tmp_path / "data" / "03_primary" / "persons.parquet")
    assert (persons["split"] == "train").sum() >= 8


def subset_of(source: Path, target: Path, images_of: dict[str, int]) -> Path:
    """Write the first images of each split with labelled persons as a COCO folder."""
    for split, images in images_of.items():
        content = json.loads((source / "annotations" / f"person_keypoints_{split}.json").read_text())
        labelled = sorted({record["image_id"] for record in content["annotations"] if record["num_keypoints"]})[:images]
        content["images"] = [image for image in content["images"] if image["id"] in labelled]
        content["annotations"] = [record for record in content["annotations"] if record["image_id"] in labelled]
        (target / split).mkdir(parents=True)
        (target / "annotations").mkdir(exist_ok=True)
        (target / "annotations" / f"person_keypoints_{split}.json").write_text(json.dumps(content))
        for image in content["images"]:
            (target / split / image["file_name"]).write_bytes((source / split / image["file_name"]).read_bytes())
    return target

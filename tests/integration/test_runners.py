"""Tests of Kedro's runners: all of them write the same bytes."""

import hashlib
import json
import pickle
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from tests.kedro_sessions import REPOSITORY, configure_once

from posescope.cli.run_command import run
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build
from posescope.pipeline_registry import register_pipelines
from posescope.sample.generator import ensure_sample
from posescope.sample.options import SampleOptions

pytestmark = pytest.mark.usefixtures("one_thread")
RUNNERS = ("SequentialRunner", "ThreadRunner", "ParallelRunner")

# Files that contain times.
TIMED = re.compile(r"state\.json|history\.(csv|parquet)|report\.html|run\.json")


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_once()
    monkeypatch.chdir(REPOSITORY)


def call(runner: str, params: str, *arguments: str) -> Any:
    workers = [] if runner == "SequentialRunner" else ["--runner-params", "max_workers=2"]
    return CliRunner().invoke(run, ["--env", "test", "--runner", runner, *workers, "--params", params, *arguments])


def digests(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file without times, by its path without the version.

    The lock and `.checksums` are excluded, because they contain checksums of files with times.
    """
    return {
        re.sub(r"\d{4}-\d\d-\d\dT[\d.]+Z", "version", str(path.relative_to(root))): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and not TIMED.fullmatch(path.name) and not path.relative_to(root).parts[0].startswith(".")
    }


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a data set of eight small photographs with one person each."""
    root = tmp_path_factory.mktemp("runners") / "raw"
    rng = np.random.default_rng(0)
    for split, count in (("train2017", 6), ("val2017", 2)):
        (root / split).mkdir(parents=True)
        images, annotations = [], []
        for number in range(1, count + 1):
            cv2.imwrite(str(root / split / f"{number}.png"), rng.integers(0, 255, (60, 80, 3), dtype=np.uint8))
            images.append({"id": number, "file_name": f"{number}.png", "height": 60, "width": 80})
            keypoints = [30, 20, 2, 50, 40, 2]
            annotations.append(
                {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "area": 900.0, "num_keypoints": 2,
                 "bbox": [20, 10, 40, 40], "keypoints": keypoints}
            )  # fmt: skip
        category = {"id": 1, "name": "person", "keypoints": ["left_hand", "right_hand"], "skeleton": [[1, 2]]}
        (root / "annotations").mkdir(exist_ok=True)
        content = {"images": images, "annotations": annotations, "categories": [category]}
        (root / "annotations" / f"person_keypoints_{split}.json").write_text(json.dumps(content))
    return root


def test_every_runner_writes_the_same_bytes_of_data_engineering(raw: Path, tmp_path: Path) -> None:
    made = {}
    for runner in RUNNERS:
        data = tmp_path / runner
        sigmas = "data_engineering.source.oks_sigmas={left_hand: 0.05}"
        paths = f"raw_dir={raw},data_dir={data},data_engineering.sample=null,{sigmas}"
        process = call(runner, paths, "--pipelines", "data_engineering", "--to-outputs", "targets,crop_statistics,issues")
        assert process.exit_code == 0, process.output[-2000:]
        made[runner] = digests(data)
    assert len(made["SequentialRunner"]) > 10
    assert made["ThreadRunner"] == made["SequentialRunner"]
    assert made["ParallelRunner"] == made["SequentialRunner"]


@pytest.mark.slow
def test_every_runner_writes_the_same_bytes_of_the_default_pipeline(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    ensure_sample(raw, SampleOptions(train_persons=60, val_persons=20))
    made = {}
    for runner in RUNNERS:
        data = tmp_path / runner
        process = call(runner, f"raw_dir={raw},data_dir={data},test_access_log={data}/access_log.json")
        assert process.exit_code == 0, process.output[-2000:]
        made[runner] = digests(data)
    assert any(name.endswith("model.safetensors") for name in made["SequentialRunner"])
    assert made["ThreadRunner"] == made["SequentialRunner"]
    assert made["ParallelRunner"] == made["SequentialRunner"]


@pytest.mark.parametrize("name", sorted(register_pipelines()))
def test_every_node_can_run_in_another_process(name: str) -> None:
    for node in register_pipelines()[name].nodes:
        assert pickle.loads(pickle.dumps(node)).name == node.name


def test_errors_of_another_process_are_reported() -> None:
    with pytest.raises(OptionsError) as caught:
        build("models", ComponentSpec(name="hourglass", options={"stacks": 99}), crop_size=(64, 64), joint_count=2)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))


@pytest.mark.parametrize("runner", RUNNERS)
def test_expected_dataset_error_is_one_line_with_every_runner(runner: str, raw: Path, tmp_path: Path) -> None:
    paths = f"raw_dir={raw},data_dir={tmp_path}"
    (tmp_path / "07_model_output").mkdir()
    (tmp_path / "07_model_output" / "tuning.json").write_text("{")
    process = call(runner, paths, "--pipelines", "tune", "--nodes", "tune.tabulate_trials")
    assert process.exit_code == 1
    assert isinstance(process.exception, SystemExit), repr(process.exception)
    message = process.output.partition("Error: ")[2].strip()
    assert message.startswith(f"{tmp_path}/07_model_output/tuning.json: not a JSON file")
    assert "Traceback" not in message

"""Tests of a network by dotted path: it is loaded if the parameters name it, and never by a file."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from tests.kedro_sessions import run_pipelines

from posescope.artifacts.model_folder import ModelFolderError, load_model
from posescope.cli import cli
from posescope.prediction.estimator import PoseEstimator

pytestmark = pytest.mark.usefixtures("one_thread")

MODULE, NET = "nets_of_the_user", "nets_of_the_user:Net"
SOURCE = """
from pathlib import Path
from posescope.models.hourglass import Hourglass

(Path(__file__).parent / "imported").touch()

class Net(Hourglass):
    pass
"""
SMALL = {"train_persons": 24, "val_persons": 12}
OPTIONS = {"channels": 8, "depth": 1, "stem_channels": 8, "bottleneck_residuals": 1}
TRAVERSAL = {"name": "latent_traversal", "options": {"components": 1, "persons": 20}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder on the Python path with the user's module and a run that trained and evaluated its network."""
    folder = tmp_path_factory.mktemp("dotted")
    (folder / f"{MODULE}.py").write_text(SOURCE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        sample = {"sample": SMALL, "crop": {"shard_persons": 16}}
        run(folder, NET, "data_engineering", "modelling", "evaluation", data_engineering=sample)
        yield folder
    sys.modules.pop(MODULE, None)


@pytest.fixture
def unloaded(root: Path) -> Path:
    """Unload the module; return the file that it writes on import."""
    sys.modules.pop(MODULE, None)
    (root / "imported").unlink(missing_ok=True)
    return root / "imported"


def run(root: Path, network: str | None, *names: str, **params: Any) -> None:
    if network is not None:
        params["modelling"] = {"model": {"name": network, "options": OPTIONS}, "training": {"epochs": 1}}
    run_pipelines(root, *names, **params)


def causes_of(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def newest_model(root: Path) -> Path:
    return sorted((root / "data" / "06_models" / "model").glob("*/model"))[-1]


def photo(root: Path) -> Path:
    folder = root / "photos"
    folder.mkdir(exist_ok=True)
    assert cv2.imwrite(str(folder / "1.png"), np.full((60, 50, 3), 90, np.uint8))
    return folder


def test_network_by_dotted_path_is_trained_and_evaluated(root: Path) -> None:
    content = json.loads((newest_model(root) / "model.json").read_text())
    assert content["architecture"] == {"name": NET, "options": {**content["architecture"]["options"], **OPTIONS}}
    metrics = json.loads((root / "data" / "08_reporting" / "metrics.json").read_text())
    assert metrics["val"]["pck_thesis"]["persons"] > 0


def test_run_that_names_the_network_explains_and_predicts(root: Path) -> None:
    run(
        root, NET, "explainability", explainability={"analyses": {"selected": [TRAVERSAL]}, "persons": {"min_labelled_joints": 4}}
    )
    assert (root / "data" / "08_reporting" / "explainability" / "latent_traversal" / "result.json").is_file()
    run(root, NET, "inference", images=str(photo(root)), model=str(newest_model(root)))
    poses = root / "data" / "07_model_output" / "inference" / "coco_results.json"
    assert len(json.loads(poses.read_text())) == 1


def test_run_that_does_not_name_the_network_does_not_import_it(root: Path, unloaded: Path) -> None:
    with pytest.raises(Exception, match=rf"{NET}.* by a dotted path") as caught:
        run(root, None, "evaluation")
    assert ModelFolderError in [type(error) for error in causes_of(caught.value)]
    assert not unloaded.exists()
    assert MODULE not in sys.modules


def test_python_allows_a_dotted_path(root: Path, unloaded: Path) -> None:
    folder = newest_model(root)
    with pytest.raises(ModelFolderError, match=rf"allow=\['{NET}'\] in Python, --allow-component {NET}"):
        load_model(folder)
    with pytest.raises(ModelFolderError, match="by a dotted path"):
        PoseEstimator.load(folder, device="cpu", allow=["nets_of_the_user:Other"])
    assert not unloaded.exists()
    assert load_model(folder, allow=[NET]).model_spec.name == NET
    poses = PoseEstimator.load(folder, device="cpu", allow=[NET]).predict_one(np.zeros((30, 30, 3), np.uint8))
    assert np.isfinite(poses.joints).all()
    assert unloaded.exists()


def test_command_line_allows_a_dotted_path(root: Path, unloaded: Path, tmp_path: Path) -> None:
    model, images = str(newest_model(root)), str(photo(root))
    refused = CliRunner().invoke(cli, ["predict", images, "--model", model, "--device", "cpu"])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"--allow-component {NET}" in refused.stderr
    exported = ["export", "--model", model, "--out", str(tmp_path / "onnx"), "--images", images]
    assert CliRunner().invoke(cli, exported).exit_code == 1
    shown = CliRunner().invoke(cli, ["info", model])
    assert f"components_to_allow: {NET}" in shown.stdout
    assert not unloaded.exists()
    assert "components_to_allow" not in CliRunner().invoke(cli, ["info", model, "--allow-component", NET]).stdout
    posed = CliRunner().invoke(cli, ["predict", images, "--model", model, "--device", "cpu", "--allow-component", NET])
    assert posed.stdout.startswith("1.png: 1 person"), posed.output
    assert unloaded.exists()

"""A second, separately installed package adds a network, a codec and a pipeline, with no change to the project."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PACKAGE = Path(__file__).with_name("package")
REPOSITORY = Path(__file__).resolve().parents[2]

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Call:
    """Run `python <arguments>` in the repository with the second package on the path."""
    source, target = tmp_path_factory.mktemp("source") / "package", tmp_path_factory.mktemp("installed")
    # Building writes into the source folder, so that a copy is built.
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, capture_output=True, text=True)
    paths = {"PYTHONPATH": str(target), "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **paths},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def trained(call: Call, paths: Path) -> subprocess.CompletedProcess[str]:
    """Run data engineering and modelling with the network and the codec of the package."""
    params = [
        f"data_dir={paths}/data,raw_dir={paths}/raw",
        "data_engineering.sample.train_persons=16,data_engineering.sample.val_persons=8,data_engineering.codec.name=boxes",
        "modelling.model.name=two_layers,modelling.model.options.channels=4,modelling.training.epochs=1",
    ]
    pipelines = "data_engineering,modelling"
    return call("-m", "kedro", "run", "--env", "test", "--pipelines", pipelines, "--params", ",".join(params))


def test_project_files_do_not_mention_the_package() -> None:
    project_text = (REPOSITORY / "pyproject.toml").read_text() + "".join(
        path.read_text() for path in (REPOSITORY / "conf").rglob("*.yml")
    )
    assert "posescope_extension" not in project_text
    assert "two_layers" not in project_text


def test_components_are_listed_with_package_name_and_version(call: Call) -> None:
    listed = call("-m", "kedro", "plugins")
    assert listed.returncode == 0, listed.stderr
    for name, target in {
        "two_layers": "network:TwoLayers",
        "two_scales": "encoder:TwoScales",
        "boxes": "codec:BoxCodec",
        "extension": "pipeline:create_pipeline",
    }.items():
        (line,) = [line for line in listed.stdout.splitlines() if line.startswith(f"  {name}  ")]
        assert f"[posescope-extension 1.2.3, posescope_extension.{target}]" in line
    assert "reach_cells: half the side of a square, cells (default 1.5)" in listed.stdout


def test_plain_network_of_the_package_has_the_arguments_of_its_signature_as_options(call: Call) -> None:
    listed = call("-m", "kedro", "plugins", "models").stdout
    assert "  small_net  Three convolutions down to stride 8, one up to stride 4.  [posescope-extension 1.2.3" in listed
    assert "      channels:  (default 16)" in listed


def test_network_of_the_package_trains_with_its_codec(trained: subprocess.CompletedProcess[str], paths: Path) -> None:
    assert trained.returncode == 0, trained.stderr
    (description,) = (paths / "data" / "06_models" / "model").glob("*/model/model.json")
    content = json.loads(description.read_text())
    assert content["architecture"] == {"name": "two_layers", "options": {"channels": 4}}, "no option of the hourglass is left"
    assert content["codec"] == {"name": "boxes", "options": {}}
    assert (paths / "data" / "08_reporting" / "target_grid.png").is_file()


def test_encoder_of_the_package_is_decoded(call: Call) -> None:
    code = (
        "from posescope.core.plugins import ComponentSpec, build\n"
        "encoder = {'name': 'two_scales', 'options': {'channels': 4}}\n"
        "spec = ComponentSpec(name='encoder_decoder', options={'encoder': encoder, 'channels': 4})\n"
        "network = build('models', spec, crop_size=(64, 48), joint_count=3)\n"
        "print(network.map_size, network.bottleneck_layer, network.stored_options({})['encoder'])"
    )
    built = call("-c", code)
    assert built.stdout.strip() == "(16, 12) encoder.stride8 {'name': 'two_scales', 'options': {'channels': 4}}", built.stderr


def test_pipeline_of_the_package_runs_without_a_parameter_file(
    call: Call, trained: subprocess.CompletedProcess[str], paths: Path
) -> None:
    assert trained.returncode == 0
    run = ("-m", "kedro", "run", "--env", "test", "--pipelines", "extension", "--params")
    counted = call(*run, f"data_dir={paths}/data,extension.count.min_side_px=100000")
    assert counted.returncode == 0, counted.stderr
    assert "0 of " in counted.stderr
    records = [json.loads(path.read_text()) for path in (paths / "data" / "08_reporting" / "runs").glob("*/run.json")]
    assert sorted(record["pipelines"] for record in records if record["pipelines"] == ["extension"]) == [["extension"]]
    by_default = call(*run, f"data_dir={paths}/data")
    assert by_default.returncode == 0, by_default.stderr
    assert "persons are at least 10 px wide and high" in by_default.stderr


def test_parameters_of_the_package_are_checked(call: Call, paths: Path) -> None:
    wrong = call("-m", "kedro", "run", "--env", "test", "--params", f"data_dir={paths}/no,extension.count.min_side=1")
    assert wrong.returncode == 1
    assert "  extension.count.min_side: unknown name" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert not (paths / "no").exists()

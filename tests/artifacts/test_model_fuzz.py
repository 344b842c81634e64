"""Fuzzing of model folders: 200 seeded mutations are refused or predict finite numbers, and no code is run."""

import json
import random
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from posescope.artifacts.description import add_description_checksum
from posescope.core.errors import PosescopeError
from posescope.core.files import sha256_of
from posescope.prediction.estimator import PoseEstimator

IMAGE = np.random.default_rng(1).integers(0, 256, (40, 30, 3)).astype(np.uint8)
HUGE = "huge"  # an integer of 5,000 digits, which Python does not write
VALUES: list[Any] = [
    float("nan"), float("inf"), -float("inf"), 1e308, 1e-300, -1, 0, 0.5, 3, 10**9, 10**400, HUGE, True, None, "", "evil_net:Net",
    "os:system", "../../x", "x" * 10_000, [], {}, [[[]]], [float("nan")] * 3, [1e9, 1e9], [10**9] * 2, {"name": "evil_net:Net"},
    {"name": "hourglass", "options": {"channels": 10**9}}, {"name": "hourglass", "options": {"stacks": 8, "channels": 1024}},
]  # fmt: skip
MOST_SECONDS, MOST_MEMORY_KB = 20.0, 700_000


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write a module into the current folder that creates a file when it is imported."""
    (tmp_path / "evil_net.py").write_text(
        "from pathlib import Path\nPath(__file__).with_name('imported').touch()\nNet = object\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    yield tmp_path / "imported"
    sys.modules.pop("evil_net", None)


def places_in(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the paths of all nested values."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places_in(value, (*path, key))


def mutate_json(folder: Path, rng: random.Random) -> None:
    """Replace, remove or add one value, and write the matching checksum, as an attacker could."""
    path = folder / "model.json"
    content = json.loads(path.read_text())
    del content["description_sha256"]
    where = rng.choice(list(places_in(content)))
    parent = content
    for key in where[:-1]:
        parent = parent[key]
    kind = rng.random()
    if kind < 0.75:
        parent[where[-1]] = rng.choice(VALUES)
    elif kind < 0.9:
        del parent[where[-1]]
    elif isinstance(parent, dict):
        parent[rng.choice(["name", "options", "evil", "__class__"])] = rng.choice(VALUES)
    else:
        parent.append(rng.choice(VALUES))
    try:
        content = add_description_checksum(content)
    except (ValueError, KeyError):  # the checksum needs all fields with finite values
        content.pop("description_sha256", None)
    path.write_text(json.dumps(content).replace(f'"{HUGE}"', "9" * 5000))


def edit_json(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / "model.json").read_text())
    edit(content)
    (folder / "model.json").write_text(json.dumps(add_description_checksum(content)))


def mutate_weights(folder: Path, rng: random.Random) -> None:
    """Change one tensor or bytes of the file, and write the matching checksums."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    name = rng.choice(sorted(weights))
    value = weights[name].clone()
    change = rng.randrange(9)
    if change == 0:
        value = torch.full_like(value.float(), rng.choice([float("nan"), float("inf"), 1e30, -1e30]))
    elif change == 1:
        value = torch.full_like(value, -3)
    elif change == 2:
        value = value.to(rng.choice([torch.int32, torch.float16, torch.float64, torch.bool]))
    elif change == 3:
        value = value.reshape(*value.shape, 1)
    elif change == 4:
        weights[f"{name}.evil"] = torch.zeros(3)
    elif change == 5:
        value = torch.zeros(0)
    elif change == 6 and value.numel():
        value.view(-1)[rng.randrange(value.numel())] = rng.choice([float("nan"), -1e9, 1e15]) if value.is_floating_point() else -7
    weights[name] = value
    if change == 7:
        del weights[name]
    save_file(weights, path)
    if change == 8:
        flip_bytes(path, rng)
    edit_json(folder, lambda content: content.update(weights_sha256=sha256_of(path)))


def mutate_onnx(folder: Path, rng: random.Random) -> None:
    """Flip bytes of an ONNX file or truncate it, and write the matching checksum."""
    name = rng.choice(["model.onnx", "decoder.onnx"])
    flip_bytes(folder / name, rng)
    edit_json(folder, lambda content: content["export"]["files"].update({name: sha256_of(folder / name)}))


def flip_bytes(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 3, 20])):
        data[rng.randrange(len(data) if rng.random() < 0.5 else min(len(data), 400))] = rng.randrange(256)
    path.write_bytes(data[: rng.randrange(len(data))] if rng.random() < 0.2 else data)


def outcome_of(folder: Path) -> str:
    """Return "refused" for a named error, or "answered" for finite predictions."""
    try:
        poses = PoseEstimator.load(folder, device="cpu", threads=1).predict_one(IMAGE)
    except PosescopeError:
        return "refused"
    assert np.isfinite(poses.joints).all()
    assert np.isfinite(poses.scores).all()
    return "answered"


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("kind", "mutate", "seeds"),
    [
        ("torch", mutate_json, range(80)),
        ("torch", mutate_weights, range(1000, 1060)),
        ("onnx", mutate_json, range(2000, 2040)),
        ("onnx", mutate_onnx, range(3000, 3020)),
    ],
    ids=["description", "weights", "exported description", "exported networks"],
)
def test_mutated_folder_is_refused_or_predicts_finite_numbers(
    kind: str, mutate: Callable[[Path, random.Random], None], seeds: range, model_folders: Any, tmp_path: Path, evil: Path
) -> None:
    outcomes: list[str] = []
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in seeds:
        folder = tmp_path / f"model_{seed}"
        shutil.copytree(getattr(model_folders, kind), folder)
        mutate(folder, random.Random(seed))
        started = time.monotonic()
        outcomes.append(outcome_of(folder))
        assert time.monotonic() - started < MOST_SECONDS, seed
        shutil.rmtree(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < MOST_MEMORY_KB
    assert not evil.exists()
    assert outcomes.count("refused") > len(seeds) // 3
    assert "answered" in outcomes or mutate is mutate_onnx

"""Tests of damaged data folders: a hundred damaged states are refused with the name of the file.

The folder is made once: data engineering on a tiny data set, and files of later pipelines, saved through the same catalog.
In each state one file is damaged or exchanged; the datasets that read it must reject it.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from tests.conftest import TinyCoco
from tests.kedro_sessions import open_session

from posescope.core.data_folder import CHECKSUMS
from posescope.core.errors import PosescopeError
from posescope.data.crops.crop_store import CropStore
from posescope.explainability.base import AnalysisResult
from posescope.explainability.features.feature_store import FeatureStore
from posescope.kedro_support.data_folder_hooks import ChecksumCheck
from posescope.kedro_support.dataset_paths import load_path

STATES = 100
LATER = {"metrics": "evaluation", "model": "modelling", "history": "modelling", "features": "explainability"}
LATER |= {"analysis_latent_traversal": "explainability"}
KINDS = ("flipped byte", "cut", "empty", "zeros", "list", "of another run", "of the same run")


class Finished:
    """A finished folder and the catalog that reads it."""

    def __init__(self, root: Path) -> None:
        self.root, self.data = root, root / "data"
        self.catalog: DataCatalog
        self.names: list[str] = []
        self.paths: dict[str, Path] = {}

    def run_data_engineering(self) -> None:
        with self._session() as session:
            session.run(pipeline_names=["data_engineering"])

    def open(self) -> None:
        """Open the catalog with the checksum checks of a run."""
        with self._session() as session:
            self.catalog = session.load_context().catalog
        made = pipelines["data_engineering"].all_outputs() - {"raw_source"}
        self.names = sorted({name for name in made if self._is_saved(name)} | set(LATER))
        watched = sum((pipelines[name] for name in set(LATER.values())), pipelines["data_engineering"])
        ChecksumCheck().before_pipeline_run(watched, self.catalog)

    def save_later_results(self, model: Any, seed: int) -> None:
        """Save files of later pipelines."""
        values = np.random.default_rng(seed).random((7, 12)).astype(np.float32)
        store = FeatureStore(self.data / "07_model_output/features" / "bottleneck")
        store.write(np.arange(7), [values], layer="t", shape=(3, 2, 2), fingerprint=f"features {seed}")
        history = pd.DataFrame({"epoch": [1], "train_loss": [values[0, 0]], "val_loss": [0.5], "val_pck_thesis": [0.25]})
        table, image = pd.DataFrame({"k": [1, seed]}), (values[:4, :3, None] * np.full(3, 255)).astype(np.uint8)
        content = {
            "metrics": {"schema_version": 1, "val": {"oks": {"value": float(values[0, 1])}}},
            "model": model,
            "history": history.assign(learning_rate=0.1, seconds=1.0).astype({"train_loss": float}),
            "features": store,
            "analysis_latent_traversal": AnalysisResult(
                facts={"n": seed}, tables={"steps": table}, images={"traversal": image}, note="n"
            ),
        }
        for name, data in content.items():
            self.catalog.save(name, data)

    def files(self) -> list[Path]:
        """Return all files that are read, and the checksum records."""
        self.paths = {name: self._relative_path(name) for name in self.names}
        found = [path for path in sorted(self.data.rglob("*")) if path.is_file() and not path.name.startswith(".lock")]
        return [path for path in found if self.readers_of(path)]

    def readers_of(self, path: Path) -> list[str]:
        """Return the datasets that read a file or have it as checksum record."""
        relative = path.relative_to(self.data)
        if relative.parts[0] == CHECKSUMS:
            relative = Path(*relative.parts[1:]).with_suffix("")
        return [name for name, dataset_path in self.paths.items() if relative == dataset_path or dataset_path in relative.parents]

    def read(self, name: str) -> None:
        """Load a dataset, including the whole content of a store."""
        content = self.catalog.load(name)
        if isinstance(content, CropStore):
            chosen = content.select(self.catalog.load("targets"), content.person_ids())
            chosen.read_images(np.arange(len(chosen)))
        if isinstance(content, FeatureStore):
            content.open()

    def _relative_path(self, name: str) -> Path:
        return Path(str(load_path(self.catalog.get(name)))).relative_to(self.data)

    def _is_saved(self, name: str) -> bool:
        return getattr(self.catalog.get(name), "_filepath", None) is not None

    def _session(self) -> KedroSession:
        crop = {"rule": "padded_square", "size_px": 32, "workers": 1, "shard_persons": 2}
        paths = {"data_dir": str(self.data), "raw_dir": str(self.root / "raw")}
        return open_session(**paths, data_engineering={"sample": None, "crop": crop})


def make(root: Path, model: Any, seed: int) -> Finished:
    raw = TinyCoco(root / "raw")
    raw.write_image("train2017", "one.png", np.random.default_rng(seed).integers(0, 256, (60, 80, 3)).astype(np.uint8))
    raw.change("train2017", lambda content: content["annotations"][0]["keypoints"].__setitem__(0, 15 + seed))
    finished = Finished(root)
    finished.run_data_engineering()
    finished.open()
    finished.save_later_results(model, seed)
    return finished


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, untrained_model: Any) -> Finished:
    return make(tmp_path_factory.mktemp("finished"), untrained_model, 1)


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory, untrained_model: Any) -> Finished:
    return make(tmp_path_factory.mktemp("another"), untrained_model, 2)


def damaged(random: Random, path: Path, files: list[Path], finished: Finished, another: Finished) -> tuple[str, bytes] | None:
    """Return a kind of damage and the new content of the file; None where its meaning would not change."""
    kind, raw = random.choice(KINDS), path.read_bytes()
    alike = [other for other in files if other.suffix == path.suffix and other != path]
    theirs = another.data / path.relative_to(finished.data)
    if not raw or (kind == "of another run" and not theirs.is_file()) or (kind == "of the same run" and not alike):
        return None
    where = random.randrange(len(raw))
    content = {
        "flipped byte": lambda: raw[:where] + bytes([raw[where] ^ (1 << random.randrange(8))]) + raw[where + 1 :],
        "cut": lambda: raw[: min(where, len(raw) - 2)],  # the last byte of JSON is a newline
        "empty": lambda: b"",
        "zeros": lambda: bytes(len(raw)),
        "list": lambda: b"[]",
        "of another run": theirs.read_bytes,
        "of the same run": lambda: random.choice(alike).read_bytes(),
    }[kind]()
    note_of_the_same_file = kind.startswith("of ") and CHECKSUMS in path.parts and checksum_in(content) == checksum_in(raw)
    return None if content.rstrip() == raw.rstrip() or note_of_the_same_file else (kind, content)


def checksum_in(note: bytes) -> object:
    """Return the checksum of a checksum record; None for other files."""
    try:
        return json.loads(note)["checksum"]
    except (ValueError, TypeError, KeyError):
        return None


def states(finished: Finished, another: Finished, seed: int) -> Iterator[tuple[str, Path, bytes]]:
    random, count = Random(seed), 0
    files = finished.files()
    while count < STATES:
        path = random.choice(files)
        found = damaged(random, path, files, finished, another)
        if found is not None:
            count += 1
            yield found[0], path, found[1]


def outcome(finished: Finished, path: Path) -> str:
    """Return the outcome of reading: "named", "silent", or the unexpected error."""
    outcomes = []
    for name in finished.readers_of(path):
        try:
            finished.read(name)
        except PosescopeError as error:
            text = str(error)
            outcomes.append("named" if str(finished.data) in text and "\n" not in text else f"unclear: {text}")
        except Exception as error:
            cause = error.__cause__
            known = isinstance(cause, PosescopeError) and str(finished.data) in str(cause)
            outcomes.append("named" if known else f"unexpected {type(error).__name__}: {error}")
        else:
            outcomes.append("silent")
    return "named" if "named" in outcomes and {*outcomes} <= {"named", "silent"} else "; ".join(outcomes)


def test_undamaged_folder_is_read(finished: Finished) -> None:
    files = finished.files()
    assert len(files) > 60
    assert Counter(outcome(finished, path) for path in files) == {"silent": len(files)}


@pytest.mark.parametrize("seed", [0])
def test_damaged_states_are_refused_with_the_file_name(finished: Finished, another: Finished, seed: int) -> None:
    found: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for kind, path, content in states(finished, another, seed):
        before, times = path.read_bytes(), path.stat()
        path.write_bytes(content)
        result = outcome(finished, path)
        found[result if result == "named" else f"{kind} of {path.relative_to(finished.data)}: {result}"] += 1
        kinds[kind] += 1
        path.write_bytes(before)
        assert path.stat().st_size == times.st_size
    assert found == {"named": STATES}
    assert set(kinds) == set(KINDS)


def test_some_damage_is_undetected_without_checksums(finished: Finished, tmp_path: Path, monkeypatch: Any) -> None:
    """Control: the file formats alone do not detect all states."""
    silent = 0
    checksums = finished.data / CHECKSUMS
    checksums.rename(tmp_path / "checksums")
    for path in finished.files():
        if path.suffix == ".csv":
            before = path.read_bytes()
            path.write_bytes(before.replace(b"1", b"2"))
            silent += outcome(finished, path) == "silent"
            path.write_bytes(before)
    (tmp_path / "checksums").rename(checksums)
    assert silent > 0


def test_rerunning_the_pipeline_replaces_damaged_files(finished: Finished, tmp_path: Path) -> None:
    """All files are damaged: crops, records, tables, images, plots, checksums, and a table that a spreadsheet saved."""
    shutil.copytree(finished.root, tmp_path / "copy")
    copy = Finished(tmp_path / "copy")
    copy.open()
    copy.names = [name for name in copy.names if name not in LATER]
    expected = {name: copy.catalog.load(name) for name in ("persons", "keypoints", "issues")}
    pixels = {path.name: path.read_bytes() for path in copy.data.rglob("shard-*.npy")}
    random = Random(3)
    for path in copy.files():
        raw = path.read_bytes()
        path.write_bytes(random.choice([b"", b"[]", bytes(len(raw)), raw[: len(raw) // 2]]))
    (copy.data / "08_reporting" / "issues.csv").write_bytes("\ufeffsource_split;reason\r\n".encode())
    copy.run_data_engineering()
    assert Counter(outcome(copy, path) for path in copy.files()) == {"silent": len(copy.files())}
    for name, table in expected.items():
        pd.testing.assert_frame_equal(copy.catalog.load(name), table)
    assert {path.name: path.read_bytes() for path in copy.data.rglob("shard-*.npy")} == pixels

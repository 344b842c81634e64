"""Tests of posescope.datasets.analysis_results."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from kedro.io import DatasetError
from tests.findings import make_finding

from posescope.core.errors import DataError
from posescope.core.files import read_json, write_json
from posescope.datasets import AnalysisDataset
from posescope.explainability.base import AnalysisResult

RESULT = AnalysisResult(
    facts={"clusters": 3, "silhouette": 0.25, "worst": "left_wrist", "unknown": None},
    tables={"sizes": pd.DataFrame({"cluster": [0, 1], "persons": [10, 20]})},
    images={"grid": np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)},
    note="Three clusters.",
    findings=(make_finding("Cluster 2 fails.", picture="grid", importance=0.1),),
    captions={"grid": "Persons of each group."},
    plots={"map": go.Figure(go.Scatter(x=[1, 2], y=[3.5, 4.0]))},
    model="0123456789abcdef",
    photographs="blurred",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "explainability" / "clusters"


@pytest.fixture
def dataset(folder: Path) -> AnalysisDataset:
    return AnalysisDataset(filepath=str(folder))


def test_round_trip(dataset: AnalysisDataset) -> None:
    assert not dataset.exists()
    dataset.save(RESULT)
    assert dataset.exists()
    read = dataset.load()
    assert read.facts == RESULT.facts
    assert read.findings == RESULT.findings
    assert (read.captions, read.photographs) == (RESULT.captions, "blurred")
    assert (read.note, read.model) == (RESULT.note, RESULT.model)
    assert read.tables.keys() == {"sizes"}
    pd.testing.assert_frame_equal(read.tables["sizes"], RESULT.tables["sizes"])
    np.testing.assert_array_equal(read.images["grid"], RESULT.images["grid"])
    assert read.plots.keys() == {"map"}
    assert list(read.plots["map"].data[0].y) == [3.5, 4.0]


def test_empty_result_round_trip(dataset: AnalysisDataset) -> None:
    dataset.save(AnalysisResult(facts={}, note="not selected"))
    assert dataset.load() == AnalysisResult(facts={}, note="not selected")


def test_result_without_a_model_is_read(dataset: AnalysisDataset, folder: Path) -> None:
    dataset.save(RESULT)
    content = read_json(folder / "result.json")
    write_json(folder / "result.json", {name: value for name, value in content.items() if name != "model"})
    assert dataset.load().model == ""


def test_tables_and_images_of_an_earlier_run_are_removed(dataset: AnalysisDataset, folder: Path) -> None:
    dataset.save(RESULT)
    dataset.save(replace(RESULT, tables={}, images={}, findings=(), plots={}, captions={}))
    assert [path.name for path in folder.iterdir()] == ["result.json"]


def test_preview_is_the_findings_as_json(dataset: AnalysisDataset) -> None:
    dataset.save(RESULT)
    assert json.loads(dataset.preview()) == {
        "facts": RESULT.facts,
        "findings": [asdict(RESULT.findings[0])],
        "note": RESULT.note,
        "captions": RESULT.captions,
        "model": RESULT.model,
        "data": RESULT.data,
        "photographs": "blurred",
    }


def test_missing_folder_is_named(dataset: AnalysisDataset) -> None:
    with pytest.raises(DatasetError, match=r"result\.json") as caught:
        dataset.load()
    assert isinstance(caught.value.__cause__, DataError)


def test_damaged_image_is_named(dataset: AnalysisDataset, folder: Path) -> None:
    dataset.save(RESULT)
    (folder / "grid.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"grid\.png"):
        dataset.load()


def test_damaged_plot_is_named(dataset: AnalysisDataset, folder: Path) -> None:
    dataset.save(RESULT)
    (folder / "map.plotly.json").write_text("{")
    with pytest.raises(DatasetError, match="plotly"):
        dataset.load()


def test_another_type_is_refused(dataset: AnalysisDataset) -> None:
    with pytest.raises(DatasetError):
        dataset.save({"findings": {}})  # type: ignore[arg-type]
    assert not dataset.exists()


@pytest.mark.parametrize(
    "change", [{"facts": {"silhouette": float("nan")}}, {"images": {"grid": np.zeros((2, 2))}}], ids=["nan", "image"]
)
def test_failed_save_keeps_the_old_folder(dataset: AnalysisDataset, folder: Path, change: dict[str, object]) -> None:
    dataset.save(RESULT)
    with pytest.raises(DatasetError):
        dataset.save(replace(RESULT, note="new", **change))  # type: ignore[arg-type]
    assert dataset.load().note == RESULT.note
    assert [path.name for path in folder.parent.iterdir()] == ["clusters"]

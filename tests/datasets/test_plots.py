"""Tests of posescope.datasets.images_and_plots.PlotDataset."""

import json
from pathlib import Path

import plotly.graph_objects as go
import pytest
from kedro.io import DatasetError

from posescope.datasets import PlotDataset


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "plot.json"


@pytest.fixture
def dataset(path: Path) -> PlotDataset:
    return PlotDataset(filepath=str(path))


@pytest.fixture
def figure() -> go.Figure:
    return go.Figure(go.Scatter(x=[1, 2, 3], y=[0.5, None, 2.5], name="loss"), layout={"title": {"text": "history"}})


def test_round_trip(dataset: PlotDataset, figure: go.Figure) -> None:
    assert not dataset.exists()
    dataset.save(figure)
    assert dataset.exists()
    read = dataset.load()
    assert isinstance(read, go.Figure)
    assert read.to_plotly_json()["data"][0]["y"] == [0.5, None, 2.5]
    assert read.layout.title.text == "history"


def test_preview_is_json(dataset: PlotDataset, figure: go.Figure) -> None:
    dataset.save(figure)
    preview = dict(dataset.preview())
    assert json.loads(json.dumps(preview)) == preview
    assert preview["data"][0]["name"] == "loss"


def test_missing_file_is_named(dataset: PlotDataset) -> None:
    with pytest.raises(DatasetError, match=r"plot\.json"):
        dataset.load()


def test_another_type_is_refused_and_the_old_file_kept(dataset: PlotDataset, figure: go.Figure, path: Path) -> None:
    dataset.save(figure)
    before = path.read_bytes()
    with pytest.raises(DatasetError):
        dataset.save("no plot")  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]

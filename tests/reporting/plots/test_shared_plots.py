"""Plots of training, evaluation and explainability from small tables: plotted values, axes and annotations."""

import numpy as np
import pandas as pd
import pytest

from posescope.reporting.plots.evaluation_plots import plot_joint_scores
from posescope.reporting.plots.explainability_plots import plot_explained_variance
from posescope.reporting.plots.training_plots import plot_history


@pytest.fixture
def history() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "epoch": [1, 2, 3, 4],
            "train_loss": [4e-5, 3e-5, 2e-5, 1.5e-5],
            "val_loss": [5e-5, 4e-5, 4.5e-5, 4.2e-5],
            "val_pck_thesis": [0.1, 0.3, np.nan, 0.25],
            "learning_rate": [1e-3, 1e-3, 9e-4, 2e-4],
            "seconds": [1.0, 1.0, 1.0, 1.0],
        }
    )


@pytest.fixture
def per_joint() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "joint": ["nose", "left_hip", "tail"],
            "pck_thesis": [0.5, 0.9, np.nan],
            "mean_error_px": [9.0, 3.0, np.nan],
            "labelled": [10, 20, 0],
        }
    )


def test_history_has_a_logarithmic_loss_axis_and_marks_the_best_epoch(history: pd.DataFrame) -> None:
    figure = plot_history(history)
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces["training loss"].y) == list(history["train_loss"])
    assert list(traces["validation loss"].y) == list(history["val_loss"])
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.yaxis2.type != "log"
    assert list(traces["best epoch (2)"].y) == [0.3]


def test_history_marks_large_drops_of_the_learning_rate_only(history: pd.DataFrame) -> None:
    lines = plot_history(history).layout.shapes
    assert {line.x0 for line in lines} == {4}


def test_history_without_pck_has_no_best_epoch(history: pd.DataFrame) -> None:
    figure = plot_history(history.assign(val_pck_thesis=np.nan))
    assert not [trace.name for trace in figure.data if trace.name.startswith("best")]


def test_joints_are_sorted_with_the_worst_on_top(per_joint: pd.DataFrame) -> None:
    bars, dots = plot_joint_scores(per_joint).data
    assert list(bars.y) == ["tail", "left hip", "nose"]  # Plotly's axis points upwards
    assert bars.x[1] == 0.9
    assert list(dots.x[1:]) == [3.0, 9.0]
    assert bars.error_x.array is None


def test_joint_intervals_are_drawn_as_error_bars(per_joint: pd.DataFrame) -> None:
    bars, _ = plot_joint_scores(per_joint.assign(low=[0.4, 0.8, np.nan], high=[0.7, 0.95, np.nan])).data
    assert bars.error_x.array[2] == pytest.approx(0.2)
    assert bars.error_x.arrayminus[2] == pytest.approx(0.1)


def test_explained_variance_annotates_components_per_fraction() -> None:
    figure = plot_explained_variance(np.array([0.5, 0.3, 0.15, 0.05]), fractions=(0.5, 0.95))
    bars, line = figure.data
    assert list(bars.y) == pytest.approx([50, 30, 15, 5])
    assert list(line.y) == pytest.approx([50, 80, 95, 100])
    assert [note.text for note in figure.layout.annotations] == ["50 % with 1 component", "95 % with 3 components"]


def test_explained_variance_omits_fractions_that_are_not_reached() -> None:
    assert len(plot_explained_variance(np.array([0.2, 0.1])).layout.annotations) == 0

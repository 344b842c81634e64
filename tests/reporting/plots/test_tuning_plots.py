"""Tests of posescope.reporting.plots.tuning_plots."""

import math

import pandas as pd
import pytest

from posescope.reporting.plots.tuning_plots import plot_search_history, plot_searched_parameters


@pytest.fixture
def trials() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": [1, 2, 3, 4, 5],
            "state": ["completed", "pruned", "failed", "completed", "completed"],
            "value": [0.2, 0.9, math.nan, 0.1, 0.4],
            "epochs": [2, 1, 0, 2, 2],
            "seconds": [1.0] * 5,
            "reason": ["", "", "the loss is nan", "", ""],
            "modelling.training.learning_rate": [0.001, 0.01, 0.1, 0.02, 0.03],
            "modelling.training.batch_size": [8, 16, 8, 16, 8],
            "modelling.training.augmentations": ["[]", "[]", '[{"name": "flip"}]', "[]", "[]"],
            "data_engineering.codec.options.sigma_heatmap_px": [1.0, 1.5, 2.0, 1.1, 1.2],
        }
    )


def test_best_so_far_uses_completed_trials_only(trials) -> None:
    figure = plot_search_history(trials)
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces["best so far"].y) == [0.2, 0.2, 0.2, 0.2, 0.4]
    assert list(traces["completed"].x) == [1, 4, 5]
    assert list(traces["pruned"].y) == [0.9]
    assert (list(traces["failed"].x), list(traces["failed"].text)) == ([3], ["the loss is nan"])


def test_search_without_failures_has_no_failed_trace(trials) -> None:
    assert "failed" not in {trace.name for trace in plot_search_history(trials[trials["state"] != "failed"]).data}


def test_every_parameter_has_a_panel_with_a_fitting_axis_type(trials) -> None:
    figure = plot_searched_parameters(trials)
    assert [note.text for note in figure.layout.annotations] == list(trials.columns[6:])
    axes = [figure.layout[name].type for name in ("xaxis", "xaxis2", "xaxis3", "xaxis4")]
    assert axes == ["log", "linear", "category", "linear"]
    assert [list(trace.x) for trace in figure.data if trace.name == "pruned"] == [[0.01], [16], ["[]"], [1.5]]

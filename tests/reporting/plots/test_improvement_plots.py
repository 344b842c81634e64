"""Tests of posescope.reporting.plots.improvement_plots."""

import pandas as pd
import pytest

from posescope.reporting.plots.improvement_plots import plot_autoencoder_training, plot_improvement

PAIRS = [("original", "continued"), ("original", "improved"), ("continued", "improved")]
DIFFERENCES = pd.DataFrame(
    [
        {"a": a, "b": b, "metric": metric, "difference": 0.1 * number, "low": 0.1 * number - 0.05, "high": 0.1 * number + 0.02}
        for number, (a, b) in enumerate(PAIRS)
        for metric in ("pck_thesis", "oks")
    ]
)
JOINTS = pd.concat([DIFFERENCES.assign(joint=joint) for joint in ("nose", "left_knee")], ignore_index=True)
HISTORY = pd.DataFrame(
    {"stack": [1, 1, 2, 2], "epoch": [1, 2, 1, 2], "train_loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [4.5, 3.5, 2.5, 1.5]}
)


def test_every_comparison_has_points_and_intervals() -> None:
    traces = plot_improvement(DIFFERENCES, JOINTS).data
    assert [trace.name for trace in traces] == [
        "more training", "more training and autoencoder", "autoencoder", "autoencoder"
    ]  # fmt: skip
    autoencoder = traces[2]
    assert list(autoencoder.y) == ["pck_thesis", "oks"]
    assert list(autoencoder.x) == pytest.approx([0.2, 0.2])
    assert list(autoencoder.error_x.array) == pytest.approx([0.02, 0.02])
    assert list(autoencoder.error_x.arrayminus) == pytest.approx([0.05, 0.05])
    assert sorted(traces[3].y) == ["left_knee", "nose"]


def test_every_stack_has_two_lines() -> None:
    traces = {trace.name: list(trace.y) for trace in plot_autoencoder_training(HISTORY).data}
    assert traces == {
        "stack 1, training": [4.0, 3.0], "stack 1, validation": [4.5, 3.5],
        "stack 2, training": [2.0, 1.0], "stack 2, validation": [2.5, 1.5],
    }  # fmt: skip

"""Tests of posescope.reporting.plots.evaluation_plots: plotted values, order and intervals."""

import numpy as np
import pandas as pd

from posescope.evaluation.error_analysis.error_types import ERROR_TYPES
from posescope.reporting.plots.evaluation_plots import (
    plot_error_costs,
    plot_error_types,
    plot_reliability,
    plot_strata,
    rank_joints,
)

NAN = np.nan


def error_types() -> pd.DataFrame:
    fractions = {
        "all": (0.5, 0.2, 0.1, 0.1, 0.05, 0.05),
        "nose": (0.2, 0.5, 0.1, 0.1, 0.05, 0.05),
        "left_hip": (0.8, 0.2, 0, 0, 0, 0),
        "tail": (NAN,) * 6,
    }
    rows = [
        (joint, kind, 10, 10 * np.nan_to_num(fraction), fraction, fraction, fraction)
        for joint, of_joint in fractions.items()
        for kind, fraction in zip(ERROR_TYPES, of_joint, strict=True)
    ]
    return pd.DataFrame(rows, columns=["joint", "type", "labelled", "count", "fraction", "low", "high"])


def test_error_types_are_stacked_in_order_with_the_worst_joint_on_top() -> None:
    figure = plot_error_types(error_types())
    assert [trace.name for trace in figure.data] == list(ERROR_TYPES)
    assert figure.layout.barmode == "stack"
    # Plotly draws the last category on top; a joint without labels is omitted.
    assert list(figure.data[0].y) == ["all joints", "left hip", "nose"]
    np.testing.assert_allclose(figure.data[0].x, [50, 80, 20])
    np.testing.assert_allclose(np.sum([trace.x for trace in figure.data], axis=0), [100, 100, 100])


def test_joints_with_equal_good_fraction_are_ranked_by_misses() -> None:
    table = error_types()
    table.loc[(table["joint"] == "left_hip") & (table["type"] == "good"), "fraction"] = 0.2
    assert rank_joints(table) == ["left_hip", "nose"]  # 5 % of the labelled noses are missed, and no hip


def test_costs_are_shown_per_type_without_the_total() -> None:
    table = pd.DataFrame(
        {
            "type": ["jitter", "inversion", "swap", "miss", "all"],
            "joints": [4, 3, 2, 1, 10],
            "ap_gain": [0.1, 0.2, 0.0, 0.3, 0.7],
            "oks_gain": [0.1, 0.1, 0.1, 0.1, 0.4],
            "oks_gain_low": [0.05] * 5,
            "oks_gain_high": [0.2] * 5,
        }
    )
    bars, dots = plot_error_costs(table).data
    assert list(bars.y) == ["miss", "swap", "inversion", "jitter"]
    assert list(bars.x) == [0.3, 0.0, 0.2, 0.1]
    np.testing.assert_allclose(dots.error_x.array, [0.1] * 4)
    np.testing.assert_allclose(dots.error_x.arrayminus, [0.05] * 4)


def strata() -> pd.DataFrame:
    rows = [("all persons", "all persons", 9, 0.5, 0.6), ("size", "small", 4, 0.25, 0.5), ("size", "large", 5, 0.75, 0.7)]
    table = pd.DataFrame(rows, columns=["stratum", "group", "persons", "pck_thesis", "oks"])
    return table.assign(
        pck_thesis_low=table["pck_thesis"] - 0.1, pck_thesis_high=table["pck_thesis"] + 0.2, oks_low=NAN, oks_high=NAN
    )


def test_strata_are_dots_and_all_persons_are_a_line() -> None:
    figure = plot_strata(strata())
    pck, oks = figure.data
    assert list(pck.y) == list(oks.y) == ["size: large", "size: small"]
    assert list(pck.x) == [0.75, 0.25]
    np.testing.assert_allclose(pck.error_x.arrayminus, [0.1, 0.1])
    assert [line.x0 for line in figure.layout.shapes] == [0.5, 0.6]


def test_reliability_has_curves_for_joints_and_persons() -> None:
    table = pd.DataFrame(
        {
            "level": ["joint", "joint", "person"], "count": [5, 5, 3], "score": [0.1, 0.6, 0.3],
            "pck_thesis": [0.2, 0.8, 0.5], "oks": [0.3, 0.9, 0.4],
        }
    )  # fmt: skip
    ranks = pd.DataFrame({"level": ["joint", "person"], "spearman": [0.61, NAN]})
    figure = plot_reliability(table, ranks)
    assert [(list(trace.x), list(trace.y)) for trace in figure.data] == [
        ([0.1, 0.6], [0.2, 0.8]),
        ([0.1, 0.6], [0.3, 0.9]),
        ([0.3], [0.5]),
        ([0.3], [0.4]),
    ]
    assert [note.text for note in figure.layout.annotations] == ["joints, rank correlation 0.61", "persons, rank correlation nan"]

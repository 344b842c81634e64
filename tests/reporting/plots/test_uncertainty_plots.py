"""Tests of posescope.reporting.plots.uncertainty_plots: plotted values and empty tables."""

import numpy as np
import pandas as pd

from posescope.core.origin import Origin
from posescope.evaluation.table_schemas import RiskCoverage, UncertaintyCoverage
from posescope.reporting.plots.uncertainty_plots import plot_risk_coverage, plot_uncertainty

SETTING = {"protocol": "crops", "split": "val", "box_source": "ground_truth", "flip_test": False, "model": "m", "data": "d"}


def coverage() -> pd.DataFrame:
    rows = [
        (joint, level, level == 0.9, measured, measured - 0.02, measured + 0.02, radius)
        for joint, radius in (("all", 0.06), ("left_hip", 0.05), ("nose", 0.2), ("tail", np.nan))
        for level, measured in ((0.5, 0.52), (0.9, 0.91))
    ]
    columns = ["joint", "level", "main", "coverage", "coverage_low", "coverage_high", "radius_fraction"]
    return pd.DataFrame(rows, columns=columns).assign(persons=20, **SETTING)


def test_coverage_of_all_joints_and_radius_of_each() -> None:
    figure = plot_uncertainty(coverage())
    exact, *joints, everything, radii = figure.data
    assert list(exact.x) == list(exact.y) == [50, 90]
    assert len(joints) == 3
    np.testing.assert_allclose(everything.y, [52, 91])
    np.testing.assert_allclose(everything.error_y.array, [2, 2])
    assert list(radii.y) == ["tail", "left hip", "nose"]  # Plotly draws the last category on top
    np.testing.assert_allclose(radii.x[1:], [5, 20])
    assert figure.layout.meta == Origin(model="m", data="d").to_dict()


def test_risk_coverage_has_the_order_of_the_model_and_both_references() -> None:
    table = pd.DataFrame(
        {
            "kept": [1.0, 0.5], "labelled": [10, 5], "pck": [0.8, 0.9], "pck_low": [0.7, 0.8], "pck_high": [0.9, 1.0],
            "pck_by_score": [0.8, 0.85], "pck_best": [0.8, 1.0],
        }
    ).assign(persons=4, **SETTING)  # fmt: skip
    figure = plot_risk_coverage(table)
    assert [trace.name for trace in figure.data] == ["best possible order", "by score", "by radius"]
    np.testing.assert_allclose(figure.data[2].x, [0, 50])
    np.testing.assert_allclose(figure.data[2].y, [0.8, 0.9])


def test_empty_tables_give_empty_plots_without_origin() -> None:
    for figure in (plot_uncertainty(UncertaintyCoverage.empty()), plot_risk_coverage(RiskCoverage.empty())):
        assert not figure.layout.meta

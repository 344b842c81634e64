"""The shared look and the shared check."""

import pandas as pd
import plotly.graph_objects as go
import pytest

from posescope.reporting.plots.plot_style import ReportError, apply_plot_style, require_columns


def test_missing_columns_are_named() -> None:
    with pytest.raises(ReportError, match="missing: b, c"):
        require_columns(pd.DataFrame({"a": [1]}), ("a", "b", "c"), "scores")


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(ReportError, match="row"):
        require_columns(pd.DataFrame({"a": []}), ("a",), "scores")


def test_other_columns_are_welcome() -> None:
    frame = pd.DataFrame({"a": [1], "z": [2]})
    require_columns(frame, ("a",), "scores")
    assert list(frame.columns) == ["a", "z"]


def test_plotly_figures_have_no_ground_of_their_own() -> None:
    layout = apply_plot_style(go.Figure(), height_px=300).layout
    assert layout.height == 300
    assert layout.template.layout.paper_bgcolor == "rgba(0, 0, 0, 0)"

"""Tests of posescope.reporting.plots.plot_style."""

import plotly.graph_objects as go

from posescope.reporting.plots.plot_style import apply_plot_style


def test_plots_have_a_transparent_background() -> None:
    layout = apply_plot_style(go.Figure(), height_px=300).layout
    assert layout.height == 300
    assert layout.template.layout.paper_bgcolor == "rgba(0, 0, 0, 0)"

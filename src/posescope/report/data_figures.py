"""How the data is shared out."""

import pandas as pd
import plotly.graph_objects as go

from posescope.report.style import AMBER, BLUE, require_columns, style_plotly

__all__ = ["plot_data_distribution"]


def plot_data_distribution(distribution: pd.DataFrame) -> go.Figure:
    """Share of the images and of the persons in each split, with the counts written above the bars.

    Args:
        distribution: one row a split: split, images, persons, images_share, persons_share (0..1). A row "all" is left out.

    Raises:
        ReportError: if a column is missing or there are no rows.
    """
    require_columns(distribution, ("split", "images", "persons", "images_share", "persons_share"), "data distribution")
    rows = distribution[distribution["split"] != "all"]
    figure = go.Figure()
    for unit, colour in (("images", AMBER), ("persons", BLUE)):
        shares = rows[f"{unit}_share"] * 100
        labels = [f"{count:,}<br>{share:.1f} %" for count, share in zip(rows[unit], shares, strict=True)]
        figure.add_bar(
            x=rows["split"], y=shares, name=unit, marker_color=colour, text=labels, textposition="outside", cliponaxis=False
        )
    figure.update_yaxes(title_text="share of all splits, %", range=[0, 118], tick0=0, dtick=25)
    return style_plotly(figure).update_layout(barmode="group")

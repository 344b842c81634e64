"""The report's chapter on the data: how it came to be, what is in it, what it looks like."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.reporting.report_content import ReportImage, ReportPlot, ReportTable, Section

__all__ = ["DataInputs", "assemble_data_section", "assemble_quality_section"]


@dataclass(frozen=True, eq=False)
class DataInputs:
    """What data engineering leaves for people to look at.

    Attributes:
        distribution: a `Distribution` table.
        rejected: as from `count_rejected`.
        joint_labels: as from `count_joint_labels`.
        quality: a `DataQuality` table.
        box_sizes, joint_counts: figures; their tables would have a row a person.
        crop_grid, target_grid, average_crop: pictures, (H, W, 3) uint8 RGB.
    """

    distribution: pd.DataFrame
    rejected: pd.DataFrame
    joint_labels: pd.DataFrame
    quality: pd.DataFrame
    distribution_plot: go.Figure
    rejected_plot: go.Figure
    joint_labels_plot: go.Figure
    box_sizes_plot: go.Figure
    joint_counts_plot: go.Figure
    crop_grid: NDArray[np.uint8]
    target_grid: NDArray[np.uint8]
    average_crop: NDArray[np.uint8]


def assemble_data_section(inputs: DataInputs) -> Section:
    """What was read, what was set aside and why, who is left, and what they look like."""
    kept = inputs.rejected[(inputs.rejected["step"] == "accepted") & (inputs.rejected["record"] == "person")].iloc[0]
    text = (
        f"Of all annotated persons, {kept['records']:,} ({100 * kept['fraction']:.1f} %) have a crop; the others were set aside, "
        "each with its reason. Records are read from the annotations, filtered, given a square, and cut out of their image, in "
        "this order. The splits are disjoint by image."
    )
    return Section(title="The data", text=text, figures=_figures(inputs), pictures=_pictures(inputs),
                   tables=_tables(inputs))  # fmt: skip


def assemble_quality_section(quality: pd.DataFrame) -> Section:
    """Return the section that lists what was mended in the data set's files and what is doubtful in them.

    Args:
        quality: a `DataQuality` table; may be empty.
    """
    if quality.empty:
        return Section(title="Data quality", text="The checks of the annotation files and images found nothing.")
    counts = quality["severity"].value_counts()
    text = (
        f"{counts.get('repaired', 0)} findings were mended: a missing or wrong value was replaced. {counts.get('warned', 0)} are "
        "warnings: the records are used as they are, so look at them before you trust a score."
    )
    caption = "Records are persons, images, or joints of the skeleton; shares are of those that were checked."
    return Section(
        title="Data quality",
        text=text,
        tables=(ReportTable("Findings", _in_percent(quality), decimals=1, caption=caption, row_limit=200),),
    )


def _figures(inputs: DataInputs) -> tuple[ReportPlot, ...]:
    return (
        ReportPlot(
            inputs.distribution_plot,
            "Images and persons of each split, of those with a crop.",
            "Bars by split",
        ),
        ReportPlot(
            inputs.rejected_plot,
            "What each step sets aside, from the first (top) to the last.",
            "Bars by step and reason",
        ),
        ReportPlot(
            inputs.box_sizes_plot,
            "The longer side of the annotated boxes, and the squares that are cut: what is smaller than the crop is enlarged.",
            "Histograms of box and square sizes by split",
        ),
        ReportPlot(
            inputs.joint_counts_plot,
            "How many joints of a person are visible or hidden.",
            "Histogram of labelled joints by split",
        ),
        ReportPlot(
            inputs.joint_labels_plot,
            "How each joint is labelled, over the persons of all splits.",
            "Stacked bars by joint",
        ),
    )


def _pictures(inputs: DataInputs) -> tuple[ReportImage, ...]:
    return (
        ReportImage(inputs.crop_grid, "Crops with their annotation.", "Contact sheet of crops"),
        ReportImage(
            inputs.target_grid,
            "Crops with their annotation, and under all of their target heatmaps.",
            "Contact sheet of heatmaps",
        ),
        ReportImage(
            inputs.average_crop,
            "The average crop of each split; where the square reaches beyond the image, a crop does not count.",
            "Mean images by split, with the mean skeleton",
        ),
    )


def _tables(inputs: DataInputs) -> tuple[ReportTable, ...]:
    return (
        ReportTable(
            "Data distribution",
            _in_percent(inputs.distribution),
            decimals=1,
            caption="Images and persons with a crop. Images with persons have a person record, before any was set aside.",
        ),
        ReportTable(
            "Set aside, and left", _in_percent(inputs.rejected), decimals=1, caption="Shares of all persons, or of all images."
        ),
        ReportTable("Joint labels", _in_percent(inputs.joint_labels), decimals=1, caption="Persons of all splits."),
    )


def _in_percent(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with fractions (0..1) as percentages."""
    fractions = [name for name in map(str, table.columns) if name.endswith("fraction")]
    percentages = table.assign(**{name: 100 * table[name] for name in fractions})
    return percentages.rename(columns={name: f"{name.removesuffix('_fraction')}_percent" for name in fractions})

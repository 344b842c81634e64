"""Sections of the report on the data and its quality."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.reporting.report_content import ReportImage, ReportPlot, ReportTable, Section

__all__ = ["DataInputs", "assemble_data_section", "assemble_quality_section"]

# Plots and images in the order of the page: field of `DataInputs`, caption, alternative text.
_PLOTS = {
    "distribution_plot": ("Images with a crop and persons with a crop, by split.", "Bars by split"),
    "rejected_plot": ("Rejected records by step, from the first (top) to the last.", "Bars by step and reason"),
    "box_sizes_plot": (
        "Longer side of the annotated boxes, and side of the crop boxes. Crop boxes smaller than the input are upsampled.",
        "Histograms of box sizes by split",
    ),
    "joint_counts_plot": (
        "Number of labelled joints (visible or occluded) per person.",
        "Histogram of labelled joints by split",
    ),
    "joint_labels_plot": ("Labels of each joint, over the persons of all splits.", "Stacked bars by joint"),
}
_IMAGES = {
    "crop_grid": ("Crops with their annotation.", "Image grid of crops"),
    "target_grid": ("Crops with their annotation and, below, their target heatmaps.", "Image grid of heatmaps"),
    "average_crop": (
        "Average crop of each split, without padding; below, the average skeletons of persons with the left joints on the right "
        "(seen from the front) and on the left (from behind).",
        "Average image and average skeletons by split",
    ),
}


@dataclass(frozen=True, eq=False)
class DataInputs:
    """Results of data engineering that the report shows.

    Attributes:
        distribution: a `Distribution` table.
        rejected: result of `count_rejected`.
        joint_labels: result of `count_joint_labels`.
        quality: a `DataQuality` table.
        distribution_plot, rejected_plot, joint_labels_plot, box_sizes_plot, joint_counts_plot: plotly figures.
        crop_grid, target_grid, average_crop: (H, W, 3) uint8 RGB. None: it must not be shown.
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
    crop_grid: NDArray[np.uint8] | None
    target_grid: NDArray[np.uint8] | None
    average_crop: NDArray[np.uint8] | None


def assemble_data_section(inputs: DataInputs) -> Section:
    """Return the section on persons, splits, rejected records and labels."""
    kept = inputs.rejected[(inputs.rejected["step"] == "accepted") & (inputs.rejected["record"] == "person")].iloc[0]
    text = (
        f"Of all person records, {kept['records']:,} ({100 * kept['fraction']:.1f} %) have a crop; the others, crowds and "
        "persons without labelled joints included, were rejected with a reason. The steps are: read, filter, crop box, "
        "crop. No image is in two splits."
    )
    images = {name: getattr(inputs, name) for name in _IMAGES}
    return Section(
        title="Data",
        anchor="data",
        text=text,
        plots=tuple(ReportPlot(getattr(inputs, name), *texts, folded=True) for name, texts in _PLOTS.items()),
        images=tuple(ReportImage(image, *_IMAGES[name], folded=True) for name, image in images.items() if image is not None),
        tables=_tables(inputs),
    )


def assemble_quality_section(quality: pd.DataFrame) -> Section:
    """Return the section that lists repaired and implausible records.

    Args:
        quality: a `DataQuality` table; may be empty.
    """
    if quality.empty:
        return Section(
            title="Data quality", anchor="data-quality", text="The checks of annotation files and images have no findings."
        )
    counts = quality["severity"].value_counts()
    text = (
        f"{counts.get('repaired', 0)} findings were repaired: a missing or wrong value was replaced; "
        f"{counts.get('warned', 0)} are warnings: these records are used unchanged and may affect the metrics."
    )
    caption = "Records are persons, images, or joints of the skeleton; fractions are of the checked records."
    return Section(
        title="Data quality",
        anchor="data-quality",
        text=text,
        tables=(ReportTable("Findings", _in_percent(quality), decimals=1, caption=caption, row_limit=200),),
    )


def _tables(inputs: DataInputs) -> tuple[ReportTable, ...]:
    return (
        ReportTable(
            "Data distribution",
            _in_percent(inputs.distribution),
            decimals=1,
            caption="'images with persons': images with annotated persons, before any record is rejected; 'images' and "
            "'persons': those with a crop.",
        ),
        ReportTable(
            "Rejected and accepted records",
            _in_percent(inputs.rejected),
            decimals=1,
            caption="Percentages are of all person records in rows with the record person, and of all images in rows with the "
            "record image.",
        ),
        ReportTable("Joint labels", _in_percent(inputs.joint_labels), decimals=1, caption="Persons of all splits."),
    )


def _in_percent(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with fractions (0..1) as percentages."""
    fractions = [name for name in map(str, table.columns) if name.endswith("fraction")]
    percentages = table.assign(**{name: 100 * table[name] for name in fractions})
    return percentages.rename(columns={name: f"{name.removesuffix('_fraction')}_percent" for name in fractions})

"""Plots of the data: splits, rejected records, sizes of persons, labelled joints.

Values per person are binned first, so the size of a plot does not depend on the number of persons.
"""

import textwrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from posescope.core.records import PoseTargets
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.options import CropOptions
from posescope.data.dataset_summary import persons_with_crops
from posescope.reporting.plots.plot_style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    add_plot_origin,
    apply_plot_style,
    with_table_origin,
)
from posescope.reporting.result_filter import origin_of_statistics

__all__ = ["plot_box_sizes", "plot_data_distribution", "plot_rejected", "plot_joint_counts", "plot_joint_labels"]

_SPLIT_COLOURS = {"train": AMBER, "val": BLUE, "test": GREEN, "calibration": VERMILION}
_KINDS = {"person": ("rejected persons", VERMILION), "image": ("rejected images", AMBER), "accepted": ("accepted", BLUE)}
_LABELS = {"visible": (GREEN, "white"), "occluded": (AMBER, "black"), "unlabelled": (GREY, "white")}  # bar, text
_BINS_AN_OCTAVE = 4
_REASONS_A_STEP = 8
_LABEL_CHARACTERS = 38
_TICKS = {"ticks": "outside", "ticklen": 8, "tickcolor": "rgba(0, 0, 0, 0)", "showgrid": False}  # space between labels and bars


@with_table_origin
def plot_data_distribution(distribution: pd.DataFrame) -> go.Figure:
    """Plot the fraction of images and persons in each split, with counts above the bars.

    Args:
        distribution: one row per split: split, images, persons, images_share, persons_share (0..1); images_with_persons is
            optional and shown in the hover text. A row "all" is ignored.
    """
    rows = distribution[distribution["split"] != "all"]
    figure = go.Figure()
    for unit, colour in (("images", AMBER), ("persons", BLUE)):
        percent = rows[f"{unit}_fraction"] * 100
        labels = [f"{count:,}<br>{value:.1f} %" for count, value in zip(rows[unit], percent, strict=True)]
        figure.add_bar(
            x=rows["split"], y=percent, name=unit, marker_color=colour, text=labels, textposition="outside", cliponaxis=False,
            hovertext=_hover_texts(rows, unit), hovertemplate="%{x}: %{hovertext}<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(title_text="of all splits, %", range=[0, 118], tick0=0, dtick=25)
    return _titled(figure, "Images and persons of each split").update_layout(barmode="group")


@with_table_origin
def plot_rejected(rejected: pd.DataFrame) -> go.Figure:
    """Plot the rejected records by step and reason, from the first step (top) to the accepted records; logarithmic.

    Args:
        rejected: result of `count_rejected`: step, record (person or image), reason, records, fraction. Beyond eight reasons
            per step and kind of record, the rarer ones are summed.
    """
    # Plotly draws the first category at the bottom, so the first step comes last.
    rows = _with_few_reasons(rejected).iloc[::-1]
    labels = [_wrapped(f"{step}: {reason}") for step, reason in zip(rows["step"], rows["reason"], strict=True)]
    words = [_counted(*values) for values in zip(rows["records"], rows["fraction"], rows["record"], strict=True)]
    rows = rows.assign(label=labels, words=words, kind=np.where(rows["step"] == "accepted", "accepted", rows["record"]))
    figure = go.Figure()
    for kind, (name, colour) in _KINDS.items():
        part = rows[rows["kind"] == kind]
        if len(part):
            figure.add_bar(
                y=part["label"], x=part["records"], text=part["words"], name=name, marker_color=colour, orientation="h",
                textposition="outside", cliponaxis=False, hovertemplate="%{y}<br>%{text}<extra></extra>",
            )  # fmt: skip
    # A single record has a visible bar; there is space for the text on the right.
    lowest, highest = -0.3, np.log10(max(int(rows["records"].max()), 1))
    figure.update_xaxes(title_text="records (logarithmic)", type="log", dtick=1, tickformat="~s")
    figure.update_xaxes(range=[lowest, lowest + (highest - lowest) / 0.64])
    figure.update_yaxes(categoryorder="array", categoryarray=labels, **_TICKS)
    height = 140 + sum(16 + 18 * (label.count("<br>") + 1) for label in labels)
    return _titled(figure, "Rejected records by step, and accepted records", height).update_layout(barmode="overlay")


def plot_box_sizes(
    persons: pd.DataFrame, crop_boxes: pd.DataFrame, crops: CropStore, statistics: CropStatistics, crop: CropOptions
) -> go.Figure:
    """Plot the longer side of the annotated boxes and of the crop boxes, per split.

    Args:
        persons, crop_boxes: a `Persons` and a `CropBoxes` table; only persons with a crop are counted.
        crops: crops of the data set.
        statistics: statistics of the data, whose fingerprint is the origin of the plot.
        crop: the longer side of the crops is marked by a line: smaller boxes are enlarged, larger ones reduced.
    """
    size_px = max(crop.crop_size)
    table = persons_with_crops(persons, crops).merge(crop_boxes[["person_id", "side"]], on="person_id", validate="one_to_one")
    boxes = table[["bbox_w", "bbox_h"]].max(axis=1).to_numpy(dtype=np.float64)
    cropped = table["side"].to_numpy(dtype=np.float64)
    edges = _octave_edges(np.concatenate([boxes, cropped, [size_px]]))
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.08)
    for row, sides in enumerate((boxes, cropped), start=1):
        for split, colour in _SPLIT_COLOURS.items():
            part = sides[(table["split"] == split).to_numpy()]
            if part.size:
                figure.add_trace(_size_curve(part, edges, split, colour).update(showlegend=row == 1), row=row, col=1)
    figure.add_vline(x=size_px, line={"color": GREY, "dash": "dot", "width": 1.5})
    ticks = 2.0 ** np.arange(np.floor(np.log2(edges[0])), np.ceil(np.log2(edges[-1])) + 1)
    figure.update_xaxes(type="log", range=np.log10(edges[[0, -1]]).tolist(), tickvals=ticks, ticktext=[f"{t:g}" for t in ticks])
    figure.update_xaxes(title_text=_describe_scaling(cropped, size_px), row=2)
    figure.update_yaxes(title_text="annotated box, longer<br>side: persons, %", rangemode="tozero", row=1)
    figure.update_yaxes(title_text=f"crop box, {_word_for_side(crop)}:<br>persons, %", rangemode="tozero", row=2)
    return add_plot_origin(_titled(figure, "Sizes of annotated boxes and crop boxes", 500), origin_of_statistics(statistics))


def plot_joint_counts(targets: PoseTargets, persons: pd.DataFrame, crops: CropStore, statistics: CropStatistics) -> go.Figure:
    """Plot the number of labelled joints (visible or occluded) per person, as a fraction of the persons of each split.

    Args:
        targets: joints of the crops.
        persons: a `Persons` table; only persons with a crop are counted.
        crops: crops of the data set.
        statistics: statistics of the data, whose fingerprint is the origin of the plot.
    """
    persons = persons_with_crops(persons, crops)
    joint_count = targets.visibility.shape[1]
    labelled = pd.Series((targets.visibility > 0).sum(axis=1), index=targets.person_ids)
    figure = go.Figure()
    for split, colour in _SPLIT_COLOURS.items():
        numbers = labelled.reindex(persons.loc[persons["split"] == split, "person_id"]).dropna().to_numpy(dtype=np.int64)
        if numbers.size:
            counts = np.bincount(numbers, minlength=joint_count + 1)
            figure.add_bar(
                x=np.arange(joint_count + 1), y=100 * counts / numbers.size, marker_color=colour, customdata=counts,
                name=f"{split} (median {np.median(numbers):g})",
                hovertemplate="%{x} joints: %{y:.1f} %, %{customdata:,} persons<extra>" + split + "</extra>",
            )  # fmt: skip
    figure.update_xaxes(title_text=f"labelled joints (of {joint_count})", dtick=1, range=[0.4, joint_count + 0.6])
    figure.update_yaxes(title_text="persons of the split, %")
    _titled(figure, "Joints labelled per person").update_layout(barmode="group", bargap=0.2)
    return add_plot_origin(figure, origin_of_statistics(statistics))


@with_table_origin
def plot_joint_labels(joint_labels: pd.DataFrame) -> go.Figure:
    """Plot the fraction of persons in which each joint is visible, occluded or unlabelled, in the order of the skeleton.

    Args:
        joint_labels: result of `count_joint_labels`.
    """
    rows = joint_labels.iloc[::-1]  # plotly draws upwards
    figure = go.Figure()
    for name, (colour, ink) in _LABELS.items():
        percent = 100 * rows[f"{name}_fraction"]
        figure.add_bar(
            y=rows["joint"].str.replace("_", " "), x=percent, name=name, marker_color=colour, orientation="h",
            text=[f"{fraction:.0f}" if fraction >= 5 else "" for fraction in percent], textposition="inside", textangle=0,
            insidetextanchor="middle", textfont={"color": ink}, customdata=rows[name],
            hovertemplate="%{y}: %{x:.1f} % " + name + ", %{customdata:,} persons<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text="persons, %", range=[0, 100])
    figure.update_yaxes(**_TICKS)
    return _titled(figure, "How each joint is labelled", 150 + 24 * len(rows)).update_layout(
        barmode="stack", legend={"traceorder": "normal"}
    )


def _titled(figure: go.Figure, title: str, height_px: int = 400) -> go.Figure:
    """Apply the shared style and a title, for Kedro-Viz, which shows no caption.

    The title is an annotation, because Kedro-Viz moves the title of a layout into the plot.
    """
    figure.add_annotation(
        text=title, x=0, xref="paper", xanchor="left", y=1, yref="paper", yanchor="bottom", yshift=32, showarrow=False,
        font={"size": 15},
    )  # fmt: skip
    return apply_plot_style(figure, height_px).update_layout(margin={"t": 64})


def _hover_texts(rows: pd.DataFrame, unit: str) -> list[str]:
    """Return the hover text per split: images or persons with a crop, and, for images, those with persons."""
    words = [f"{count:,} {unit} with a crop" for count in rows[unit]]
    if unit == "images" and "images_with_persons" in rows:
        return [f"{word}, of {count:,} with persons" for word, count in zip(words, rows["images_with_persons"], strict=True)]
    return words


def _counted(count: int, fraction: float, unit: str = "") -> str:
    percent = f"{100 * fraction:.1f} %" if fraction >= 0.0005 or count == 0 else "< 0.1 %"
    return f"{count:,} ({percent}{f' of all {unit}s' if unit else ''})"


def _with_few_reasons(rejected: pd.DataFrame) -> pd.DataFrame:
    """Return at most eight rows per step and kind of record; the rarer reasons are summed."""
    parts = []
    for (step, record), rows in rejected.groupby(["step", "record"], sort=False):
        ordered = rows.sort_values("records", ascending=False, kind="stable")
        if len(rows) > _REASONS_A_STEP:
            rest = ordered.iloc[_REASONS_A_STEP - 1 :]
            together = {"step": step, "record": record, "reason": f"{len(rest):,} other reasons"}
            sums = {name: rest[name].sum() for name in ("records", "fraction")}
            ordered = pd.concat([ordered.iloc[: _REASONS_A_STEP - 1], pd.DataFrame([together | sums])])
        parts.append(ordered)
    return pd.concat(parts, ignore_index=True)


def _wrapped(text: str) -> str:
    return "<br>".join(textwrap.wrap(textwrap.shorten(text, 4 * _LABEL_CHARACTERS, placeholder=" …"), _LABEL_CHARACTERS))


def _octave_edges(sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bin edges of equal width on a logarithmic axis, with an empty bin at each end; sides below 1 px count as 1 px."""
    octaves = np.log2(np.maximum(sides, 1.0)) * _BINS_AN_OCTAVE
    return np.asarray(2.0 ** (np.arange(np.floor(octaves.min()) - 1, np.floor(octaves.max()) + 3) / _BINS_AN_OCTAVE))


def _word_for_side(crop: CropOptions) -> str:
    height, width = crop.crop_size
    return "side" if height == width else "longer<br>side"


def _describe_scaling(sides: NDArray[np.float64], size_px: int) -> str:
    counts = {"are enlarged": (sides < size_px).sum(), "reduced": (sides > size_px).sum()}
    text = ", ".join(f"{_counted(count, count / len(sides))} {name}" for name, count in counts.items())
    return f"px of the image (logarithmic); dotted: crop side of {size_px} px<br>of the crop boxes, {text}"


def _size_curve(sides: NDArray[np.float64], edges: NDArray[np.float64], split: str, colour: str) -> go.Scatter:
    """Return the histogram as a step curve, in percent of these persons."""
    counts, _ = np.histogram(np.maximum(sides, 1.0), edges)
    texts = [f"{low:.0f} to {high:.0f} px: {count:,} persons" for low, high, count in zip(edges, edges[1:], counts, strict=False)]
    return go.Scatter(
        x=np.sqrt(edges[:-1] * edges[1:]), y=100 * counts / len(sides), name=split, text=texts, mode="lines",
        line={"color": colour, "shape": "hvh", "width": 2}, hovertemplate="%{text}, %{y:.1f} %<extra>" + split + "</extra>",
    )  # fmt: skip

"""Section of the report on the calibrated uncertainty of each joint."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.reporting.report_content import ReportImage, ReportPlot, ReportTable, Section
from posescope.reporting.setting_captions import add_setting_to_caption, drop_setting_columns
from posescope.reporting.wording import in_words

__all__ = ["UncertaintyInputs", "assemble_uncertainty_section"]

_CIRCLES = (
    "Persons of the validation set from the best to the worst PCK. The true place of a joint (white dot) should be inside the "
    "circle of its prediction. Orange circles are too large for the joint to be trusted. Where left and right are swapped, each "
    "circle holds the other joint."
)


@dataclass(frozen=True, eq=False)
class UncertaintyInputs:
    """Results on the uncertainty of each joint.

    Attributes:
        uncertainty_coverage: a row per joint, `all` first, and level: coverage with its interval, radius.
        risk_coverage: PCK of the most certain joints by the fraction that is kept.
        joint_trust: PCK of trusted joints, and of those that are flagged as not to be trusted.
        joint_circles: some persons with the circles of their joints, (H, W, 3) uint8 RGB. None: photographs are not shown.
        uncertainty_plot, risk_coverage_plot: plotly figures.
    """

    uncertainty_coverage: pd.DataFrame
    risk_coverage: pd.DataFrame
    joint_trust: pd.DataFrame
    joint_circles: NDArray[np.uint8] | None
    uncertainty_plot: go.Figure
    risk_coverage_plot: go.Figure


def assemble_uncertainty_section(inputs: UncertaintyInputs | None) -> Section:
    """Return the section.

    Args:
        inputs: results. None: the model has no calibrated uncertainty.
    """
    if inputs is None:
        text = "The model has no calibrated uncertainty, or it was not measured on this data."
        return Section(title="Uncertainty", anchor="uncertainty", text=text)
    table, risk = inputs.uncertainty_coverage, inputs.risk_coverage
    return Section(
        title="Uncertainty",
        anchor="uncertainty",
        text=" ".join(filter(None, (_describe(table), _describe_trust(inputs.joint_trust)))),
        images=() if inputs.joint_circles is None else (ReportImage(inputs.joint_circles, _CIRCLES, "Persons with circles"),),
        plots=(
            ReportPlot(
                inputs.risk_coverage_plot,
                "PCK of the joints that are kept when the least certain ones are left out. It rises if the uncertainty is right.",
                "Curve of PCK by fraction of joints kept",
                folded=True,
            ),
            ReportPlot(
                inputs.uncertainty_plot,
                "Left: the measured fraction of joints inside their circle by the stated one; thick: all joints, thin: each "
                "joint. On the dotted line the circles hold what is stated; above it they are too large, below it too small. "
                "Right: median radius of each joint.",
                "Curves of stated and measured coverage, and bars of the radius of each joint",
                folded=True,
            ),
        ),
        tables=(
            ReportTable(
                "Radius and coverage of each joint",
                drop_setting_columns(table),
                caption=add_setting_to_caption(
                    "The radius is the median, in px of the crop and as a fraction of its side.", table
                ),
                row_limit=200,
            ),
            ReportTable("Joints kept and PCK", drop_setting_columns(risk), caption=add_setting_to_caption("", risk).strip()),
        ),
    )


def _describe(table: pd.DataFrame) -> str:
    rows = table[table["main"] & table["radius_px"].notna()]
    every, joints = rows[rows["joint"] == "all"], rows[rows["joint"] != "all"].sort_values("radius_fraction")
    if every.empty or joints.empty:
        return "No joint has a radius."
    found, worst = every.iloc[0], joints.iloc[-1]
    return (
        f"Each joint has a radius: with a probability of {found['level']:.0%} its true place is not farther from the prediction. "
        f"Of {int(found['labelled']):,} joints of the judged persons, {found['coverage']:.1%} are inside their circle (95 % "
        f"interval {found['coverage_low']:.1%} to {found['coverage_high']:.1%}). The median radius is largest for the "
        f"{in_words(str(worst['joint']))}: {worst['radius_fraction']:.1%} of the side of the crop."
    )


def _describe_trust(table: pd.DataFrame) -> str:
    rows = table.set_index("trust")
    if not {"trusted", "do not trust"} <= set(rows.index[rows["pck"].notna()]):
        return ""
    flagged, others = rows.loc["do not trust"], rows.loc["trusted"]
    return (
        f"{flagged['fraction']:.0%} of the joints have a circle so large that they are flagged as not to be trusted: "
        f"{flagged['pck']:.0%} of these are correct, and {others['pck']:.0%} of the others."
    )

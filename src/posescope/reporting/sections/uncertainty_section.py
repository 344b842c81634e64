"""Section of the report on the calibrated uncertainty of each joint."""

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from posescope.reporting.report_content import ReportPlot, ReportTable, Section
from posescope.reporting.setting_captions import add_setting_to_caption, drop_setting_columns
from posescope.reporting.wording import in_words

__all__ = ["UncertaintyInputs", "assemble_uncertainty_section"]

_LEVEL = 0.9


@dataclass(frozen=True, eq=False)
class UncertaintyInputs:
    """Results on the uncertainty of each joint.

    Attributes:
        uncertainty_coverage: a row per joint, `all` first: level, coverage with its interval, radius, fraction of flagged joints.
        risk_coverage: PCK of the most certain joints by the fraction that is kept.
        uncertainty_plot, risk_coverage_plot: plotly figures.
    """

    uncertainty_coverage: pd.DataFrame
    risk_coverage: pd.DataFrame
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
        text=_describe(table),
        plots=(
            ReportPlot(
                inputs.risk_coverage_plot,
                "PCK of the joints that are kept when the least certain ones are left out. It rises if the uncertainty is right.",
                "Curve of PCK by fraction of joints kept",
            ),
            ReportPlot(
                inputs.uncertainty_plot,
                "Stated against measured fraction of joints inside their radius; on the diagonal the radius keeps its promise.",
                "Curves of stated and measured coverage",
                folded=True,
            ),
        ),
        tables=(
            ReportTable(
                "Radius and coverage of each joint",
                drop_setting_columns(table),
                caption=add_setting_to_caption("The radius is in px of the crop.", table),
                row_limit=200,
            ),
            ReportTable("Joints kept and PCK", drop_setting_columns(risk), caption=add_setting_to_caption("", risk).strip()),
        ),
    )


def _describe(table: pd.DataFrame) -> str:
    rows = table[((table["level"] - _LEVEL).abs() < 1e-6) & table["radius"].notna()]
    every, joints = rows[rows["joint"] == "all"], rows[rows["joint"] != "all"].sort_values("radius_fraction")
    if every.empty or joints.empty:
        return "No joint has a radius."
    found, worst = every.iloc[0], joints.iloc[-1]
    return (
        f"Each joint has a radius that should hold the true position with a probability of {_LEVEL:.0%}. Measured on "
        f"{int(found['labelled']):,} joints, it held {found['coverage']:.1%} (95 % interval {found['coverage_low']:.1%} to "
        f"{found['coverage_high']:.1%}). The radius is largest for the {in_words(str(worst['joint']))}: "
        f"{worst['radius_fraction']:.1%} of the side of the crop."
    )

"""The report's chapters on what the network has learned: the findings first, then the components and every analysis."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.findings import Finding, rank_findings
from posescope.reporting.plots.explainability_plots import plot_explained_variance, plot_silhouettes, plot_skip_ablation
from posescope.reporting.plots.plot_style import apply_plot_style
from posescope.reporting.report_content import ReportImage, ReportPlot, ReportTable, Section

__all__ = ["assemble_explain_sections"]

_TITLE = "What it has learned"
# Tables of a row a person are for programs: they stay beside the report as CSV.
_LONG_TABLES = frozenset({"cluster_members"})
_ROWS_SHOWN = 30
_HEIGHT_PX = 380


def assemble_explain_sections(components: Components | None, analyses: Mapping[str, AnalysisResult]) -> tuple[Section, ...]:
    """Findings (where any analysis makes one), components, a chapter an analysis, in the order given, and what is not told."""
    findings = rank_findings(finding for result in analyses.values() for finding in result.findings)
    missing = [f"{name.replace('_', ' ')}: {result.note}" for name, result in analyses.items() if result.is_empty]
    if components is None:
        missing.insert(0, "There are no components of this model; run the pipeline explainability.")
    return (
        *((_findings_section(findings),) if findings else ()),
        *((_components_section(components),) if components is not None else ()),
        *(_analysis_section(name, result) for name, result in analyses.items() if not result.is_empty),
        *((Section(title=f"{_TITLE}: not told here", text="\n".join(f"- {why}" for why in missing)),) if missing else ()),
    )


def _findings_section(findings: list[Finding]) -> Section:
    held = sum(finding.passed for finding in findings)
    text = (
        f"{len(findings)} claims were put to the test, {held} held. Each stands beside its control: what the same measurement "
        "gives where there is nothing to find. Those on which most error hangs come first. Intervals are of 95 %."
        f"{_say_whom(findings)}"
    )
    rows = [
        (finding.claim, _with_range(finding.value, finding.low, finding.high), _say_control(finding), _say_verdict(finding))
        for finding in findings
    ]
    table = pd.DataFrame(rows, columns=["claim", "measured", "control", "verdict"])
    return Section(title=f"{_TITLE}: findings", text=text, tables=(ReportTable("Claims", table, row_limit=len(table)),))


def _say_whom(findings: list[Finding]) -> str:
    """A network fails less on those whom it was trained on: of whom the claims are must be said."""
    whom = " and ".join(dict.fromkeys(finding.persons for finding in findings if finding.persons))
    return f" They are of {whom}." if whom else ""


def _say_verdict(finding: Finding) -> str:
    return "held" if finding.passed else "did not hold"


def _say_control(finding: Finding) -> str:
    control = finding.control
    return f"{control.what}: {_with_range(control.value, control.low, control.high)}"


def _with_range(value: float, low: float | None, high: float | None) -> str:
    # Always as many decimals: a control of 0.00003 is nothing, whatever its digits.
    numbers = [f"{number:.3f}".replace("-", "−") for number in (value, low, high) if number is not None]
    return numbers[0] if low is None or high is None else f"{numbers[0]} ({numbers[1]} to {numbers[2]})"


def _components_section(components: Components) -> Section:
    ratios = components.explained_variance_ratio
    text = (
        f"The features at '{components.layer}' vary along {len(ratios)} directions. The first component holds "
        f"{ratios[0]:.1%} of the variance; {components.components_for(0.95)} components hold 95 %. As if all were used "
        f"alike, {components.participation_ratio:.1f} directions are in use (participation ratio)."
    )
    variance = ReportPlot(plot_explained_variance(ratios), "Variance along the principal components.", "Scree plot")
    return Section(title=f"{_TITLE}: variance", text=text, figures=(variance,))


def _analysis_section(name: str, result: AnalysisResult) -> Section:
    return Section(
        title=f"{_TITLE}: {name.replace('_', ' ')}",
        text=result.note,
        figures=(*_known_figures(name, result), *(_own_figure(name, *item) for item in result.plots.items())),
        pictures=tuple(
            ReportImage(picture, f"{title.replace('_', ' ')}.", f"Result of the analysis {name}")
            for title, picture in result.images.items()
        ),
        tables=tuple(
            ReportTable(title.replace("_", " "), table, row_limit=_ROWS_SHOWN)
            for title, table in result.tables.items()
            if title not in _LONG_TABLES
        ),
    )


def _own_figure(name: str, title: str, figure: go.Figure) -> ReportPlot:
    styled = apply_plot_style(go.Figure(figure), height_px=int(figure.layout.height or _HEIGHT_PX))
    return ReportPlot(styled, f"{title.replace('_', ' ')}.", f"Result of the analysis {name}")


def _known_figures(name: str, result: AnalysisResult) -> tuple[ReportPlot, ...]:
    if name == "clusters" and "silhouettes" in result.tables and result.tables["silhouettes"]["silhouette"].notna().any():
        figure = plot_silhouettes(result.tables["silhouettes"])
        return (ReportPlot(figure, "Silhouette by number of clusters.", "Line of silhouettes"),)
    if name == "skip_ablation" and "skip_ablation" in result.tables:
        table = result.tables["skip_ablation"]
        held = table[table["mode"] == "mean"]
        drops = held.pivot(index="level", columns="joint", values="drop")[list(dict.fromkeys(held["joint"]))]
        figure = plot_skip_ablation(drops)
        return (ReportPlot(figure, "PCK lost when a skip is held at its mean, by joint.", "Heat map of levels and joints"),)
    return ()

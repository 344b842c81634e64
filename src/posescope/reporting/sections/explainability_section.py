"""Sections of the report on explainability: findings, components, and one section per analysis."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.findings import Control, Finding, rank_findings
from posescope.reporting.plots.explainability_plots import plot_explained_variance, plot_silhouettes, plot_skip_ablation
from posescope.reporting.plots.plot_style import apply_plot_style
from posescope.reporting.report_content import ReportImage, ReportPlot, ReportTable, Section

__all__ = ["assemble_explain_sections"]

_TITLE = "Explainability"
# Tables with one row per person are not shown; they are saved as CSV.
_LONG_TABLES = frozenset({"cluster_members"})
_ROWS_SHOWN = 30
_HEIGHT_PX = 380
# Name of an image or plot of the built-in analyses, without a number at its end -> caption; others are captioned by their name.
_ANSWERS = {"supported": "yes", "refuted": "no", "inconclusive": "cannot be said"}
_CAPTIONS = {
    "clusters": "One cluster per row: the medoid and the persons nearest to the centre, then the two farthest, with their PCK.",
    "clusters_plane": "Scores of the persons on the first two components, coloured by cluster.",
    "clusters_skeletons": "Mean skeleton of each cluster.",
    "attribute_correlations": "R² of each attribute, predicted from one component on held-out persons, with the sign of the "
    "correlation.",
    "attribute_probes": "R² of each attribute, predicted from the first components together on held-out persons, with its "
    "interval; 'by chance': with shuffled attributes.",
    "component_extremes": "Persons with the lowest and the highest scores on each component, with the attribute that the "
    "component predicts best.",
    "component_scores": "Scores of the persons on two components, coloured by a pose attribute.",
    "traversal_pc": "Traversal of component {number}. Top row: the real person nearest to each step. "
    "Bottom row: each step decoded by the network.",
    "traversal_slider": "Decoded skeletons along the traversals; the slider selects the step.",
    "skip_ablation": "PCK drop per joint when skip connections are replaced by zeros, by their mean, or by another person's "
    "activations (shuffled).",
    "truncation_curve": "PCK with the first k, the last k or k random components; the other components are set to their mean.",
    "truncation_joints": "PCK drop per joint with the first components only.",
}


def assemble_explain_sections(components: Components | None, analyses: Mapping[str, AnalysisResult]) -> tuple[Section, ...]:
    """Return the sections on findings, components and every analysis, in the given order, and on missing results.

    Args:
        components: components of the features. None: no result of this model.
        analyses: results of the analyses by name.
    """
    findings = rank_findings(finding for result in analyses.values() for finding in result.findings)
    missing = [f"{name.replace('_', ' ')}: {result.note}" for name, result in analyses.items() if result.is_empty]
    if components is None:
        missing.insert(0, "No components of this model; run the pipeline explainability.")
    return (
        *((_findings_section(findings),) if findings else ()),
        *((_components_section(components),) if components is not None else ()),
        *(_analysis_section(name, result) for name, result in analyses.items() if not result.is_empty),
        *((Section(title=f"{_TITLE}: missing results", text="\n".join(f"- {why}" for why in missing)),) if missing else ()),
    )


def _findings_section(findings: list[Finding]) -> Section:
    supported = sum(finding.is_supported for finding in findings)
    # Networks fail less on their training persons, so the population is stated.
    population = " and ".join(dict.fromkeys(finding.persons for finding in findings if finding.persons))
    of_population = f" The findings are of {population}." if population else ""
    text = (
        f"{supported} of {len(findings)} tested effects were found; where an effect was not found, the claim says so. The column "
        "control gives the value to compare with, for example with permuted labels or along random directions. Claims on groups "
        "of persons with many errors come first. PCK is pck_thesis. Intervals are 95 % intervals."
        f"{of_population}"
    )
    rows = [
        (
            finding.statement,
            _with_range(finding.effect, finding.low, finding.high),
            "" if finding.control is None else _control_words(finding.control),
            _ANSWERS[finding.verdict],
        )
        for finding in findings
    ]
    table = pd.DataFrame(rows, columns=["claim", "measured", "control", "effect found"])
    return Section(title=f"{_TITLE}: findings", text=text, tables=(ReportTable("Claims", table, row_limit=len(table)),))


def _control_words(control: Control) -> str:
    return f"{control.what}: {_with_range(control.value, control.low, control.high)}"


def _with_range(value: float, low: float | None, high: float | None) -> str:
    # Fixed decimals: a control of 0.00003 is 0.000.
    numbers = [f"{number:.3f}".replace("-", "−") for number in (value, low, high) if number is not None]
    return numbers[0] if low is None or high is None else f"{numbers[0]} ({numbers[1]} to {numbers[2]})"


def _components_section(components: Components) -> Section:
    ratios = components.explained_variance_ratio
    text = (
        f"The features at '{components.layer}' have {len(ratios)} principal components. The first explains "
        f"{ratios[0]:.1%} of the variance; {components.components_for(0.95)} components explain 95 %. The participation ratio, "
        f"the effective number of dimensions, is {components.participation_ratio:.1f}."
    )
    variance = ReportPlot(
        plot_explained_variance(ratios), "Explained variance of each principal component, and its cumulative sum.", "Scree plot"
    )
    return Section(title=f"{_TITLE}: variance", text=text, plots=(variance,))


def _analysis_section(name: str, result: AnalysisResult) -> Section:
    return Section(
        title=f"{_TITLE}: {name.replace('_', ' ')}",
        text=result.note,
        plots=(*_known_plots(name, result), *(_own_plot(name, *item) for item in result.plots.items())),
        images=tuple(
            ReportImage(image, _caption_of(title), f"Result of the analysis {name}") for title, image in result.images.items()
        ),
        tables=tuple(
            ReportTable(title.replace("_", " "), table, row_limit=_ROWS_SHOWN)
            for title, table in result.tables.items()
            if title not in _LONG_TABLES
        ),
    )


def _own_plot(name: str, title: str, figure: go.Figure) -> ReportPlot:
    styled = apply_plot_style(go.Figure(figure), height_px=int(figure.layout.height or _HEIGHT_PX))
    return ReportPlot(styled, _caption_of(title), f"Result of the analysis {name}")


def _caption_of(title: str) -> str:
    name = title.rstrip("0123456789")
    return _CAPTIONS.get(name, f"{title.replace('_', ' ')}.").format(number=title.removeprefix(name))


def _known_plots(name: str, result: AnalysisResult) -> tuple[ReportPlot, ...]:
    if name == "clusters" and "silhouettes" in result.tables and result.tables["silhouettes"]["silhouette"].notna().any():
        figure = plot_silhouettes(result.tables["silhouettes"])
        return (ReportPlot(figure, "Silhouette by number of clusters.", "Line of silhouettes"),)
    if name == "skip_ablation" and "skip_ablation" in result.tables:
        table = result.tables["skip_ablation"]
        ablated = table[table["mode"] == "mean"]
        drops = ablated.pivot(index="level", columns="joint", values="drop")[list(dict.fromkeys(ablated["joint"]))]
        figure = plot_skip_ablation(drops)
        return (
            ReportPlot(
                figure,
                "PCK drop per joint when the activations of a skip connection are replaced by their mean.",
                "Heat map of levels and joints",
            ),
        )
    return ()

"""Sections of the report on explainability: findings, components, and one section per analysis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import plotly.graph_objects as go

from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.findings_file import FindingRecord
from posescope.reporting.plots.explainability_plots import plot_explained_variance
from posescope.reporting.plots.plot_style import apply_plot_style
from posescope.reporting.plots.plot_words import use_words_in_plot
from posescope.reporting.report_content import FindingCard, ReportImage, ReportPlot, ReportTable, Section
from posescope.reporting.sections.finding_cards import card_of_finding, picture_of, section_anchor
from posescope.reporting.subject_words import PERSONS, SubjectWords
from posescope.reporting.summary.summary_content import figure_anchor
from posescope.reporting.wording import at_layer, in_words

__all__ = ["ExplainInputs", "assemble_explain_sections"]

_MOST_ROWS = 300  # tables with one row per person are not shown; they are saved as CSV
_ROWS_SHOWN = 30
_HEIGHT_PX = 340
_MOST_ASPECT = 0.6  # height by width: a higher image is folded, since it would be illegible if fitted into a screen


@dataclass(frozen=True, eq=False)
class ExplainInputs:
    """Inputs of these sections.

    Attributes:
        components: components of the features. None: no result of this model.
        analyses: results of the analyses by name.
        findings: corrected findings of all analyses, ranked.
        in_summary: analysis and name of the images that the summary shows, which are not shown again.
        subject: words for the persons.
        open_command: command that opens the run as an interactive page; empty: none.
    """

    components: Components | None
    analyses: Mapping[str, AnalysisResult]
    findings: Sequence[FindingRecord] = ()
    in_summary: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    subject: SubjectWords = PERSONS
    open_command: str = ""


def assemble_explain_sections(inputs: ExplainInputs) -> tuple[Section, ...]:
    """Return the sections on findings, components and every analysis, in the given order, and on missing results."""
    shown = {name: result for name, result in inputs.analyses.items() if not result.is_empty}
    missing = [f"{_heading(name)}: {result.note}" for name, result in inputs.analyses.items() if result.is_empty]
    if inputs.components is None:
        missing.insert(0, "No components of this model; run the pipeline explainability.")
    return (
        *_findings_section(inputs),
        *((_components_section(inputs.components),) if inputs.components is not None else ()),
        *(_analysis_section(name, result, inputs) for name, result in shown.items()),
        *((_missing_section(missing),) if missing else ()),
    )


def _missing_section(missing: list[str]) -> Section:
    return Section(title="Analyses that were not run", anchor="missing", text="\n".join(f"- {in_words(why)}" for why in missing))


def _heading(name: str) -> str:
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _findings_section(inputs: ExplainInputs) -> tuple[Section, ...]:
    if not inputs.findings:
        return ()
    cards = tuple(_card(found, inputs) for found in inputs.findings)
    counts = {verdict: sum(card.verdict == verdict for card in cards) for verdict in ("supported", "refuted", "inconclusive")}
    text = (
        f"The analyses asked {len(cards)} questions: {counts['supported']} are answered with yes, {counts['refuted']} with no, "
        f"{counts['inconclusive']} cannot be answered. Each answer is tested against a control, and all answers are corrected "
        "for their number (Benjamini and Yekutieli, 2001). The first ones concern the most errors."
    )
    return (Section(title="Findings", anchor="findings", text=text, index=cards),)


def _card(found: FindingRecord, inputs: ExplainInputs) -> FindingCard:
    return card_of_finding(found, inputs.subject, inputs.open_command)


def _components_section(components: Components) -> Section:
    ratios = components.explained_variance_ratio
    text = (
        f"The features, the {components.mean.size:,} numbers {at_layer(components.layer)}, have {len(ratios):,} principal "
        f"components. The first explains {ratios[0]:.1%} of their variance; {components.components_for(0.95):,} explain 95 %. "
        f"The participation ratio, the effective number of dimensions, is {components.participation_ratio:.1f}."
    )
    variance = ReportPlot(
        plot_explained_variance(ratios),
        "How much of the differences each component explains (bars), and the first ones together (line).",
        "Scree plot",
        folded=True,
    )
    return Section(title="Components", anchor="variance", text=text, plots=(variance,))


def _analysis_section(name: str, result: AnalysisResult, inputs: ExplainInputs) -> Section:
    cards = tuple(_card(found, inputs) for found in inputs.findings if found.analysis == name)
    opened = _opened_figure(name, result, inputs)
    repeated = any(analysis == name for analysis, _ in inputs.in_summary)
    note = inputs.subject.adapt(in_words(result.note))
    return Section(
        title=_heading(name),
        anchor=section_anchor(name),
        text="The summary at the top shows pictures of this analysis." if repeated else "" if cards else note,
        findings=cards,
        numbers=note if cards or repeated else "",
        plots=tuple(
            _plot(name, title, figure, result.captions, folded=title != opened) for title, figure in result.plots.items()
        ),
        images=tuple(
            ReportImage(
                image,
                _caption(title, result.captions, inputs.subject),
                f"Result of the analysis {in_words(name)}",
                folded=title != opened,
                anchor=figure_anchor(name, title),
            )
            for title, image in result.images.items()
            if (name, title) not in inputs.in_summary
        ),
        tables=tuple(
            ReportTable(
                in_words(title),
                _without_skips(table),
                caption=_caption(title, result.captions, inputs.subject, default=""),
                row_limit=_ROWS_SHOWN,
            )
            for title, table in result.tables.items()
            if len(table) <= _MOST_ROWS
        ),
    )


def _without_skips(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the column on the treatment of skip connections if the network has none."""
    return table.drop(columns="skips") if "skips" in table and (table["skips"] == "none").all() else table


def _opened_figure(name: str, result: AnalysisResult, inputs: ExplainInputs) -> str:
    """Return the figure that is not folded: that of the first finding that has one, or the first plot or image that fits."""
    if any(analysis == name for analysis, _ in inputs.in_summary):
        return ""
    pictures = [picture_of(found) for found in inputs.findings if found.analysis == name]
    fitting = [title for title, image in result.images.items() if image.shape[0] <= _MOST_ASPECT * image.shape[1]]
    candidates = [*(picture for picture in pictures if picture), *result.plots, *fitting]
    return next((title for title in candidates if title in result.plots or title in fitting), "")


def _plot(analysis: str, title: str, figure: go.Figure, captions: Mapping[str, str], *, folded: bool) -> ReportPlot:
    height = int(figure.layout.height or _HEIGHT_PX)
    styled = apply_plot_style(use_words_in_plot(figure), height_px=height)
    caption = _caption(title, captions, PERSONS)
    return ReportPlot(
        styled, caption, f"Result of the analysis {in_words(analysis)}", folded=folded, anchor=figure_anchor(analysis, title)
    )


def _caption(title: str, captions: Mapping[str, str], subject: SubjectWords, default: str | None = None) -> str:
    caption = captions.get(title)
    if caption is None:
        return f"{_heading(title)}." if default is None else default
    return subject.adapt(in_words(caption))

"""Blocks of the summary on what the network holds inside: components, how many are needed, groups, skips."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.findings_file import FindingRecord
from posescope.reporting.subject_words import SubjectWords
from posescope.reporting.summary.summary_content import Curve, Scale, SummaryBlock, SummaryFigure, SummaryItem
from posescope.reporting.wording import count_of_hundred, in_words

__all__ = ["describe_components", "describe_groups", "describe_needed", "describe_skips"]

_SHOWN = 3
_GROUPS_SHOWN, _TRAITS_SHOWN = 4, 2

Analyses = Mapping[str, AnalysisResult]
Answers = Mapping[str, FindingRecord]


def describe_components(components: Components | None, analyses: Analyses, subject: SubjectWords) -> SummaryBlock:
    """Return the block on the first principal components.

    Args:
        components: components of the features. None: no result of this model.
        analyses: results by name; component_names and latent_traversal are used.
        subject: words for the persons.
    """
    heading = "What it holds inside"
    if components is None:
        return SummaryBlock(heading, "", "", "Not looked at: the pipeline explainability was not run.")
    text = (
        f"Half way, a picture has become {components.mean.size:,} numbers. Principal component analysis (PCA) finds the scales, "
        f"called components, on which they differ most between {subject.many}."
    )
    ratios = components.explained_variance_ratio[:_SHOWN]
    items = tuple(_component_item(number, float(ratio), analyses, subject) for number, ratio in enumerate(ratios, 1))
    chapter = "analysis-component-names" if "component_names" in analyses else "variance"
    if any(item.figures for item in items):
        text += f" Pictures: {subject.many} at both ends; then the skeleton when only this component changes."
    else:
        text += " Their pictures were not made: the analysis of component names was not run."
    return SummaryBlock(heading, chapter, "More on components", text, items=items, wide=True)


def _component_item(number: int, ratio: float, analyses: Analyses, subject: SubjectWords) -> SummaryItem:
    names = analyses.get("component_names")
    row = _row_of(names, "component_names", "component", number)
    low, high = (_text(row.get(end)) for end in ("low", "high"))
    named = f"{subject.adapt(low)} ↔ {subject.adapt(high)}" if low and high else "no name"
    figures = [
        *_figures(names, "component_names", f"component_{number}_ends"),
        *_figures(
            analyses.get("latent_traversal"),
            "latent_traversal",
            f"traversal_strip_{number}",
        ),
    ]
    return SummaryItem(f"Component {number}: {named}", f"{100 * ratio:.0f} % of the differences.", figures=tuple(figures))


def _text(value: object) -> str:
    """Return a cell as words; an empty one is read from CSV as NaN."""
    return in_words(value) if isinstance(value, str) else ""


def _figures(result: AnalysisResult | None, analysis: str, name: str, caption: str = "") -> list[SummaryFigure]:
    if result is None or name not in result.images:
        return []
    return [SummaryFigure(result.images[name], caption, in_words(name), (analysis, name))]


def _row_of(result: AnalysisResult | None, table: str, column: str, value: int) -> Mapping[Any, Any]:
    found = pd.DataFrame() if result is None else result.tables.get(table, pd.DataFrame())
    rows = found[found[column] == value].to_dict("records") if column in found else []
    return rows[0] if rows else {}


def describe_needed(truncation: AnalysisResult | None, answers: Answers) -> SummaryBlock:
    """Return the block on how many components are needed.

    Args:
        truncation: result of the analysis of that name. None: no result.
        answers: findings by id.
    """
    heading, chapter, link = "How many components are needed", "analysis-truncation", "More on this curve"
    table = pd.DataFrame() if truncation is None else truncation.tables.get("truncation", pd.DataFrame())
    if truncation is None or table.empty:
        return SummaryBlock(heading, "", "", "Not looked at: the analysis truncation was not run.")
    skips = str(table["skips"].iloc[0])  # own, or none if the network has no skip connections
    own = table[table["skips"] == skips]
    intact = float(own.loc[own["subset"] == "intact", "pck"].iloc[0])
    first = own[(own["subset"] == "first") & (own["k"] >= 1)].sort_values("k")
    asked = truncation.facts.get("components_asked")
    curve = Curve(
        positions=tuple(first["k"].astype(float)),
        values=tuple(first["pck"]), lows=tuple(first["low"]), highs=tuple(first["high"]),
        marked=None if asked is None else float(asked), level=intact, across="components kept",
        up="joints close enough, of 100", caption="Dotted: all components. Dashed: enough.",
        source=("truncation", "truncation_curve"),
    )  # fmt: skip
    sentences = [_enough_text(truncation, answers.get("truncation.components-are-enough"))]
    bypassed = truncation.facts.get(f"pck_no_components_{skips}")
    if bypassed is not None:
        through = float(bypassed) <= intact / 2
        way = "most comes through the components" if through else "much comes by side paths"
        sentences.append(f"With all at their average, {count_of_hundred(float(bypassed))} of 100 are close enough: {way}.")
    return SummaryBlock(heading, chapter, link, " ".join(sentences), curve=curve)


def _enough_text(truncation: AnalysisResult, answer: FindingRecord | None) -> str:
    """Return the sentence on the number of components that may be enough, under the corrected verdict."""
    asked, count = truncation.facts.get("components_asked"), truncation.facts.get("components")
    if answer is None or asked is None:
        return "No number of components was shown to be enough."
    loses = {"supported": "loses at most 1", "refuted": "loses more than 1", "inconclusive": "may lose more than 1"}
    kept = f"With the first {int(asked):,} of {int(count or 0):,} components"
    return f"{kept} it {loses[answer.verdict]} of 100 joints."


def describe_groups(clusters: AnalysisResult | None, answers: Answers, subject: SubjectWords) -> SummaryBlock:
    """Return the block on the groups of k-means.

    Args:
        clusters: result of the analysis clusters. None: no result.
        answers: findings by id.
        subject: words for the persons.
    """
    heading, chapter = "Which groups it forms", "analysis-clusters"
    table = pd.DataFrame() if clusters is None else clusters.tables.get("clusters", pd.DataFrame())
    if clusters is None or table.empty:
        return SummaryBlock(heading, "", "", "Not looked at: the analysis clusters was not run.")
    reality = _reality(clusters, answers.get("clusters.separate-groups"), subject)
    text = f"K-means puts {subject.many} with similar numbers into one group. {reality}"
    shown = _shown_groups(table)
    text += "" if len(shown) == len(table) else " Shown: the largest and the worst."
    items = tuple(_group_item(clusters, row, subject) for row in shown.to_dict("records"))
    figures = (
        () if any(item.figures for item in items) else tuple(_figures(clusters, "clusters", "clusters", "One group per row."))
    )
    return SummaryBlock(heading, chapter, "More on groups", text, figures=figures, items=items, wide=True)


def _shown_groups(table: pd.DataFrame) -> pd.DataFrame:
    """Return the largest groups with a known PCK and, always, the one with the lowest PCK."""
    table = table[table["mean_pck"].notna()]
    shown = table.head(_GROUPS_SHOWN)
    worst = table.loc[[table["mean_pck"].idxmin()]] if len(table) else table
    if worst.index.isin(shown.index).all():
        return shown
    return pd.concat([shown.head(_GROUPS_SHOWN - 1), worst])


def _reality(clusters: AnalysisResult, answer: FindingRecord | None, subject: SubjectWords) -> str:
    if answer is not None and answer.verdict == "inconclusive":
        return "Whether there are gaps between the groups cannot be said."
    if clusters.facts.get("verdict") != "separate groups":
        return "No gaps were found: the groups divide a continuum."
    table = clusters.tables["clusters"]
    separate = table.loc[table["separate"].astype(bool), "cluster"].tolist() if "separate" in table else []
    if len(separate) == len(table):
        return f"The groups are separate: few {subject.many} are in between."
    if not separate:
        return "Some are separate; the others merge into one another."
    names = " and ".join(f"group {number}" for number in separate)
    return f"Of {len(table)}, {names} {'is' if len(separate) == 1 else 'are'} separate; the others merge into one another."


def _group_item(clusters: AnalysisResult, row: Mapping[Any, Any], subject: SubjectWords) -> SummaryItem:
    number = int(row["cluster"])
    words = ", ".join(subject.adapt(_text(row.get("description"))).split(", ")[:_TRAITS_SHOWN])
    name = f"cluster_{number}_persons"
    return SummaryItem(
        f"Group {number}: {int(row['persons']):,} {subject.many}",
        f"{words[:1].upper()}{words[1:]}." if words else "",
        (Scale("", float(row["mean_pck"]), row.get("pck_low"), row.get("pck_high")),),
        tuple(_figures(clusters, "clusters", name, "")),
    )


def describe_skips(skips: AnalysisResult | None, subject: SubjectWords) -> SummaryBlock:
    """Return the block on skip connections.

    Args:
        skips: result of the analysis skip_ablation. None: no result.
        subject: words for the persons.
    """
    heading = "What the side paths carry"
    facts = {} if skips is None else skips.facts
    intact, changed = facts.get("pck_intact"), facts.get("pck_all_shuffled")
    if intact is None or changed is None:
        return SummaryBlock(heading, "", "", "Not looked at: the analysis skip ablation was not run.")
    text = (
        f"Side paths (skip connections) carry fine detail around these numbers. Given those of another {subject.one}, "
        f"{count_of_hundred(float(changed))} instead of {count_of_hundred(float(intact))} of 100 joints are close enough."
    )
    return SummaryBlock(heading, "analysis-skip-ablation", "More on side paths", text)

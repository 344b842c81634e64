"""Blocks of the summary on what the network holds inside: components, how many are needed, groups, skips."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.findings_file import FindingRecord
from posescope.reporting.subject_words import SubjectWords
from posescope.reporting.summary.summary_content import Curve, Scale, SummaryBlock, SummaryFigure, SummaryItem
from posescope.reporting.wording import at_layer, count_of_hundred, in_plain_words, in_words, list_words

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
    place = at_layer(components.layer)
    inside = f"Inside, {place}" if components.layer in place else "Inside"
    text = (
        f"{inside}, a picture has become {components.mean.size:,} numbers. Principal component analysis (PCA) finds scales, "
        f"called components, on which they differ most between {subject.many}."
    )
    ratios = components.explained_variance_ratio[:_SHOWN]
    items = tuple(_component_item(number, float(ratio), analyses, subject) for number, ratio in enumerate(ratios, 1))
    chapter = "analysis-component-names" if "component_names" in analyses else "variance"
    if any(item.figures for item in items):
        text += (
            f" Pictures: {subject.many} at both ends, which need not be opposites; then the skeleton when only this component "
            "changes."
        )
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
    return in_plain_words(value) if isinstance(value, str) else ""


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
    answer = answers.get("truncation.components-are-enough")
    asked = None if answer is None else truncation.facts.get("components_asked")
    dashed = "" if asked is None else f" Dashed: {int(asked):,}."
    curve = Curve(
        positions=tuple(first["k"].astype(float)),
        values=tuple(first["pck"]), lows=tuple(first["low"]), highs=tuple(first["high"]),
        marked=None if asked is None else float(asked), level=intact, across="components kept",
        up="joints close enough, of 100", caption=f"Dotted: all components.{dashed}",
        source=("truncation", "truncation_curve"),
    )  # fmt: skip
    sentences = [_enough_text(truncation, answer)]
    bypassed = truncation.facts.get(f"pck_no_components_{skips}")
    if bypassed is not None:
        sentences.append(_without_text(float(bypassed), intact, skips))
    return SummaryBlock(heading, chapter, link, " ".join(sentences), curve=curve)


def _without_text(pck: float, intact: float, skips: str) -> str:
    """Return the sentence on the network when its features are the same for every picture.

    Args:
        pck, intact: PCK without any component, and of the whole network.
        skips: `own`, or `none` if the network has no skip connections.
    """
    if pck <= intact / 2:
        way = "most joints need these numbers"
    else:
        way = "much comes by side paths (below)" if skips == "own" else "many joints do not need these numbers"
    kept = f"{count_of_hundred(pck)} of 100 are close enough"
    return f"With the average of many pictures instead of its own numbers, {kept}: {way}."


def _enough_text(truncation: AnalysisResult, answer: FindingRecord | None) -> str:
    """Return the sentence on the number of components that may be enough, under the corrected verdict."""
    asked, count = truncation.facts.get("components_asked"), truncation.facts.get("components")
    if answer is None or asked is None:
        return "No number of components was shown to be enough."
    loses = {"supported": "loses at most 1", "refuted": "loses more than 1", "inconclusive": "may lose more than 1"}
    first = f"first {int(asked):,}" if int(asked) > 1 else "first"
    kept = f"With the {first} of {int(count or 0):,} components"
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
    text = f"K-means groups {subject.many} by similar numbers, not misses. {reality}"
    shown = _shown_groups(table)
    left_out = [str(number) for number in table["cluster"] if number not in set(shown["cluster"])]
    if left_out:
        text += f" Not shown: {'group' if len(left_out) == 1 else 'groups'} {list_words(left_out)}."
    items = tuple(_group_item(clusters, row, subject) for row in shown.to_dict("records"))
    figures: tuple[SummaryFigure, ...] = ()
    if any(item.figures for item in items):
        text += f" Pictures: a typical {subject.one}, then {subject.many} near and far from the average."
    else:
        figures = tuple(_figures(clusters, "clusters", "clusters", "One group per row."))
    return SummaryBlock(heading, chapter, "More on groups", text, figures=figures, items=items, wide=True)


def _shown_groups(table: pd.DataFrame) -> pd.DataFrame:
    """Return some groups with a known PCK: the one with the lowest PCK, then the separate ones, then the largest."""
    table = table[table["mean_pck"].notna()]
    separate = table["separate"].astype(bool) if "separate" in table else pd.Series(data=False, index=table.index)
    order = pd.DataFrame({"other": table["mean_pck"] > table["mean_pck"].min(), "merged": ~separate})
    chosen = order.sort_values(["other", "merged"], kind="stable").index[:_GROUPS_SHOWN]
    return table.loc[chosen.sort_values()]


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
    verb = "is" if len(separate) == 1 else "are"
    return f"Of {len(table)} groups, {names} {verb} separate; the others merge into one another."


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
    """Return the block on skip connections, for a network that has some.

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
        f"Side paths (skip connections) carry fine detail around these numbers. With the detail of another {subject.one}, "
        f"{count_of_hundred(float(changed))} instead of {count_of_hundred(float(intact))} of 100 are close enough."
    )
    return SummaryBlock(heading, "analysis-skip-ablation", "More on side paths", text)

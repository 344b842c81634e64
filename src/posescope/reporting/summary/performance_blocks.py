"""Blocks of the summary on what the network does: what it sees and answers, how good it is, where it fails, how sure it is."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from posescope.explainability.base import AnalysisResult
from posescope.explainability.findings_file import FindingRecord
from posescope.reporting.subject_words import SubjectWords
from posescope.reporting.summary.summary_content import Scale, SummaryBlock, SummaryFigure, SummaryItem
from posescope.reporting.wording import count_of_hundred, in_plain_words, in_words, range_of_hundred

__all__ = ["describe_certainty", "describe_failures", "describe_quality", "describe_task"]

_SLICES = 3
_BAR = "joints close enough, of 100; dark: range"
_CLOSE = {
    "pck_thesis": "at most 5 % of the picture's side",
    "pck@0.2": "at most 20 % of the side of the box around the {one}",
}


def describe_task(
    joints: tuple[str, ...], crop_size: tuple[int, int], example: SummaryFigure | None, subject: SubjectWords
) -> SummaryBlock:
    """Return the block on input and output.

    Args:
        joints: names of the joints.
        crop_size: (height, width) px of the input.
        example: picture, heatmaps and skeleton of one person.
        subject: words for the persons.
    """
    shape = "square picture" if crop_size[0] == crop_size[1] else "picture"
    text = (
        f"It sees one {shape} with one {subject.one} in the middle. For each of {len(joints)} joints, such as the "
        f"{in_words(joints[0])}, it answers with a heatmap, bright where it finds the joint. The brightest points, connected, "
        "are the skeleton."
    )
    return SummaryBlock(
        "What the network sees and answers", "metrics", "More pictures", text, figures=() if example is None else (example,)
    )


def describe_quality(metrics: Mapping[str, Any] | None, subject: SubjectWords, *, unseen: bool = True) -> SummaryBlock:
    """Return the block on the main metric.

    Args:
        metrics: content of metrics.json. None: no result of this model on this data.
        subject: words for the persons.
        unseen: whether the network was trained on other photographs for certain.
    """
    heading, chapter, link = "How good it is", "metrics", "All metrics"
    figures = {} if metrics is None else metrics["val"]
    name = next((name for name in _CLOSE if figures.get(name, {}).get("value") is not None), None)
    if name is None:
        return SummaryBlock(heading, chapter, link, "Not measured: the pipeline evaluation was not run.")
    figure = figures[name]
    value, low, high = float(figure["value"]), figure.get("low"), figure.get("high")
    ends = range_of_hundred(low, high)
    chance = f"; with other pictures of this kind, probably {ends}" if ends else ""
    people = f"{figure['persons']:,} " if "persons" in figure else ""
    text = (
        f"Of 100 marked joints it places {count_of_hundred(value)} close enough (PCK {value:.2f}){chance}.\n\n"
        f"Close enough: {_CLOSE[name].format(one=subject.one)} from the mark. Measured on "
        f"{people}{subject.many} in pictures {'it has not' if unseen else 'that it may or may not have'} learned from."
    )
    return SummaryBlock(heading, chapter, link, text, scales=(Scale(_BAR, value, low, high),))


def describe_failures(
    slices: AnalysisResult | None,
    answers: Mapping[str, FindingRecord],
    joint_scores: pd.DataFrame | None,
    subject: SubjectWords,
    open_command: str = "",
) -> SummaryBlock:
    """Return the block on groups and joints that fail.

    Args:
        slices: result of the analysis failure_slices. None, here and below: no result.
        answers: findings by id; groups whose answer is not yes after the correction for all findings are not shown.
        joint_scores: scores per joint.
        subject: words for the persons.
        open_command: command that opens the run as an interactive page; empty: none.
    """
    sentences = [_joints_sentence(joint_scores)]
    items: tuple[SummaryItem, ...] = ()
    if slices is None or slices.is_empty:
        sentences.append(f"Groups of {subject.many} that fail were not searched for.")
    else:
        items = _slice_items(slices, answers, subject, open_command)
        none = f"No group of {subject.many} was found that fails more than the others."
        found = f"It fails more often on these {subject.many}, found by misses (tested on other pictures):"
        sentences.append(found if items else none)
    text = " ".join(filter(None, sentences))
    return SummaryBlock(
        "Where it fails", "analysis-failure-slices" if items else "errors", "More on errors", text, items=items, wide=bool(items)
    )


def _joints_sentence(joint_scores: pd.DataFrame | None) -> str:
    if joint_scores is None:
        return ""
    ranked = joint_scores[joint_scores["visibility"] == "all"].dropna(subset=["pck_thesis"]).sort_values("pck_thesis")
    if len(ranked) < 2:
        return ""
    worst, best = ranked.iloc[0], ranked.iloc[-1]
    hard, easy = (in_words(str(row["joint"])) for row in (worst, best))
    return (
        f"Hardest joint: {hard} ({count_of_hundred(worst['pck_thesis'])} of 100); easiest: {easy} "
        f"({count_of_hundred(best['pck_thesis'])})."
    )


def _slice_items(
    slices: AnalysisResult, answers: Mapping[str, FindingRecord], subject: SubjectWords, open_command: str
) -> tuple[SummaryItem, ...]:
    table = slices.tables.get("failure_slices", pd.DataFrame())
    shown = {name for name, answer in answers.items() if answer.verdict == "supported"}
    rows = [row for row in table.to_dict("records") if f"failure_slices.slice-{row['slice']}" in shown]
    return tuple(_slice_item(slices, row, subject, open_command) for row in rows[:_SLICES])


def _slice_item(slices: AnalysisResult, row: Mapping[Any, Any], subject: SubjectWords, open_command: str) -> SummaryItem:
    explained = row.get("explanation", row.get("explained_by"))
    because = f", explained by the {in_plain_words(explained)}" if isinstance(explained, str) and explained else ""
    share = f"; {100 * row['share_of_error']:.0f} % of misses" if row.get("share_of_error", 0) > 0 else ""
    scales = tuple(
        Scale(label, float(row[f"pck_{side}"]), row.get(f"pck_{side}_low"), row.get(f"pck_{side}_high"))
        for label, side in (("these", "inside"), ("all others", "outside"))
    )
    name = f"slice_{row['slice']}"
    image = slices.images.get(name)
    figures = () if image is None else (SummaryFigure(image, "", f"{subject.many} of this group", ("failure_slices", name)),)
    below = " (below)" if "component" in str(row["words"]) else ""
    title = subject.adapt(in_plain_words(f"{subject.many} {row['words']}")) + below
    return SummaryItem(
        f"{title[:1].upper()}{title[1:]}",
        f"{int(row['persons']):,} {subject.many}{share}{because}.",
        scales,
        figures,
        command=f"{open_command} --slice slice-{row['slice']}" if open_command else "",
        command_title=f"Look at these {subject.many}",
    )


def describe_certainty(coverage: pd.DataFrame | None) -> SummaryBlock:
    """Return the block on the radius at the main level.

    Args:
        coverage: table `uncertainty_coverage`. None: no result.
    """
    heading, chapter, link = "How sure it is", "uncertainty", "More on uncertainty"
    table = pd.DataFrame(columns=["joint", "main", "radius_px"]) if coverage is None else coverage
    rows = table[table["main"].astype(bool) & table["radius_px"].notna()]
    every, joints = rows[rows["joint"] == "all"], rows[rows["joint"] != "all"]
    if every.empty or joints.empty or math.isnan(every["coverage"].iloc[0]):
        return SummaryBlock(heading, chapter, link, "Not known: no circle was fitted for the joints of this model.")
    ranked = joints.sort_values("radius_fraction")["joint"]
    small, large = (in_words(str(name)) for name in (ranked.iloc[0], ranked.iloc[-1]))
    text = (
        f"Each joint comes with a circle that should hold the true place {10 * every['level'].iloc[0]:g} times in 10. Tested, "
        f"{count_of_hundred(every['coverage'].iloc[0])} of 100 circles did. Smallest circle: {small}; largest: {large}."
    )
    return SummaryBlock(heading, chapter, link, text)

"""Findings of failure slices: one per claimed slice; if none is claimed, one open question."""

from collections.abc import Sequence

import numpy as np

from posescope.explainability.answers import Answer, Question
from posescope.explainability.failure_slices.slice_judgement import JudgedSlice
from posescope.explainability.failure_slices.slice_words import PROPERTY_WORDS, RuleWords
from posescope.explainability.findings import Finding, control_of

__all__ = ["slice_findings", "title"]

_CHANCE = "the largest gap that the same search finds for so many persons when photographs exchange their PCK"


def title(words: RuleWords) -> str:
    """Return the name of a slice: "persons" and its phrase."""
    return f"persons {words.short}"


def slice_findings(slices: Sequence[JudgedSlice], words: Sequence[RuleWords], judged: int) -> tuple[Finding, ...]:
    """Return a finding per claimed slice.

    Args:
        slices, words: the slices and their words.
        judged: number of judged persons.
    """
    claimed = [
        _finding(number, one, text, judged)
        for number, (one, text) in enumerate(zip(slices, words, strict=True), start=1)
        if one.is_claimed
    ]
    if claimed or not slices:
        return tuple(claimed)
    # Nothing is claimed: the best rule is an open question.
    return (_finding(1, slices[0], words[0], judged),)


def _finding(number: int, one: JudgedSlice, words: RuleWords, judged: int) -> Finding:
    name = title(words)
    question = Question(
        id=f"slice-{number}",
        text=f"Does the network fail more often on {name}?",
        yes=_statement(one, name),
        unclear=f"It is open whether the network fails more often on {name}: a search finds such a difference by chance, too.",
    )
    supported = one.is_claimed and one.gap.low > 0
    return question.to_finding(
        Answer("supported" if supported else "inconclusive", one.p_value),
        one.gap,
        "PCK",
        control_of(_CHANCE, one.chance),
        picture=f"slice_{number}" if one.is_claimed else None,
        importance=max(one.gap.estimate, 0.0) * one.persons / judged if supported else 0.0,
        detail=_detail(one, words),
    )


def _statement(one: JudgedSlice, name: str) -> str:
    text = f"On {name} the share of joints found (PCK) is {one.gap.estimate:.2f} lower than on all others"
    if one.explained_by:
        text += f", but hardly lower among persons with the same {PROPERTY_WORDS.get(one.explained_by, one.explained_by)}"
    return f"{text}."


def _detail(one: JudgedSlice, words: RuleWords) -> str:
    share = "" if np.isnan(one.share_of_error) else f"; they hold {one.share_of_error:.0%} of all missed joints"
    text = (
        f"Rule: {words.exact}: {one.persons} persons in {one.photographs} photographs, PCK {one.inside:.2f}, others "
        f"{one.outside:.2f}{share}."
    )
    adjusted = one.adjusted.get(one.explained_by or "several")
    if adjusted is None or not adjusted.is_known:
        return text
    same = PROPERTY_WORDS.get(one.explained_by or "several", one.explained_by)
    return f"{text} Among persons with the same {same} the gap is {adjusted:.2f}."

"""Findings, facts, note and captions of the analysis `skip_ablation`.

    skips or bottleneck    PCK falls more with another person's skips         control: with another person's bottleneck
    face                   the face loses a larger fraction of its joints     control: the same number of random joints
    every skip needed      PCK falls without each of them                     control: the most important one

The findings use the mode `shuffled`, or `mean` if the persons cannot be shuffled between photographs.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.answers import Answer, Question, answer_more, need_also
from posescope.explainability.base import Facts
from posescope.explainability.findings import Control, Finding, control_of, p_from_interval
from posescope.explainability.skip_ablation.ablation import (
    ALL,
    BOTTLENECK,
    EVERYTHING,
    INTACT,
    OWN,
    Ablation,
    words_of_layer,
)

__all__ = ["FACE", "caption_results", "describe", "facts_of", "findings_of"]

FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_WORDS = {"zero": "set to zero", "mean": "set to their mean", "shuffled": "replaced by those of another person"}
_OF = {"mean": "the average person", "shuffled": "another person"}
_PICTURE = "skip_ablation"
_RANDOM_SETS = 4999
_FACE_MARGIN = 0.05  # a difference of relative losses up to this size counts as none

_CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        _PICTURE: "Loss of PCK of each joint when the network gets values of another person through a skip connection (a path "
        "that carries fine detail past {middle}), through {middle}, or through both. Red: more joints are wrong.",
        "skip_ablation_levels": "PCK over all joints under each change. 'own' replaces the activations by the same person's own, "
        "which must change nothing: a check of the software.",
        "skip_ablation_hits": "Which joints of each person are correct under each change: 1 correct, 0 wrong, - unlabelled, in "
        "the model's order of joints.",
        "skip_ablation_partners": "The other person whose activations each person gets in the mode 'shuffled'.",
    }
)


def caption_results(ablation: Ablation) -> dict[str, str]:
    """Return a caption for the image and the tables."""
    return {name: text.format(middle=ablation.middle) for name, text in _CAPTIONS.items()}


def facts_of(ablation: Ablation, persons: int) -> Facts:
    """Collect numbers by name.

    Args:
        ablation: the hits.
        persons: number of persons.
    """
    most = ablation.by_drop()[0]
    worst = _worst_joint(ablation)
    facts: Facts = {
        "skips": len(ablation.layers),
        "persons": persons,
        "pck_intact": ablation.pck(*INTACT).estimate,
        "pck_all_zero": ablation.pck(ALL, "zero").estimate,
        "pck_all_mean": ablation.pck(ALL, "mean").estimate,
        "pck_all_shuffled": ablation.pck(ALL, "shuffled").estimate if ablation.mode == "shuffled" else None,
        "drop_own": ablation.drop(*OWN).estimate,
        "findings_mode": ablation.mode,
        **ablation.drop(ALL, ablation.mode).columns("all_drop"),
        "most_used_skip": most,
        **ablation.drop(most, ablation.mode).columns("most_used_skip_drop"),
        "idle_skips": ", ".join(ablation.idle()) or None,
        "worst_joint": worst[0],
        "worst_joint_drop": worst[1],
    }
    for level in (BOTTLENECK, EVERYTHING):
        known = (level, ablation.mode) in ablation.hits
        facts[f"pck_{level}_{ablation.mode}"] = ablation.pck(level, ablation.mode).estimate if known else None
    return facts


def describe(ablation: Ablation, persons: int) -> str:
    """Summarise the ablation in one paragraph.

    Args:
        ablation, persons: see `facts_of`.
    """
    most = ablation.by_drop()[0]
    drop, worst = ablation.drop(most, ablation.mode), _worst_joint(ablation)
    modes = [f"{ablation.pck(ALL, mode).estimate:.3f} with them {_WORDS[mode]}" for mode in ablation.modes]
    text = (
        f"On {persons} persons the intact network reaches a PCK of {ablation.pck(*INTACT).estimate:.3f}. When the activations of "
        f"all {len(ablation.layers)} skip connections are changed, PCK is {', '.join(modes)}. "
    )
    if ablation.mode != "shuffled":
        text += "More than half of the persons share one image, so activations could not be exchanged between images. "
    name = words_of_layer(most, ablation.layers)
    if drop.low <= 0:
        return text + f"No single skip connection matters significantly: the largest drop is {drop:.3f}, of {name}."
    idle = [words_of_layer(layer, ablation.layers) for layer in ablation.idle()]
    if idle:
        text += f"Redundant: {', '.join(idle)}. "
    joint = worst[0].replace("_", " ")
    text += (
        f"The most important one is {name}: with its activations {_WORDS[ablation.mode]}, PCK drops by {drop:.3f}"
        f"{_rival_words(ablation)}. With the activations of all skip connections {_WORDS[ablation.mode]}, the PCK of the {joint} "
        f"drops most, by {worst[1]:.3f}. "
    )
    return text + "The network was not retrained, so this shows what it relies on, not what it could learn to do without."


def findings_of(ablation: Ablation, seed: int) -> tuple[Finding, ...]:
    """Return the findings. Their `importance` is 0, because an ablation does not measure errors of the unmodified network.

    Args:
        ablation: the hits.
        seed: random seed of the random sets of joints.
    """
    return (*_ask_skips_or_bottleneck(ablation), *_ask_face(ablation, seed), _ask_every_skip_needed(ablation))


def _ask_skips_or_bottleneck(ablation: Ablation) -> Iterator[Finding]:
    """Ask whether the skip connections carry more of what tells persons apart; no finding without a bottleneck."""
    mode = ablation.mode
    if (BOTTLENECK, mode) not in ablation.hits:
        return
    skips, bottleneck = ablation.drop(ALL, mode), ablation.drop(BOTTLENECK, mode)
    answer = answer_more(ablation.scores.drop(ablation.hits[BOTTLENECK, mode], ablation.hits[ALL, mode]), ablation.tolerance)
    falls = f"With the skip connections of {_OF[mode]} the PCK {_change(skips)}"
    than = f"with {ablation.middle} of {_OF[mode]}"
    no = "less than" if skips.estimate < bottleneck.estimate - ablation.tolerance else "no more than"
    question = Question(
        id="skips-carry-more-than-bottleneck",
        text=f"Do the skip connections carry more of what distinguishes persons than {ablation.middle} does?",
        yes=f"{falls}, more than {than}.",
        no=f"{falls}, {no} {than}.",
        unclear=f"{falls}, which is not clearly more or less than {than}.",
    )
    yield question.to_finding(
        answer,
        skips,
        "drop of PCK",
        control_of(f"PCK drop {than}", bottleneck),
        picture=_PICTURE,
        detail=f"The PCK is {ablation.pck(*INTACT).estimate:.3f} in the unchanged network and {_floor_words(ablation)} with both "
        f"of {_OF[mode]}. The network was not retrained, so this shows what it relies on.",
    )


def _floor_words(ablation: Ablation) -> str:
    known = (EVERYTHING, ablation.mode) in ablation.hits
    return f"{ablation.pck(EVERYTHING, ablation.mode).estimate:.3f}" if known else "unknown"


def _ask_face(ablation: Ablation, seed: int) -> Iterator[Finding]:
    """Ask whether the face loses a larger fraction, as in the thesis; no finding for a skeleton without it.

    A yes needs both: the difference from the other joints is above zero over photographs, and at most 5 % of random sets of
    joints differ as much. Left and right joints are drawn one by one.
    """
    face = [index for index, joint in enumerate(ablation.joints) if joint in FACE]
    others = [index for index in range(len(ablation.joints)) if index not in face]
    reference, hits = ablation.hits[INTACT], ablation.hits[ALL, ablation.mode]
    contrast = ablation.scores.relative_contrast(reference, hits, face, others)
    own, rest = (ablation.scores.relative_loss(reference, hits, group) for group in (face, others))
    if not (contrast.is_known and own.is_known):
        return
    chance, p_sets = _random_sets(ablation, face, contrast.estimate, seed)
    answer = need_also(answer_more(contrast, _FACE_MARGIN), p_sets)
    loses = f"With the skip connections of {_OF[ablation.mode]} the network loses {own.estimate:z.0%} of the face joints it found"
    no = "less than" if contrast.high < 0 else "no larger a part than"
    question = Question(
        id="face-depends-on-skips",
        text="Do the joints of the face depend on the skip connections more than other joints do?",
        yes=f"{loses}, more than of the other joints.",
        no=f"{loses}, {no} of the other joints.",
        unclear=f"{loses}, which is not clearly more than of the other joints.",
    )
    yield question.to_finding(
        answer,
        own,
        "fraction of the correct joints",
        chance,
        picture=_PICTURE,
        detail=f"The other joints lose {rest.estimate:z.0%}; the difference is {contrast.estimate:+.2f}. Losses are fractions of "
        "the joints that the unchanged network finds, since joints that are often found have more to lose.",
    )


def _random_sets(ablation: Ablation, face: Sequence[int], contrast: float, seed: int) -> tuple[Control, float]:
    """Return the relative loss of random sets of joints, and the fraction of them whose contrast is at least the given one."""
    before, lost = _losses(ablation)
    known = np.flatnonzero(before > 0)
    count = int(np.isin(known, list(face)).sum())
    orders = np.random.default_rng(seed).permuted(np.tile(known, (_RANDOM_SETS, 1)), axis=1)
    inside, outside = (lost[part].sum(axis=1) / before[part].sum(axis=1) for part in (orders[:, :count], orders[:, count:]))
    low, high = np.quantile(inside, [0.025, 0.975])
    what = f"{count} random joints (range: 95 % of {_RANDOM_SETS:,} sets)"
    p = (1 + int((inside - outside >= contrast - 1e-12).sum())) / (1 + _RANDOM_SETS)
    return Control(what, float(inside.mean()), float(low), float(high)), p


def _losses(ablation: Ablation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (K,) numbers of correct joints of the intact network, and of those that are lost."""
    after = ablation.scores.correct_by_joint(ablation.hits[ALL, ablation.mode])
    before = ablation.scores.correct_by_joint(ablation.hits[INTACT])
    return before, before - after


def _ask_every_skip_needed(ablation: Ablation) -> Finding:
    """Ask whether the PCK falls without each skip connection: the least certain drop decides (intersection-union test)."""
    mode, order, idle = ablation.mode, ablation.by_drop(), ablation.idle()
    drops = {layer: ablation.drop(layer, mode) for layer in order}
    least = max(order, key=lambda layer: p_from_interval(drops[layer]) if drops[layer].estimate > 0 else 2.0)
    answer = answer_more(drops[least])
    if answer.verdict == "refuted":  # a PCK that rises is no proof that a skip connection is not needed
        answer = Answer("inconclusive", answer.p_value)
    if idle:
        least, answer = _most_certainly_idle(ablation, idle)
    name, drop = words_of_layer(least, ablation.layers), drops[least]
    falls = f"the PCK {_change(drop)} with that of {_OF[mode]}"
    every = f"every one of its {len(order)} skip connections" if len(order) > 1 else "its skip connection"
    question = Question(
        id="every-skip-is-needed",
        text=f"Does the network need {every}?",
        yes=f"Every skip connection is needed, even {name}: {falls}.",
        no=f"{name[0].upper()}{name[1:]} is not needed: {falls}.",
        unclear=f"It is not clear whether every skip connection is needed: for {name} {falls}.",
    )
    most = ablation.drop(order[0], mode)
    return question.to_finding(
        answer,
        drop,
        "drop of PCK",
        control_of(f"PCK drop for the most important one, {words_of_layer(order[0], ablation.layers)}", most),
        picture=_PICTURE,
        detail=f"A skip connection is not needed if its drop lies within {ablation.tolerance:g} with other values of every kind.",
    )


def _most_certainly_idle(ablation: Ablation, idle: Sequence[str]) -> tuple[str, Answer]:
    """Return the idle skip connection with the smallest p-value of equivalence in all modes, corrected for their number."""
    limits = (-ablation.tolerance, ablation.tolerance)
    values = {
        layer: max(p_from_interval(ablation.drop(layer, mode), limit) for mode in ablation.modes for limit in limits)
        for layer in idle
    }
    least = min(values, key=lambda layer: values[layer])
    p = min(1.0, values[least] * len(ablation.layers))
    return least, Answer("refuted" if p <= 0.05 else "inconclusive", p)


def _rival_words(ablation: Ablation) -> str:
    order = ablation.by_drop()
    if len(order) == 1:
        return ""
    first, second = (ablation.hits[layer, ablation.mode] for layer in order[:2])
    return (
        ""
        if ablation.scores.drop(second, first).low > 0
        else f" ({words_of_layer(order[1], ablation.layers)} may matter as much)"
    )


def _worst_joint(ablation: Ablation) -> tuple[str, float]:
    drops = [drop.estimate for drop in ablation.scores.joint_drops(ablation.hits[INTACT], ablation.hits[ALL, ablation.mode])]
    worst = int(np.nanargmax(drops))
    return ablation.joints[worst], drops[worst]


def _change(drop: Interval) -> str:
    return f"{'falls' if drop.estimate >= 0 else 'rises'} by {abs(drop.estimate):.3f}"

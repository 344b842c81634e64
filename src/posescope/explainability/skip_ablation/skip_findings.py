"""What follows from cutting skips: facts, claims with their controls, and a paragraph.

    detail    all skips of somebody else: the PCK falls                  control: everybody's own, taken out and put back
    face      small joints of the face lose more than the others         control: as many joints drawn at random
    most      one level matters most                                     control: the next level
    idle      one level does not matter                                  control: the level that matters most

The claims are made of shuffled values, which the network knows from other people; of the mean where nothing can be shuffled.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.findings import Control, Finding, control_of
from posescope.explainability.paired_pck import Hits, PairedPck

__all__ = ["ALL", "FACE", "INTACT", "OWN", "Ablation", "describe", "facts_of", "findings_of"]

ALL = "all"
INTACT = ("intact", "none")
OWN = (ALL, "own")
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_WORDS = {"zero": "switched off", "mean": "held at the mean", "shuffled": "taken from another person"}
_PICTURE = "skip_ablation"
_RANDOM_SETS = 2000


@dataclass(frozen=True)
class Ablation:
    """What was measured.

    Attributes:
        layers: of the skips, the finest first.
        joints: K names.
        hits: by level (a tap or `all`) and mode; `INTACT` and `OWN` are among them.
        scores: of the same persons.
        tolerance: a skip is idle if not more PCK than this hangs on it.
    """

    layers: tuple[str, ...]
    joints: tuple[str, ...]
    hits: Mapping[tuple[str, str], Hits]
    scores: PairedPck
    tolerance: float

    @property
    def mode(self) -> str:
        """The one that claims are made of."""
        return "shuffled" if (ALL, "shuffled") in self.hits else "mean"

    def pck(self, level: str, mode: str) -> Interval:
        """Of the persons."""
        return self.scores.pck(self.hits[level, mode])

    def drop(self, level: str, mode: str) -> Interval:
        """Against the intact network, person by person."""
        return self.scores.drop(self.hits[INTACT], self.hits[level, mode])

    def by_drop(self) -> list[str]:
        """The taps, the one that is missed most first."""
        return sorted(self.layers, key=lambda layer: -self.drop(layer, self.mode).estimate)

    def idle(self) -> list[str]:
        """The taps on which, whatever stands there, not more than the tolerance hangs for certain."""
        modes = [mode for mode in _WORDS if (ALL, mode) in self.hits]
        drops = {layer: [self.drop(layer, mode) for mode in modes] for layer in self.layers}
        return [layer for layer, own in drops.items() if all(max(-drop.low, drop.high) <= self.tolerance for drop in own)]


def facts_of(ablation: Ablation, persons: int) -> dict[str, float | int | str | None]:
    """Numbers by name."""
    most = ablation.by_drop()[0]
    drop, together = ablation.drop(most, ablation.mode), ablation.drop(ALL, ablation.mode)
    worst = _worst_joint(ablation)
    return {
        "skips": len(ablation.layers),
        "persons": persons,
        "pck_intact": ablation.pck(*INTACT).estimate,
        "pck_all_zero": ablation.pck(ALL, "zero").estimate,
        "pck_all_mean": ablation.pck(ALL, "mean").estimate,
        "pck_all_shuffled": ablation.pck(ALL, "shuffled").estimate if ablation.mode == "shuffled" else None,
        "drop_own": ablation.drop(*OWN).estimate,
        "claims_of_mode": ablation.mode,
        "all_drop": together.estimate,
        "all_drop_low": together.low,
        "all_drop_high": together.high,
        "most_used_skip": most,
        "most_used_skip_drop": drop.estimate,
        "most_used_skip_drop_low": drop.low,
        "most_used_skip_drop_high": drop.high,
        "idle_skips": ", ".join(ablation.idle()) or None,
        "worst_joint": worst[0],
        "worst_joint_drop": worst[1],
    }


def findings_of(ablation: Ablation, seed: int) -> tuple[Finding, ...]:
    """The claims; none is about the error on real data, so nothing is at stake."""
    return tuple(_findings(ablation, seed))


def describe(ablation: Ablation, persons: int) -> str:
    """One paragraph."""
    most = ablation.by_drop()[0]
    drop, worst = ablation.drop(most, ablation.mode), _worst_joint(ablation)
    modes = [f"{words} {ablation.pck(ALL, mode).estimate:.3f}" for mode, words in _WORDS.items() if (ALL, mode) in ablation.hits]
    text = (
        f"On {persons} persons the intact network reaches a PCK of {ablation.pck(*INTACT).estimate:.3f}; with all "
        f"{len(ablation.layers)} skip connections {', '.join(modes)}. "
    )
    if ablation.mode != "shuffled":
        text += "More than half of the persons share one photograph, so nothing could be taken from another one. "
    if drop.low <= 0:
        return text + f"No single skip matters for certain: the largest drop is {_drop_words(drop)}, of {most}."
    idle = ablation.idle()
    if idle:
        text += f"Nothing hangs on {', '.join(idle)}. "
    text += (
        f"Alone, {most} tells the network most: with what stands there {_WORDS[ablation.mode]}, the PCK falls by "
        f"{_drop_words(drop)}{_rival(ablation)}. Without all of them, {worst[0]} suffers most (-{worst[1]:.3f}). "
    )
    return text + "The network was not retrained: this is what it relies on, not what it could do without."


def _findings(ablation: Ablation, seed: int) -> Iterator[Finding]:
    own = control_of("everybody's own values, taken out and put back: drop", ablation.drop(*OWN))
    words, order = _WORDS[ablation.mode], ablation.by_drop()
    drops = {level: ablation.drop(level, ablation.mode) for level in (ALL, *order)}
    together, most, least = drops[ALL], drops[order[0]], drops[order[-1]]
    before, after = ablation.pck(*INTACT).estimate, ablation.pck(ALL, ablation.mode).estimate
    yield _finding(
        f"The skip connections carry what tells one person's joints from another's: with all of them {words} the PCK goes from "
        f"{before:.3f} to {after:.3f}, a drop of {_drop_words(together)}",
        together,
        own,
        passed=together.low > max(own.high or 0.0, 0.0),
    )
    yield from _face(ablation, seed)
    yield _most(ablation, order, own)
    idle = order[-1] in ablation.idle()
    otherwise = "no more in any other way of cutting it" if idle else "which is too uncertain to call it idle"
    if least.low > 0:
        otherwise = "so it is missed"
    yield _finding(
        f"A skip connection is idle: {words}, {order[-1]} costs {_drop_words(least)} of PCK, {otherwise}",
        least,
        control_of(f"{order[0]}, {words}: drop", most),
        passed=idle and most.low > 0,
    )


def _ahead(ablation: Ablation, first: str, second: str) -> Interval:
    """By how much more PCK one skip costs than another, person by person."""
    return ablation.scores.drop(ablation.hits[second, ablation.mode], ablation.hits[first, ablation.mode])


def _rival(ablation: Ablation) -> str:
    order = ablation.by_drop()
    if len(order) == 1 or _ahead(ablation, *order[:2]).low > 0:
        return ""
    return f" ({order[1]} may matter as much)"


def _most(ablation: Ablation, order: list[str], own: Control) -> Finding:
    """Whether the first of the order is for certain ahead of the second; an only skip must beat no change at all."""
    words, most = _WORDS[ablation.mode], ablation.drop(order[0], ablation.mode)
    claim = f"Of the {len(order)} skip connections {order[0]} matters most: {words}, it costs {_drop_words(most)} of PCK"
    if len(order) == 1:
        return _finding(claim, most, own, passed=most.low > 0)
    ahead = _ahead(ablation, order[0], order[1])
    claim += f", {_drop_words(ahead)} more than {order[1]}"
    control = control_of(f"the next one, {order[1]}: drop", ablation.drop(order[1], ablation.mode))
    return _finding(claim, most, control, passed=most.low > 0 and ahead.low > 0)


def _face(ablation: Ablation, seed: int) -> Iterator[Finding]:
    """Whether small joints lose more, as the study found; no claim for a skeleton without them."""
    face = [index for index, joint in enumerate(ablation.joints) if joint in FACE]
    others = [index for index in range(len(ablation.joints)) if index not in face]
    reference, hits = ablation.hits[INTACT], ablation.hits[ALL, ablation.mode]
    if not face or not others:
        return
    contrast = ablation.scores.contrast(reference, hits, face, others)
    if not np.isfinite(contrast.estimate) or not np.isfinite(contrast.low):
        return
    chance = _of_random_joints(ablation.scores, reference, hits, face, seed)
    yield _finding(
        f"The skip connections matter most for small joints: with all of them {_WORDS[ablation.mode]}, nose, eyes and ears lose "
        f"{contrast.estimate:+.3f} [{contrast.low:+.3f}, {contrast.high:+.3f}] more than the other joints",
        contrast, chance, passed=contrast.low > 0 and contrast.estimate > (chance.high or 0.0),
    )  # fmt: skip


def _of_random_joints(scores: PairedPck, reference: Hits, hits: Hits, face: list[int], seed: int) -> Control:
    """The same contrast for as many joints as the face has, drawn at random: mean and 95 % of the draws."""
    drops = scores.joint_pck(reference) - scores.joint_pck(hits)
    count = int((~np.isnan(drops[face])).sum())
    drops = drops[~np.isnan(drops)]
    rng, found = np.random.default_rng(seed), []
    for _ in range(_RANDOM_SETS):
        order = rng.permutation(len(drops))
        found.append(drops[order[:count]].mean() - drops[order[count:]].mean())
    low, high = np.quantile(found, [0.025, 0.975])
    return Control(f"{count} joints drawn at random", float(np.mean(found)), float(low), float(high))


def _worst_joint(ablation: Ablation) -> tuple[str, float]:
    drops = [drop.estimate for drop in ablation.scores.joint_drops(ablation.hits[INTACT], ablation.hits[ALL, ablation.mode])]
    worst = int(np.nanargmax(drops))
    return ablation.joints[worst], drops[worst]


def _finding(claim: str, value: Interval, control: Control, *, passed: bool) -> Finding:
    return Finding(f"{claim}.", value.estimate, value.low, value.high, control, bool(passed), _PICTURE)


def _drop_words(drop: Interval) -> str:
    return f"{drop.estimate:.3f} [{drop.low:.3f}, {drop.high:.3f}]"

"""Findings, facts and note of the analysis `skip_ablation`.

    all skips matter       PCK falls if all skip connections are replaced     control: each person's own activations
    face joints matter     PCK of the face drops more than of the others      control: the same number of random joints
    most important skip    one skip connection matters most                   control: the next one
    redundant skip         one skip connection does not matter                control: the most important one

The findings use the mode `shuffled`, or `mean` if the persons cannot be shuffled between images.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.base import Facts
from posescope.explainability.findings import Control, Finding, control_of, finding_from_claim
from posescope.explainability.paired_pck import Hits, PairedPck

__all__ = ["ALL", "FACE", "INTACT", "OWN", "Ablation", "describe", "facts_of", "findings_of"]

ALL = "all"
INTACT = ("intact", "none")
OWN = (ALL, "own")
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_WORDS = {"zero": "set to zero", "mean": "set to their mean", "shuffled": "replaced by those of another person"}
_SHOWN_IN = "skip_ablation"
_RANDOM_SETS = 2000


@dataclass(frozen=True)
class Ablation:
    """Correct joints of the same persons under each ablation.

    Attributes:
        layers: the skip connections, finest first.
        joints: K names.
        hits: (n, K) of correct joints by level (a layer or `all`) and mode, including the keys `INTACT` and `OWN`.
        scores: computes PCK of these persons.
        tolerance: largest drop of PCK at which a skip connection counts as redundant.
    """

    layers: tuple[str, ...]
    joints: tuple[str, ...]
    hits: Mapping[tuple[str, str], Hits]
    scores: PairedPck
    tolerance: float

    @property
    def mode(self) -> str:
        """Mode that the findings use."""
        return "shuffled" if (ALL, "shuffled") in self.hits else "mean"

    def pck(self, level: str, mode: str) -> Interval:
        """Return the PCK under an ablation.

        Args:
            level, mode: a key of `hits`.
        """
        return self.scores.pck(self.hits[level, mode])

    def drop(self, level: str, mode: str) -> Interval:
        """Return the paired drop of PCK from the intact network.

        Args:
            level, mode: a key of `hits`.
        """
        return self.scores.drop(self.hits[INTACT], self.hits[level, mode])

    def by_drop(self) -> list[str]:
        """List the skip connections by their drop of PCK, largest first."""
        return sorted(self.layers, key=lambda layer: -self.drop(layer, self.mode).estimate)

    def idle(self) -> list[str]:
        """List the skip connections whose drop of PCK is within the tolerance in every mode, with its whole interval."""
        modes = [mode for mode in _WORDS if (ALL, mode) in self.hits]
        drops = {layer: [self.drop(layer, mode) for mode in modes] for layer in self.layers}
        return [layer for layer, own in drops.items() if all(max(-drop.low, drop.high) <= self.tolerance for drop in own)]


def facts_of(ablation: Ablation, persons: int) -> Facts:
    """Collect numbers by name.

    Args:
        ablation: the hits.
        persons: number of persons.
    """
    most = ablation.by_drop()[0]
    worst = _worst_joint(ablation)
    return {
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


def describe(ablation: Ablation, persons: int) -> str:
    """Summarise the ablation in one paragraph.

    Args:
        ablation, persons: see `facts_of`.
    """
    most = ablation.by_drop()[0]
    drop, worst = ablation.drop(most, ablation.mode), _worst_joint(ablation)
    modes = [
        f"{ablation.pck(ALL, mode).estimate:.3f} with them {words}"
        for mode, words in _WORDS.items()
        if (ALL, mode) in ablation.hits
    ]
    text = (
        f"On {persons} persons the intact network reaches a PCK of {ablation.pck(*INTACT).estimate:.3f}. When the activations of "
        f"all {len(ablation.layers)} skip connections are changed, PCK is {', '.join(modes)}. "
    )
    if ablation.mode != "shuffled":
        text += "More than half of the persons share one image, so activations could not be shuffled between images. "
    if drop.low <= 0:
        return text + f"No single skip connection matters significantly: the largest drop is {drop:.3f}, of {most}."
    idle = ablation.idle()
    if idle:
        text += f"Redundant skip connections: {', '.join(idle)}. "
    text += (
        f"The most important one is {most}: with its activations {_WORDS[ablation.mode]}, PCK drops by {drop:.3f}"
        f"{_rival_words(ablation)}. With the activations of all skip connections {_WORDS[ablation.mode]}, the PCK of {worst[0]} "
        f"drops most, by {worst[1]:.3f}. "
    )
    return text + "The network was not retrained, so this shows what it relies on, not what it could learn to do without."


def findings_of(ablation: Ablation, seed: int) -> tuple[Finding, ...]:
    """Return the findings. None has a `importance`, because an ablation does not measure errors of the unmodified network.

    Args:
        ablation: the hits.
        seed: random seed of the random joints.
    """
    own = control_of("sanity check, PCK drop with activations replaced by the same person's own", ablation.drop(*OWN))
    words, order = _WORDS[ablation.mode], ablation.by_drop()
    drops = {level: ablation.drop(level, ablation.mode) for level in (ALL, *order)}
    together, most = drops[ALL], drops[order[0]]
    before, after = ablation.pck(*INTACT).estimate, ablation.pck(ALL, ablation.mode).estimate
    passed = together.low > max(own.high or 0.0, 0.0)
    verdict = "depends" if passed else "does not measurably depend"
    claim = (
        f"The prediction {verdict} on the skip connections: with the activations of all of them {words}, PCK changes from "
        f"{before:.3f} to {after:.3f}, a drop of {together:.3f}"
    )
    redundant = order[-1] in ablation.idle() and most.low > 0
    most_important = control_of(f"the PCK drop for {order[0]}, activations {words}", most)
    return (
        _finding(claim, together, own, passed=passed),
        *_claim_small_joints(ablation, seed),
        _claim_most_important(ablation, order, own),
        _finding(_redundancy_words(ablation, order, drops), drops[order[-1]], most_important, passed=redundant),
    )


def _redundancy_words(ablation: Ablation, order: list[str], drops: Mapping[str, Interval]) -> str:
    """State whether the skip connection with the smallest drop is redundant."""
    last, words = order[-1], _WORDS[ablation.mode]
    measured = f"with the activations of {last} {words}, PCK drops by {drops[last]:.3f}"
    if last in ablation.idle() and drops[order[0]].low > 0:
        return f"{last} is redundant: {measured}, and the drop is within {ablation.tolerance:g} in every mode"
    if last in ablation.idle():
        return f"No skip connection is shown to be redundant: {measured}, but no other one has a significant effect either"
    if all(drops[layer].low > ablation.tolerance for layer in order):
        return f"A redundant skip connection was not found: {measured}, the smallest drop of the {len(order)}"
    return f"No skip connection is shown to be redundant: {measured}, and a drop above {ablation.tolerance:g} is not excluded"


def _ahead(ablation: Ablation, first: str, second: str) -> Interval:
    """Return the paired difference of the drops of two skip connections."""
    return ablation.scores.drop(ablation.hits[second, ablation.mode], ablation.hits[first, ablation.mode])


def _rival_words(ablation: Ablation) -> str:
    order = ablation.by_drop()
    if len(order) == 1 or _ahead(ablation, *order[:2]).low > 0:
        return ""
    return f" ({order[1]} may matter as much)"


def _claim_most_important(ablation: Ablation, order: list[str], own: Control) -> Finding:
    """Test whether the first skip connection loses more than the second; a single one must lose more than nothing."""
    words, most = _WORDS[ablation.mode], ablation.drop(order[0], ablation.mode)
    measured = f"with its activations {words}, PCK drops by {most:.3f}"
    if len(order) == 1:
        verdict = "matters" if most.low > 0 else "does not matter significantly"
        return _finding(f"The only skip connection, {order[0]}, {verdict}: {measured}", most, own, passed=most.low > 0)
    ahead = _ahead(ablation, order[0], order[1])
    passed = most.low > 0 and ahead.low > 0
    verdict = "matters most" if passed else "is not significantly more important than the others"
    claim = f"Of the {len(order)} skip connections, {order[0]} {verdict}: {measured}; the difference to {order[1]} is {ahead:.3f}"
    control = control_of(f"the PCK drop for the next connection, {order[1]}", ablation.drop(order[1], ablation.mode))
    return _finding(claim, most, control, passed=passed)


def _claim_small_joints(ablation: Ablation, seed: int) -> Iterator[Finding]:
    """Test whether the PCK of the face drops more, as in the thesis; no finding for a skeleton without them."""
    face = [index for index, joint in enumerate(ablation.joints) if joint in FACE]
    others = [index for index in range(len(ablation.joints)) if index not in face]
    reference, hits = ablation.hits[INTACT], ablation.hits[ALL, ablation.mode]
    if not face or not others:
        return
    contrast = ablation.scores.contrast(reference, hits, face, others)
    if not contrast.is_known:
        return
    chance = _random_joints_control(ablation.scores, reference, hits, face, seed)
    passed = contrast.low > 0 and contrast.estimate > (chance.high or 0.0)
    verdict = "matter most" if passed else "do not matter significantly more"
    yield _finding(
        f"The skip connections {verdict} for the joints of the face: with the activations of all of them "
        f"{_WORDS[ablation.mode]}, the PCK drop of nose, eyes and ears minus that of the other joints is "
        f"{contrast:+.3f}",
        contrast, chance, passed=passed,
    )  # fmt: skip


def _random_joints_control(scores: PairedPck, reference: Hits, hits: Hits, face: list[int], seed: int) -> Control:
    """Compute the same contrast for random joints, as many as the face has: mean and 95 % range of the draws."""
    drops = scores.joint_pck(reference) - scores.joint_pck(hits)
    count = int((~np.isnan(drops[face])).sum())
    drops = drops[~np.isnan(drops)]
    rng, found = np.random.default_rng(seed), []
    for _ in range(_RANDOM_SETS):
        order = rng.permutation(len(drops))
        found.append(drops[order[:count]].mean() - drops[order[count:]].mean())
    low, high = np.quantile(found, [0.025, 0.975])
    return Control(f"{count} random joints", float(np.mean(found)), float(low), float(high))


def _worst_joint(ablation: Ablation) -> tuple[str, float]:
    drops = [drop.estimate for drop in ablation.scores.joint_drops(ablation.hits[INTACT], ablation.hits[ALL, ablation.mode])]
    worst = int(np.nanargmax(drops))
    return ablation.joints[worst], drops[worst]


def _finding(claim: str, value: Interval, control: Control, *, passed: bool) -> Finding:
    return finding_from_claim(f"{claim}.", value, control, passed=passed, picture=_SHOWN_IN)

"""How much better each annotation fits if it has one of three errors: a displaced joint, a swapped pair, or a mirrored person.

    displaced   one joint lies elsewhere
    swapped     left and right of one pair of joints are exchanged
    mirrored    left and right of all pairs are exchanged

Two witnesses judge each annotation: the network (the height of its heatmap at the annotated joint, compared with the peak or with
the place of the mirrored joint) and what is expected from similar persons and the rest of the body. How much each of them counts is
learned from errors that are planted in copies of the annotations themselves: every pair swapped, every person mirrored, and every
joint displaced by 10 to 30 % of the crop's side in a random direction, so a joint that is always imprecise needs more evidence.
A logistic regression then gives the logarithm of how much more probable the evidence is with the error than without. The three
kinds count as equally probable, and within a kind all joints or pairs of a person.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from posescope.explainability.label_errors.annotated_poses import AnnotatedPoses, Doubles
from posescope.explainability.label_errors.expected_poses import ExpectedPoses, expect_poses

__all__ = ["KINDS", "HeatmapReader", "Suspicions", "find_suspicions"]

KINDS = ("displaced", "swapped", "mirrored")
HeatmapReader = Callable[[Doubles], Doubles]  # (M, N, K, 2) places in fractions of the crop -> (M, N, K) heights of the heatmaps

_DISPLACEMENTS = (0.1, 0.3)  # of the planted errors, in crop sides
_PRIOR = 0.01  # share of wrong joints for which the regression is fitted; the score does not contain it
_LEAST_CASES = 20  # annotations from which the weights of the evidence can be learned
_LEAST_PAIRS = 3  # of a mirrored person: fewer are swapped pairs
_SMALLEST_SPREAD = 1e-3  # fraction of the crop's side


@dataclass(frozen=True)
class Suspicions:
    """Scores of the three kinds of errors for N persons: natural logarithms of likelihood ratios, minus infinity where the error is
    impossible or cannot be judged.

    Attributes:
        displaced: (N, K).
        swapped: (N, Q).
        mirrored: (N,).
        contradicted_joint: (N, K) the network's part of `displaced`.
        contradicted_pair: (N, Q) the network's part of `swapped`.
        expected: what similar persons and the rest of the body let expect.
    """

    displaced: Doubles
    swapped: Doubles
    mirrored: Doubles
    contradicted_joint: Doubles
    contradicted_pair: Doubles
    expected: ExpectedPoses

    @property
    def by_kind(self) -> Doubles:
        """(N, 3) the largest score of each kind, in the order of `KINDS`, with equal prior probability of the kinds."""
        columns = [_largest(self.displaced), _largest(self.swapped), self.mirrored]
        return np.stack(columns, axis=1)

    @property
    def person_scores(self) -> Doubles:
        """(N,) the largest score of each person."""
        return np.asarray(self.by_kind.max(axis=1))


def find_suspicions(poses: AnnotatedPoses, read_heatmaps: HeatmapReader, neighbours: int = 15, seed: int = 0) -> Suspicions:
    """Score all annotations.

    Args:
        poses: N persons.
        read_heatmaps: returns the heights of the network's heatmaps at given places.
        neighbours: number of neighbours in feature space.
        seed: random seed of the folds and of the planted displacements.
    """
    expected = expect_poses(poses, neighbours, seed)
    own, moved, mirrored = poses.completed, _displace(poses, seed), _mirror(poses)
    heights = _relative_heights(poses, read_heatmaps(np.stack([own, moved, mirrored])))
    displaced, contradicted = _score_displaced(poses, expected, moved, heights)
    gain = (heights[2] - heights[0])[:, poses.pairs].sum(axis=2)
    swapped = _score_exchange(_evidence(poses, expected.offsets), gain, poses.labelled_pairs)
    return Suspicions(
        displaced=displaced,
        swapped=swapped,
        mirrored=_score_mirrored(_evidence(poses, expected.offsets_of_neighbours), gain, poses.labelled_pairs),
        contradicted_joint=contradicted,
        contradicted_pair=np.where(poses.labelled_pairs, gain, -np.inf),
        expected=expected,
    )


def _largest(scores: Doubles) -> Doubles:
    """Return the (N,) largest of (N, M) scores, less the logarithm of the number of possible ones."""
    possible = np.isfinite(scores).sum(axis=1)
    return np.asarray(scores.max(axis=1, initial=-np.inf) - np.log(np.maximum(possible, 1)))


def _displace(poses: AnnotatedPoses, seed: int) -> Doubles:
    rng = np.random.default_rng(seed)
    angles, lengths = rng.uniform(0, 2 * np.pi, poses.scores.shape), rng.uniform(*_DISPLACEMENTS, poses.scores.shape)
    steps = lengths[..., None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return np.asarray(poses.completed + steps)


def _mirror(poses: AnnotatedPoses) -> Doubles:
    mirrored = poses.completed
    mirrored[:, poses.pairs] = mirrored[:, poses.pairs[:, ::-1]]
    return mirrored


def _relative_heights(poses: AnnotatedPoses, heights: Doubles) -> Doubles:
    """Divide by the typical peak of each joint: codecs differ in the height of their peaks."""
    typical = np.median(poses.scores, axis=0) if len(poses) else np.ones(poses.scores.shape[1])
    return np.asarray(heights / np.maximum(typical, 1e-9))


def _score_displaced(poses: AnnotatedPoses, expected: ExpectedPoses, moved: Doubles, heights: Doubles) -> tuple[Doubles, Doubles]:
    """Return (N, K) scores, and the network's part of them."""
    labelled = poses.labelled
    if labelled.sum() < _LEAST_CASES:
        return (np.full(labelled.shape, -np.inf),) * 2
    peaks = _relative_heights(poses, poses.scores)
    spread = np.nanmedian(np.where(labelled, _distance(poses.annotated, expected.joints), np.nan), axis=0)
    spread = np.maximum(np.nan_to_num(spread, nan=1.0), _SMALLEST_SPREAD)

    def evidence(places: Doubles, height: Doubles) -> Doubles:
        unexpected = np.log(_distance(places, expected.joints) / spread + 0.1)
        share = 1 - np.clip(height / np.maximum(peaks, 1e-9), 0, 1)
        return np.stack([unexpected, share, peaks - height], axis=-1)

    real, planted = evidence(poses.completed, heights[0])[labelled], evidence(moved, heights[1])[labelled]
    centre, scale = real.mean(axis=0), np.maximum(real.std(axis=0), 1e-9)
    model = LogisticRegression(max_iter=500)
    cases = (np.concatenate([real, planted]) - centre) / scale
    truth = np.repeat([0, 1], len(real))
    model.fit(cases, truth, sample_weight=np.where(truth == 1, _PRIOR, 1 - _PRIOR) * 2)
    terms = cases[: len(real)] * model.coef_[0]
    scores, network = np.full(labelled.shape, -np.inf), np.full(labelled.shape, -np.inf)
    scores[labelled] = terms.sum(axis=1) + model.intercept_[0] - np.log(_PRIOR / (1 - _PRIOR))
    network[labelled] = terms[:, 1:].sum(axis=1)
    return scores, network


def _distance(places: Doubles, others: Doubles) -> Doubles:
    return np.asarray(np.linalg.norm(places - others, axis=-1))


def _evidence(poses: AnnotatedPoses, expected: Doubles) -> Doubles:
    """Return (N, Q) evidence that a pair is swapped: above 0 if the annotated offset is opposite to the expected one.

    For normal errors of the expectation with variance v, the logarithm of the likelihood ratio is -2 offset * expected / v. Its
    logarithm is taken, with its sign, since errors have heavier tails.
    """
    offsets, usable = poses.offsets(poses.completed), poses.labelled_pairs
    errors = np.where(usable[..., None], np.abs(offsets - expected), np.nan)
    spread = np.full(errors.shape[1:], 1.0)
    known = usable.any(axis=0)
    spread[known] = 1.4826 * np.nanmedian(errors[:, known], axis=0)
    ratio = (-2 * offsets * expected / np.maximum(spread, _SMALLEST_SPREAD) ** 2).sum(axis=2)
    return np.where(usable, np.sign(ratio) * np.log1p(np.abs(ratio)), 0.0)


def _score_exchange(evidence: Doubles, gain: Doubles, usable: NDArray[np.bool_]) -> Doubles:
    """Return scores of an exchange of left and right: of any shape, minus infinity where it is not usable.

    The evidence of the exchanged annotation is the negative of that of the annotation, so the weights follow from the annotations
    and their negatives, without intercept.
    """
    scores = np.full(usable.shape, -np.inf)
    cases = np.stack([evidence[usable], gain[usable]], axis=-1)
    if len(cases) >= _LEAST_CASES:
        model = LogisticRegression(fit_intercept=False, max_iter=500)
        model.fit(np.concatenate([cases, -cases]), np.repeat([0, 1], len(cases)))
        scores[usable] = cases @ model.coef_[0]
    return scores


def _score_mirrored(evidence: Doubles, gain: Doubles, usable: NDArray[np.bool_]) -> Doubles:
    """Return (N,) scores that all pairs are exchanged."""
    counts = usable.sum(axis=1)
    root = np.sqrt(np.maximum(counts, 1))
    totals = [np.where(usable, part, 0.0).sum(axis=1) / root for part in (evidence, gain)]
    return _score_exchange(totals[0], totals[1], counts >= _LEAST_PAIRS)

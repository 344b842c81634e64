"""How much better each annotation fits if it has one of three errors: a displaced joint, a swapped pair, or a mirrored person.

    displaced   one joint is elsewhere
    swapped     left and right of one pair of joints are exchanged
    mirrored    left and right of all pairs are exchanged

Two sources of evidence judge each annotation: the network (the height of its heatmap at the annotated joint, compared with the
peak or with the place of the mirrored joint), and what is expected from similar persons and the rest of the body. Their weights
are learned from errors that are planted in copies of the annotations: every pair swapped, every person mirrored, and every joint
displaced by 10 to 30 % of the crop's side in a random direction. So a joint that is imprecise in all persons needs more evidence.
A logistic regression gives the logarithm of the likelihood ratio, with the error against without. The three kinds of errors count
as equally probable, and within a kind all joints or pairs of a person.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.label_errors.annotated_poses import AnnotatedPoses, Doubles
from posescope.explainability.label_errors.expected_poses import ExpectedPoses, expect_poses

__all__ = ["KINDS", "HeatmapReader", "Heights", "Suspicions", "find_suspicions", "read_heights"]

KINDS = ("displaced", "swapped", "mirrored")
# (M, n, K, 2) places in fractions of the crop's side, (n,) rows of the persons -> (M, n, K) heights of their heatmaps
HeatmapReader = Callable[[Doubles, NDArray[np.int64]], Doubles]

_DISPLACEMENTS = (0.1, 0.3)  # of the planted errors, in crop sides
_PRIOR = 0.01  # share of wrong joints for which the regression is fitted; the score does not contain it
_LEAST_CASES = 20  # annotations from which the weights of the evidence can be learned
_LEAST_PAIRS = 3  # of a mirrored person: fewer are swapped pairs
_SMALLEST_SPREAD = 1e-3  # fraction of the crop's side


@dataclass(frozen=True)
class Suspicions:
    """Scores of the three kinds of errors for N persons.

    All are natural logarithms of likelihood ratios, minus infinity where the error is impossible or cannot be judged.

    Attributes:
        displaced: (N, K).
        swapped: (N, Q).
        mirrored: (N,).
    """

    displaced: Doubles
    swapped: Doubles
    mirrored: Doubles

    @property
    def by_kind(self) -> Doubles:
        """(N, 3) the largest score of each kind, in the order of `KINDS`, with equal prior probability of the kinds."""
        columns = [_largest(self.displaced), _largest(self.swapped), self.mirrored]
        return np.stack(columns, axis=1)

    @property
    def person_scores(self) -> Doubles:
        """(N,) the largest score of each person."""
        return np.asarray(self.by_kind.max(axis=1))


@dataclass(frozen=True)
class Heights:
    """Heights of the heatmaps of N persons at three places, in units of the joint's typical peak.

    Attributes:
        moved: (N, K, 2) places of the planted displacements, fractions of the crop's side.
        at_annotated, at_moved, at_mirrored: (N, K) at the annotated joint (the predicted one where it is unlabelled), at the
            planted displacement, and at the annotated mirrored joint.
    """

    moved: Doubles
    at_annotated: Doubles
    at_moved: Doubles
    at_mirrored: Doubles


def read_heights(
    poses: AnnotatedPoses,
    read_heatmaps: HeatmapReader,
    seed: int,
    rows: NDArray[np.int64] | None = None,
    known: Heights | None = None,
) -> Heights:
    """Read the heatmaps at all places that the scores need.

    Args:
        poses: N persons.
        read_heatmaps: returns the heights of the network's heatmaps at given places.
        seed: random seed of the planted displacements.
        rows: (n,) persons whose heatmaps are read; none: all.
        known: heights of the persons that are not read.
    """
    rows = np.arange(len(poses)) if rows is None else rows
    own, moved, mirrored = poses.completed, _displace(poses, seed), _mirror(poses)
    read = read_heatmaps(np.stack([own, moved, mirrored])[:, rows], rows) / _typical_peaks(poses)
    arrays = (
        [np.empty(poses.scores.shape) for _ in read]
        if known is None
        else [part.copy() for part in (known.at_annotated, known.at_moved, known.at_mirrored)]
    )
    for whole, part in zip(arrays, read, strict=True):
        whole[rows] = part
    return Heights(moved, *arrays)


def find_suspicions(poses: AnnotatedPoses, heights: Heights, seed: int = 0) -> Suspicions:
    """Score all annotations.

    Args:
        poses: N persons.
        heights: heights of their heatmaps.
        seed: random seed of the folds of photographs.
    """
    expected, usable = expect_poses(poses, seed), poses.labelled_pairs
    gain = (heights.at_mirrored - heights.at_annotated)[:, poses.pairs].sum(axis=2)
    return Suspicions(
        displaced=_score_displaced(poses, expected, heights),
        swapped=_score_exchange(_evidence(poses, expected.offsets), gain, usable),
        mirrored=_score_mirrored(_evidence(poses, expected.offsets_of_neighbours), gain, usable),
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


def _typical_peaks(poses: AnnotatedPoses) -> Doubles:
    """(K,) median peaks: codecs and joints differ in the height of their peaks."""
    return np.maximum(np.median(poses.scores, axis=0), 1e-9) if len(poses) else np.ones(poses.scores.shape[1])


def _score_displaced(poses: AnnotatedPoses, expected: ExpectedPoses, heights: Heights) -> Doubles:
    """Return (N, K) scores."""
    labelled, scores = poses.labelled, np.full(poses.scores.shape, -np.inf)
    if labelled.sum() < _LEAST_CASES:
        return scores
    peaks = np.maximum(poses.scores / _typical_peaks(poses), 1e-9)
    errors = np.where(labelled, _distance(poses.completed, expected.joints), np.nan)
    spread = np.maximum(_median(errors), _SMALLEST_SPREAD)

    def evidence(places: Doubles, height: Doubles) -> Doubles:
        unexpected = np.log(_distance(places, expected.joints) / spread + 0.1)
        lacking = peaks - height
        return np.stack([unexpected, np.clip(lacking / peaks, 0, 1), lacking], axis=-1)[labelled]

    real, planted = evidence(poses.completed, heights.at_annotated), evidence(heights.moved, heights.at_moved)
    scores[labelled] = _log_ratios(real, planted)
    return scores


def _log_ratios(real: Doubles, planted: Doubles) -> Doubles:
    """Return (n,) log-likelihood ratios of n real cases, from a logistic regression of n real and n planted ones, each (n, E)."""
    scale = np.maximum(real.std(axis=0), 1e-9)
    cases, truth = np.concatenate([real, planted]) / scale, np.repeat([0, 1], len(real))
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  (half a second at the start of each command)

    model = LogisticRegression(max_iter=500).fit(cases, truth, sample_weight=np.where(truth == 1, 2 * _PRIOR, 2 * (1 - _PRIOR)))
    return np.asarray(model.decision_function(real / scale) - np.log(_PRIOR / (1 - _PRIOR)))


def _median(values: Doubles) -> Doubles:
    """Return the median of the known values of each column, 1 where none is known."""
    medians, known = np.ones(values.shape[1:]), np.isfinite(values).any(axis=0)
    medians[known] = np.nanmedian(values[:, known], axis=0)
    return medians


def _distance(places: Doubles, others: Doubles) -> Doubles:
    return np.asarray(np.linalg.norm(places - others, axis=-1))


def _evidence(poses: AnnotatedPoses, expected: Doubles) -> Doubles:
    """Return (N, Q) evidence that a pair is swapped: above 0 if the annotated offset is opposite to the expected one.

    For normal errors of the expectation with variance v, the logarithm of the likelihood ratio is -2 offset * expected / v. Its
    logarithm is taken, with its sign, since errors have heavier tails.
    """
    offsets, usable = poses.offsets(poses.completed), poses.labelled_pairs
    spread = 1.4826 * _median(np.where(usable[..., None], np.abs(offsets - expected), np.nan))
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
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

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

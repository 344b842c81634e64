"""Does the score know the error? Joints and persons in bins of their score, and the rank correlation of score and OKS.

Scores need not be probabilities, so nothing is held against the diagonal: a useful score is one by which the good can be told
from the bad. Bins hold equally many; the rank correlation is Spearman's, with ties at their middle rank.

A network's joint is scored by the height of its heatmap's peak, and its person by the mean of these. Another system's result
has a score of its own, by which its person is judged; its joints have only their third numbers, which in many files are flags.
Who was not found has no score, and is left out.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.records import ScoredPersons
from posescope.evaluation.bootstrap import ImageDraws, Interval
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.evaluation.metrics.oks import joint_similarities
from posescope.evaluation.scored_persons import thesis_hits

__all__ = ["rank_correlation", "rank_table", "reliability_table"]


@dataclass(frozen=True)
class _Level:
    """(n,) joints, or persons: score, and what it is; share that is right, OKS, image, and the person that each is of."""

    name: str
    score_of: str
    scores: NDArray[np.float64]
    hits: NDArray[np.float64]
    oks: NDArray[np.float64]
    image_ids: NDArray[np.int64]
    person_ids: NDArray[np.int64]


def reliability_table(scored: ScoredPersons, draws: ImageDraws, bins: int) -> pd.DataFrame:
    """How good the joints, and the persons, of each range of scores are.

    Args:
        scored: N persons.
        draws: of the images.
        bins: ranges of scores of equally many; fewer where there are fewer, or where scores are equal.

    Returns:
        Columns: level ("joint" or "person"), bin (1 has the lowest scores), count, persons (whose they are), not_found (who are
        left out everywhere), score_of (what the score is), score (mean), score_low and score_high (the bin's ends), pck_thesis
        and oks, each with its low and high.
    """
    rows, left_out = [], _count_without_score(scored)
    for level in _levels(scored):
        for number, members in enumerate(_equal_bins(level.scores, bins), 1):
            scores, images = level.scores[members], level.image_ids[members]
            found = [draws.mean_interval(values[members], images) for values in (level.hits, level.oks)]
            ends = (x for one in found for x in (one.estimate, one.low, one.high))
            numbers = len(members), len(np.unique(level.person_ids[members])), left_out
            rows.append((level.name, number, *numbers, level.score_of, scores.mean(), scores.min(), scores.max(), *ends))
    names = ["level", "bin", "count", "persons", "not_found", "score_of", "score", "score_low", "score_high"]
    metric_values = ["pck_thesis", "pck_thesis_low", "pck_thesis_high", "oks", "oks_low", "oks_high"]
    return pd.DataFrame(rows, columns=names + metric_values)


def rank_table(scored: ScoredPersons, draws: ImageDraws) -> pd.DataFrame:
    """Spearman's correlation of score and OKS.

    Columns: level ("joint", "person"), count, persons, not_found and score_of as in `reliability_table`, spearman, low, high.
    """
    rows, left_out = [], _count_without_score(scored)
    for level in _levels(scored):
        found = rank_correlation(level.scores, level.oks, level.image_ids, draws)
        numbers = len(level.scores), len(np.unique(level.person_ids)), left_out
        rows.append((level.name, *numbers, level.score_of, found.estimate, found.low, found.high))
    return pd.DataFrame(rows, columns=["level", "count", "persons", "not_found", "score_of", "spearman", "low", "high"])


def rank_correlation(
    first: NDArray[np.float64], second: NDArray[np.float64], image_ids: NDArray[np.int64], draws: ImageDraws
) -> Interval:
    """Spearman's rank correlation of (n,) and (n,) values, -1..1, with its interval; NaN where one of them never varies.

    A draw counts each value as often as its image was drawn; its ranks are those of the repeated values. As the order never
    changes, nothing is sorted again.
    """
    (_, codes_a), (_, codes_b) = (np.unique(values, return_inverse=True) for values in (first, second))
    places = np.searchsorted(draws.image_ids, image_ids)
    estimate = _weighted_spearman(codes_a, codes_b, np.ones(len(first)))
    drawn = [_weighted_spearman(codes_a, codes_b, counts[places].astype(np.float64)) for counts in draws.counts]
    return draws.interval(estimate, np.array(drawn))


def _weighted_spearman(first: NDArray[np.intp], second: NDArray[np.intp], weights: NDArray[np.float64]) -> float:
    total = weights.sum()
    if not total:
        return float("nan")
    a, b = (_middle_ranks(codes, weights) for codes in (first, second))
    a, b = a - (weights * a).sum() / total, b - (weights * b).sum() / total
    spread = np.sqrt((weights * a * a).sum() * (weights * b * b).sum())
    return float((weights * a * b).sum() / spread) if spread > 0 else float("nan")


def _middle_ranks(codes: NDArray[np.intp], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The middle rank of each value (but for a constant) when it is repeated `weights` times; equal values share theirs."""
    numbers = np.bincount(codes, weights=weights)
    ranks: NDArray[np.float64] = (np.cumsum(numbers) - numbers / 2)[codes]
    return ranks


def _levels(scored: ScoredPersons) -> tuple[_Level, _Level]:
    oks = joint_similarities(scored.predicted, scored.truth, scored.areas, scored.oks_sigmas)
    hits, labelled = thesis_hits(scored), scored.labelled & scored.found[:, None]
    anybody = labelled.any(axis=1)
    images, ids = (np.broadcast_to(one[:, None], labelled.shape) for one in (scored.image_ids, scored.person_ids))
    of_network = scored.result_scores is None
    joints = _Level(
        "joint",
        "height of the heatmap's peak" if of_network else "third number of the keypoint",
        scored.scores[labelled],
        hits[labelled],
        oks[labelled],
        images[labelled],
        ids[labelled],
    )
    persons = _Level(
        "person",
        "mean of the joints' scores" if of_network else "the result's own score",
        scored.person_scores[anybody],
        mean_over_labelled(hits, ~np.isnan(hits), axis=1)[anybody],
        mean_over_labelled(oks, labelled, axis=1)[anybody],
        scored.image_ids[anybody],
        scored.person_ids[anybody],
    )
    return joints, persons


def _count_without_score(scored: ScoredPersons) -> int:
    return int((scored.labelled.any(axis=1) & ~scored.found).sum())


def _equal_bins(scores: NDArray[np.float64], bins: int) -> list[NDArray[np.intp]]:
    """Members of each bin, the lowest scores first; equal scores stay together."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1])) if len(scores) else np.empty(0)
    number = np.searchsorted(edges, scores, side="right")
    members = [np.flatnonzero(number == one) for one in range(len(edges) + 1)]
    return [one for one in members if len(one)]

"""Reliability of scores: whether joints and persons with higher scores have smaller errors.

Joints and persons are binned by score, as in a reliability diagram, and the rank correlation of score and OKS is computed. Scores
need not be probabilities, so they are not compared with the diagonal. Bins hold equal counts. The rank correlation is Spearman's,
with ties at their mean rank.

The score of a network's joint is the height of the heatmap's peak, and the score of its person the mean over joints. Another
system's result has its own score for the person; the scores of its joints are the third numbers of the keypoints, which are flags
in many files. Persons without prediction have no score and are left out.
"""

from collections.abc import Iterator
from dataclasses import astuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples, Interval
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.evaluation.metrics.oks import joint_oks
from posescope.evaluation.metrics.pck_thesis import joint_hits
from posescope.evaluation.scored_persons import ScoredPersons

__all__ = ["rank_correlation", "rank_table", "reliability_table"]

_BIN_COLUMNS = (
    "level", "bin", "count", "persons", "not_found", "score_of", "score", "score_low", "score_high",
    "pck_thesis", "pck_thesis_low", "pck_thesis_high", "oks", "oks_low", "oks_high",
)  # fmt: skip


def reliability_table(scored: ScoredPersons, draws: ImageResamples, bins: int) -> pd.DataFrame:
    """Return PCK and OKS of the joints, and of the persons, in each bin of scores.

    Args:
        scored: N persons.
        draws: bootstrap draws of the images.
        bins: number of bins of equal counts; fewer if there are fewer joints or persons, or equal scores.

    Returns:
        Columns: level ("joint" or "person"), bin (1 has the lowest scores), count, persons (of these joints), not_found (persons
        without prediction, left out of all bins), score_of (what the score is), score (mean), score_low and score_high (ends of
        the bin), pck_thesis and oks, each with its low and high.
    """
    rows, left_out = [], _count_without_score(scored)
    for level, score_of, table in _levels(scored):
        for number, members in enumerate(_equal_bins(table["score"].to_numpy(), bins), 1):
            binned = table.iloc[members]
            scores, images = binned["score"].to_numpy(), binned["image_id"].to_numpy()
            pck, oks = (astuple(draws.mean_interval(binned[name].to_numpy(), images)) for name in ("pck_thesis", "oks"))
            numbers = len(members), binned["person_id"].nunique(), left_out
            rows.append((level, number, *numbers, score_of, scores.mean(), scores.min(), scores.max(), *pck, *oks))
    return pd.DataFrame(rows, columns=list(_BIN_COLUMNS))


def rank_table(scored: ScoredPersons, draws: ImageResamples) -> pd.DataFrame:
    """Return Spearman's correlation of score and OKS, for joints and for persons.

    Args:
        scored: N persons.
        draws: bootstrap draws of the images.

    Returns:
        Columns: level ("joint", "person"), count, persons, not_found and score_of as in `reliability_table`, spearman, low, high.
    """
    rows, left_out = [], _count_without_score(scored)
    for level, score_of, table in _levels(scored):
        found = rank_correlation(table["score"].to_numpy(), table["oks"].to_numpy(), table["image_id"].to_numpy(), draws)
        rows.append((level, len(table), table["person_id"].nunique(), left_out, score_of, *astuple(found)))
    return pd.DataFrame(rows, columns=["level", "count", "persons", "not_found", "score_of", "spearman", "low", "high"])


def rank_correlation(
    first: NDArray[np.float64], second: NDArray[np.float64], image_ids: NDArray[np.int64], draws: ImageResamples
) -> Interval:
    """Return Spearman's rank correlation, -1..1, with its interval; NaN if one of the two never varies.

    A draw counts each value as often as its image was drawn; its ranks are those of the repeated values. The order does not
    change, so nothing is sorted again.

    Args:
        first, second: (n,).
        image_ids: (n,) the image of each.
        draws: bootstrap draws of the images.
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
    """Return the mean rank of each value, up to a constant, if it is repeated `weights` times; equal values share their rank."""
    numbers = np.bincount(codes, weights=weights)
    ranks: NDArray[np.float64] = (np.cumsum(numbers) - numbers / 2)[codes]
    return ranks


def _levels(scored: ScoredPersons) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield for joints and for persons: the level, what its score is, and a row per joint or person that has one."""
    oks = joint_oks(scored)
    hits, labelled = joint_hits(scored), scored.labelled & scored.found[:, None]
    of_network = scored.result_scores is None
    rows = np.nonzero(labelled)[0]
    joints = {"score": scored.scores[labelled], "pck_thesis": hits[labelled], "oks": oks[labelled]}
    ids = {"image_id": scored.image_ids[rows], "person_id": scored.person_ids[rows]}
    yield "joint", "height of the heatmap's peak" if of_network else "third number of the keypoint", pd.DataFrame(joints | ids)
    members = labelled.any(axis=1)
    persons = {
        "score": scored.person_scores[members],
        "pck_thesis": mean_over_labelled(hits, ~np.isnan(hits), axis=1)[members],
        "oks": mean_over_labelled(oks, labelled, axis=1)[members],
        "image_id": scored.image_ids[members],
        "person_id": scored.person_ids[members],
    }
    yield "person", "mean of the joints' scores" if of_network else "the result's own score", pd.DataFrame(persons)


def _count_without_score(scored: ScoredPersons) -> int:
    return int((scored.labelled.any(axis=1) & ~scored.found).sum())


def _equal_bins(scores: NDArray[np.float64], bins: int) -> list[NDArray[np.intp]]:
    """Return the members of each bin, the lowest scores first; equal scores are in one bin."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1])) if len(scores) else np.empty(0)
    number = np.searchsorted(edges, scores, side="right")
    members = [np.flatnonzero(number == one) for one in range(len(edges) + 1)]
    return [one for one in members if len(one)]

"""Comparison of two finished runs on the same persons: which persons got better in B, which worse, with the paired interval.

    tables of A and B -> person_matching -> a score of both for each person -> evaluation.paired_comparison -> PairComparison

A person that a model was trained on is no fair case for it. By default only persons count that neither model was trained on.
Intervals are those of `posescope compare`: 95 %, paired bootstrap over photographs, the same draws for scores, joints and groups.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import OptionsError
from posescope.core.skeleton import DEFAULT_OKS_SIGMA, Skeleton
from posescope.drawing.photographs import PhotographMode, mode_covers
from posescope.evaluation.bootstrap import ImageResamples, resample_images
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.evaluation.metrics.pck_thesis import pck_thesis, pck_thesis_hits
from posescope.evaluation.paired_comparison import PairedMetric, compare_values
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.person_matching import JointFrame, match_persons

__all__ = ["ERROR", "PCK", "ComparedGroup", "PairComparison", "PersonScore", "RunPair"]

PCK, ERROR = "pck_thesis", "error"
_RESAMPLES = 1000  # as posescope compare


@dataclass(frozen=True, eq=False)
class PersonScore:
    """A score of the matched persons in both runs.

    Attributes:
        name: name of the score; `error` is the mean distance of a person's joints, % of the longer side of A's crop.
        first, second: (N,) values of A and B, NaN where unknown; 0..1 except the error.
        lower_is_better: whether B is better where its value is lower.
    """

    name: str
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    lower_is_better: bool = False

    @property
    def gains(self) -> NDArray[np.float64]:
        """(N,) by how much B is better than A; negative where it is worse, NaN where a value is unknown."""
        return self.first - self.second if self.lower_is_better else self.second - self.first


@dataclass(frozen=True)
class ComparedGroup:
    """A group of A's explanation.

    Attributes:
        kind: `slice` (failure slice) or `cluster`.
        name: description.
        photographs: number of its photographs among the compared persons.
        metric: the score of its persons.
    """

    kind: str
    name: str
    photographs: int
    metric: PairedMetric


@dataclass(frozen=True, eq=False)
class PairComparison:
    """One score of two runs.

    Attributes:
        score: the score, of all matched persons.
        rows: (n,) the compared persons, rows of the matched ones: those with a value in both runs.
        trained: (n,) those of them that a model was trained on.
        photographs: number of their photographs.
        overall: the score over these persons.
        joints: the measure of each common joint, in A's order: hits of PCK, or the distance if the score is the error.
        groups: failure slices and clusters of A.
    """

    score: PersonScore
    rows: NDArray[np.int64]
    trained: NDArray[np.bool_]
    photographs: int
    overall: PairedMetric
    joints: tuple[PairedMetric, ...]
    groups: tuple[ComparedGroup, ...]

    @cached_property
    def gains(self) -> NDArray[np.float64]:
        """(n,) by how much B is better, in the order of `rows`."""
        return self.score.gains[self.rows]

    @property
    def better(self) -> int:
        """Number of persons whose score is better in B."""
        return int((self.gains > 0).sum())

    @property
    def worse(self) -> int:
        """Number of persons whose score is worse in B."""
        return int((self.gains < 0).sum())

    @property
    def equal(self) -> int:
        """Number of persons whose score is the same."""
        return int((self.gains == 0).sum())

    def most_improved(self, count: int) -> NDArray[np.int64]:
        """Return at most `count` of `rows`, the largest gain first; only persons that got better."""
        return self._extremes(self.gains, count)

    def most_worsened(self, count: int) -> NDArray[np.int64]:
        """Return at most `count` of `rows`, the largest loss first; only persons that got worse."""
        return self._extremes(-self.gains, count)

    def _extremes(self, values: NDArray[np.float64], count: int) -> NDArray[np.int64]:
        order = np.argsort(-values, kind="stable")[:count]
        return self.rows[order[values[order] > 0]]


class RunPair:
    """Two runs and their common persons. Threads may share it.

    Example:
        >>> pair = RunPair(open_run(Path("data/plain")), open_run(Path("data/seeded")))  # doctest: +SKIP
        >>> pair.compare("pck_thesis").overall.difference  # doctest: +SKIP
    """

    def __init__(self, first: OpenedRun, second: OpenedRun) -> None:
        """Args:
            first, second: the runs A and B.

        Raises:
            DataError: if they have no person or no joint in common, or other annotations.
        """
        self.first, self.second = first, second
        self.matched = match_persons(first, second)
        self.person_ids: NDArray[np.int64] = first.person_ids[self.matched.rows_a]
        self.trained_a = _trained_on(first)[self.matched.rows_a]
        self.trained_b = _trained_on(second)[self.matched.rows_b]
        self._kept = lru_cache(maxsize=8)(self._compare)
        self._draws = lru_cache(maxsize=2)(self._draw_photographs)

    def __len__(self) -> int:
        return len(self.matched)

    @cached_property
    def scores(self) -> dict[str, PersonScore]:
        """Scores by name. Those of the tables are unknown for persons whose score is over other joints in A than in B."""
        matched, frame = self.matched, self.matched.frame_a
        visibility = matched.labelled.astype(np.uint8)
        first, second = (pck_thesis(found, frame.true, visibility, frame.crop_size) for found in (frame.first, frame.second))
        found = {PCK: PersonScore(PCK, first, second)}
        for name in self.shared_scores if matched.same_labels.any() else ():
            pairs = ((self.first, matched.rows_a), (self.second, matched.rows_b))
            first, second = (np.where(matched.same_labels, _column(run, name)[rows], np.nan) for run, rows in pairs)
            found[name] = PersonScore(name, first, second)
        first, second = (mean_over_labelled(one, matched.labelled, axis=1) for one in self._distances)
        return found | {ERROR: PersonScore(ERROR, first, second, lower_is_better=True)}

    @property
    def shared_scores(self) -> tuple[str, ...]:
        """Names of the scores that both tables have, without those that are computed again."""
        return tuple(name for name in self.first.about.scores if name in self.second.about.scores and name not in (PCK, ERROR))

    @cached_property
    def photographs(self) -> PhotographMode:
        """The stricter of both runs' rules on photographs."""
        a, b = self.first.about.photographs, self.second.about.photographs
        return a if mode_covers(a, b) else b

    @cached_property
    def skeleton(self) -> Skeleton:
        """Common joints and the limbs of A between them; OKS sigmas are unknown."""
        joints, about = self.matched.joints, self.first.about.skeleton
        index = {number: joints.index(name) for number, name in enumerate(about.joints) if name in joints}
        limbs = tuple((index[start], index[end]) for start, end in about.limbs if start in index and end in index)
        return Skeleton(joints, limbs, (DEFAULT_OKS_SIGMA,) * len(joints))

    @cached_property
    def image_ids(self) -> NDArray[np.int64]:
        """(N,) number of each person's photograph, in the order of (source_split, image_id)."""
        keys = self.first.persons[["source_split", "image_id"]].iloc[self.matched.rows_a]
        return np.asarray(keys.groupby(["source_split", "image_id"], sort=True).ngroup(), dtype=np.int64)

    def counts(self, include_trained: bool) -> NDArray[np.bool_]:
        """Return (N,) which matched persons count.

        Args:
            include_trained: whether persons count that one of the models was trained on.
        """
        return np.ones(len(self), dtype=np.bool_) if include_trained else ~(self.trained_a | self.trained_b)

    def row_of(self, person_id: int) -> int | None:
        """Return the row among the matched persons; None if the person is not in both runs."""
        rows = np.flatnonzero(self.person_ids == person_id)
        return int(rows[0]) if len(rows) else None

    def distances_of(self, row: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the (K,) distances of A's and of B's joints from the labels of a person, % of the longer side of A's crop."""
        first, second = self._distances
        return first[row], second[row]

    def compare(self, name: str, include_trained: bool = False) -> PairComparison:
        """Return the comparison by one score; the last ones are kept.

        Args:
            name: name of the score.
            include_trained: whether persons count that one of the models was trained on.

        Raises:
            OptionsError: if there is no such score.
        """
        if name not in self.scores:
            raise OptionsError(f"Score: expected one of {', '.join(self.scores)}, found {name!r}.")
        return self._kept(name, include_trained)

    def _compare(self, name: str, include_trained: bool) -> PairComparison:
        score, chosen = self.scores[name], self.counts(include_trained)
        draws = self._draws(include_trained)
        rows = np.flatnonzero(chosen & np.isfinite(score.gains))
        return PairComparison(
            score=score,
            rows=rows.astype(np.int64),
            trained=(self.trained_a | self.trained_b)[rows],
            photographs=len(np.unique(self.image_ids[rows])),
            overall=self._metric(name, score.first, score.second, chosen, draws),
            joints=self._joints(name, chosen, draws),
            groups=self._groups(score, chosen, draws),
        )

    def _joints(self, name: str, chosen: NDArray[np.bool_], draws: ImageResamples) -> tuple[PairedMetric, ...]:
        first, second = self._distances if name == ERROR else self._hits
        return tuple(
            self._metric(joint, first[:, column], second[:, column], chosen, draws)
            for column, joint in enumerate(self.matched.joints)
        )

    def _groups(self, score: PersonScore, chosen: NDArray[np.bool_], draws: ImageResamples) -> tuple[ComparedGroup, ...]:
        about, own = self.first.about, self.first.persons.iloc[self.matched.rows_a]
        slices, clusters = own["slices"], own["cluster"].to_numpy(dtype=np.float64, na_value=np.nan)
        members = [("slice", one.name, np.array([one.id in ids for ids in slices], dtype=np.bool_)) for one in about.slices]
        members += [("cluster", one.name or f"group {one.number}", clusters == one.number) for one in about.clusters]
        found = []
        for kind, title, inside in members:
            metric = self._metric(title, score.first, score.second, chosen & inside, draws)
            photographs = len(np.unique(self.image_ids[chosen & inside & np.isfinite(score.gains)]))
            found.append(ComparedGroup(kind, title, photographs, metric))
        return tuple(found)

    def _metric(
        self,
        name: str,
        first: NDArray[np.float64],
        second: NDArray[np.float64],
        chosen: NDArray[np.bool_],
        draws: ImageResamples,
    ) -> PairedMetric:
        return compare_values(name, first[chosen], second[chosen], self.image_ids[chosen], draws)

    def _draw_photographs(self, include_trained: bool) -> ImageResamples:
        return resample_images(self.image_ids[self.counts(include_trained)], seed=0, resamples=_RESAMPLES)

    @cached_property
    def _distances(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, K) of A and B, % of the longer side of A's crop; NaN where unlabelled."""
        frame = self.matched.frame_a
        first, second = (_distances_in(frame, found) for found in (frame.first, frame.second))
        return first, second

    @cached_property
    def _hits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, K) 1 where a joint is correct by PCK, 0 where not, NaN where unlabelled."""
        frame, labelled = self.matched.frame_a, self.matched.labelled
        first, second = (
            np.where(labelled, pck_thesis_hits(found, frame.true, labelled.astype(np.uint8), frame.crop_size), np.nan)
            for found in (frame.first, frame.second)
        )
        return first, second


def _trained_on(run: OpenedRun) -> NDArray[np.bool_]:
    """Return (N,) the persons that the model of the run was trained on, as far as is known."""
    trained = (run.persons["split"] == "train").to_numpy(dtype=np.bool_)
    return trained if run.places.knows_training else np.zeros_like(trained)


def _column(run: OpenedRun, name: str) -> NDArray[np.float64]:
    return run.persons[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _distances_in(frame: JointFrame, found: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(100 * np.hypot(*np.moveaxis(found - frame.true, 2, 0)) / max(frame.crop_size))

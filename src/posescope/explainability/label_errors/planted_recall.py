"""How many wrong annotations the ranking finds: errors are planted in copies of the annotations, and the ranking is repeated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.label_errors.annotated_poses import AnnotatedPoses, Doubles
from posescope.explainability.label_errors.suspicions import HeatmapReader, Heights, find_suspicions, read_heights

__all__ = ["PLANTED_SHARE", "PlantedRecall", "measure_planted_recall"]

PLANTED_SHARE = 0.05  # of the persons
_DISPLACEMENT = 0.2  # of the crop's side


@dataclass(frozen=True)
class PlantedRecall:
    """Judged persons with a planted error, of all repetitions.

    Attributes:
        found: (n,) whether the person is among as many top persons of the ranking as have an error.
        found_by_distance: (n,) the same for a ranking by the largest distance between annotation and prediction.
        groups: (n,) photograph of each person.
    """

    found: NDArray[np.bool_]
    found_by_distance: NDArray[np.bool_]
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.found)


def measure_planted_recall(
    poses: AnnotatedPoses,
    judged: NDArray[np.bool_],
    read_heatmaps: HeatmapReader,
    heights: Heights,
    *,
    repetitions: int,
    seed: int,
) -> PlantedRecall:
    """Plant an error in 5 % of the fitted and of the judged persons, and count the judged ones that the ranking finds.

    In half of them, one pair is swapped; in the others, one joint is displaced by 20 % of the crop's side. A person without a
    labelled pair gets a displaced joint.

    Args:
        poses: N persons.
        judged: (N,) whether a person is judged.
        read_heatmaps: returns the heights of the network's heatmaps at given places.
        heights: heights for the annotations as they are.
        repetitions: number of draws of persons and errors.
        seed: random seed.
    """
    rows, found, by_distance = [], [], []
    for repetition in range(repetitions):
        rng = np.random.default_rng([seed, repetition])
        planted = np.concatenate([_draw_persons(poses, part, rng) for part in (~judged, judged)])
        changed = poses.with_annotations(_plant_errors(poses, planted, rng))
        scores = find_suspicions(changed, read_heights(changed, read_heatmaps, seed, planted, heights), seed).person_scores
        own = planted[judged[planted]]
        rows.append(own)
        found.append(_is_among_top(scores, own, judged))
        by_distance.append(_is_among_top(_largest_distances(changed), own, judged))
    return PlantedRecall(np.concatenate(found), np.concatenate(by_distance), poses.groups[np.concatenate(rows)])


def _draw_persons(poses: AnnotatedPoses, among: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    usable = np.flatnonzero(among & poses.labelled.any(axis=1))
    return rng.permutation(usable)[: round(PLANTED_SHARE * len(usable))].astype(np.int64)


def _plant_errors(poses: AnnotatedPoses, planted: NDArray[np.int64], rng: np.random.Generator) -> Doubles:
    annotated, labelled, pairs = poses.annotated.copy(), poses.labelled, poses.labelled_pairs
    for place, row in enumerate(planted):
        if place % 2 and pairs[row].any():
            pair = poses.pairs[rng.choice(np.flatnonzero(pairs[row]))]
            annotated[row, pair] = annotated[row, pair[::-1]]
        else:
            joint, angle = rng.choice(np.flatnonzero(labelled[row])), rng.uniform(0, 2 * np.pi)
            annotated[row, joint] += _DISPLACEMENT * np.array([np.cos(angle), np.sin(angle)])
    return annotated


def _is_among_top(scores: Doubles, rows: NDArray[np.int64], among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    candidates = np.flatnonzero(among)
    top = candidates[np.argsort(-scores[candidates], kind="stable")[: len(rows)]]
    return np.isin(rows, top)


def _largest_distances(poses: AnnotatedPoses) -> Doubles:
    distances = np.linalg.norm(poses.completed - poses.predicted, axis=2)  # 0 where unlabelled
    return np.asarray(distances.max(axis=1, initial=0.0))

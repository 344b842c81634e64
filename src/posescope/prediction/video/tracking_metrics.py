"""Metrics of tracks against the known persons of a video: identity switches, MOTA and IDF1.

    MOTA = 1 - (missed + false + switches) / persons     K. Bernardin and R. Stiefelhagen, "Evaluating multiple object tracking
                                                         performance: the CLEAR MOT metrics", EURASIP 2008
    IDF1 = 2 IDTP / (persons + predicted)                E. Ristani et al., "Performance measures and a data set for multi-target,
                                                         multi-camera tracking", ECCV workshops 2016

*persons* and *predicted* are counted over all frames. IDTP counts the frames in which a person has the one track that is assigned
to it for the whole video, such that the sum is largest.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.prediction.video.assignment import assign, match_above
from posescope.prediction.video.similarities import box_overlaps

__all__ = ["LabelledBoxes", "TrackingScores", "score_tracks"]


@dataclass(frozen=True, eq=False)
class LabelledBoxes:
    """Boxes of one frame with the identity of each.

    Attributes:
        boxes: (n, 4) x, y, w, h px.
        ids: n identities, each once.
    """

    boxes: NDArray[np.float64]
    ids: Sequence[int]


@dataclass(frozen=True)
class TrackingScores:
    """Scores of the tracks of a video.

    Attributes:
        persons: known persons, summed over the frames.
        missed: of them without a track.
        false: tracked boxes without a person.
        switches: times at which a person has another track than when it was last found.
        mota: 1 at best; NaN without persons.
        idf1: 0..1; NaN without persons and tracks.
    """

    persons: int
    missed: int
    false: int
    switches: int
    mota: float
    idf1: float


def score_tracks(frames: Iterable[tuple[LabelledBoxes, LabelledBoxes]], min_overlap: float = 0.5) -> TrackingScores:
    """Score the tracks of a video.

    Args:
        frames: known persons and tracked boxes of one frame after the other.
        min_overlap: lowest intersection over union of a person and its box.
    """
    persons = predicted = matched = switches = 0
    last_track: dict[int, int] = {}
    together: defaultdict[tuple[int, int], int] = defaultdict(int)
    for truth, found in frames:
        overlaps = box_overlaps(truth.boxes, found.boxes)
        for row, column in zip(*np.nonzero(overlaps >= min_overlap), strict=True):
            together[truth.ids[row], found.ids[column]] += 1
        pairs = _match_frame(overlaps, truth.ids, found.ids, last_track, min_overlap)
        switches += sum(last_track.get(truth.ids[row], found.ids[column]) != found.ids[column] for row, column in pairs)
        last_track |= {truth.ids[row]: found.ids[column] for row, column in pairs}
        persons, predicted, matched = persons + len(truth.ids), predicted + len(found.ids), matched + len(pairs)
    missed, false = persons - matched, predicted - matched
    return TrackingScores(
        persons=persons,
        missed=missed,
        false=false,
        switches=switches,
        mota=1 - (missed + false + switches) / persons if persons else float("nan"),
        idf1=2 * _count_identified(together) / (persons + predicted) if persons + predicted else float("nan"),
    )


def _match_frame(
    overlaps: NDArray[np.float64], persons: Sequence[int], tracks: Sequence[int], last: dict[int, int], minimum: float
) -> list[tuple[int, int]]:
    """Return the pairs of a frame: first those of the frame before, if they still overlap, then the others (CLEAR MOT)."""
    columns = {track: column for column, track in enumerate(tracks)}
    kept = [(row, columns[last[person]]) for row, person in enumerate(persons) if last.get(person) in columns]
    kept = [pair for pair in kept if overlaps[pair] >= minimum]
    free = overlaps.copy()
    for row, column in kept:
        free[row], free[:, column] = 0, 0
    return kept + match_above(free, minimum)


def _count_identified(together: dict[tuple[int, int], int]) -> int:
    """Return the largest number of frames in which persons have the one track that is assigned to them."""
    persons, tracks = (sorted({pair[place] for pair in together}) for place in (0, 1))
    counts = np.array([[together.get((person, track), 0) for track in tracks] for person in persons], dtype=np.float64)
    return int(sum(counts[pair] for pair in assign(-counts.reshape(len(persons), len(tracks)))))

"""The tracker `byte_track`: Y. Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022.

    1  persons with a high score   <-> all tracks, also those lost a short time ago
    2  persons with a low score    <-> the tracks of the frame before that are left: a person who is half hidden keeps its track
    3  high score and no track      -> a new track

A Kalman filter moves each track's box to the time of the frame. Each step takes the pairs with the largest sum of similarities:
of the poses, which tells persons apart who cover one another, or of the boxes, as in the paper. Where an option differs from the
paper's, its description says so (docs/decisions/0050-tracker.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Component, Options
from posescope.core.skeleton import Skeleton
from posescope.prediction.poses import PersonPose
from posescope.prediction.video.assignment import match_above
from posescope.prediction.video.box_motion import BoxMotion
from posescope.prediction.video.similarities import box_overlaps, pose_similarities
from posescope.prediction.video.tracker import AssignedTrack, ExpectedPerson, TrackedPerson

__all__ = ["ByteTrack", "ByteTrackOptions"]


# Lowest similarities in the two steps. Those of boxes are the paper's.
_MINIMA = {"boxes": (0.2, 0.5), "poses": (0.1, 0.3)}


class ByteTrackOptions(Options):
    """Options of `byte_track`."""

    high_score: float = Field(0.5, ge=0, le=1, description="lowest score of a box that is matched in the first step (paper: 0.6)")
    new_track_score: float = Field(0.5, ge=0, le=1, description="lowest score of a box that begins a track (paper: 0.7)")
    similarity: Literal["boxes", "poses"] = Field(
        "poses", description="poses: OKS of the joints; boxes: intersection over union, as in the paper"
    )
    min_similarity: float | None = Field(
        None, gt=0, le=1, description="lowest similarity of a pair in the first step; null: 0.1 for poses, 0.2 for boxes"
    )
    min_low_similarity: float | None = Field(
        None, gt=0, le=1, description="lowest similarity of a pair in the second step; null: 0.3 for poses, 0.5 for boxes"
    )
    min_frames: int = Field(2, ge=1, description="detections until a track has an id; tracks of the first frame have one at once")
    max_lost_s: float = Field(1.0, ge=0, description="seconds without a matching person after which a track ends")


@dataclass(eq=False)
class _Track:
    key: int
    motion: BoxMotion
    pose: PersonPose
    time_s: float
    detections: int = 1
    track_id: int | None = None
    is_current: bool = field(default=True)  # seen in the last frame

    def see(self, pose: PersonPose, time_s: float) -> None:
        self.motion.update(pose.person.box, time_s)
        self.pose, self.time_s, self.is_current = pose, time_s, True

    def moved_joints(self, time_s: float) -> NDArray[np.float64]:
        """Return the joints of the last pose, moved with the box."""
        old, new = np.array(self.pose.person.box), np.array(self.motion.predict(time_s))
        moved: NDArray[np.float64] = (self.pose.joints - old[:2]) / old[2:] * new[2:] + new[:2]
        return moved


class ByteTrack(Component[ByteTrackOptions]):
    """Tracks of one video; see the module."""

    def __init__(self, options: ByteTrackOptions, skeleton: Skeleton) -> None:
        super().__init__(options)
        self._skeleton, self._tracks = skeleton, list[_Track]()
        self._keys, self._ids, self._is_first = count(), count(1), True
        given = (options.min_similarity, options.min_low_similarity)
        self._minima = [own or usual for own, usual in zip(given, _MINIMA[options.similarity], strict=True)]

    def update(self, persons: Sequence[TrackedPerson], time_s: float) -> list[AssignedTrack | None]:
        """Return the track of each person of the next frame; see `Tracker.update`."""
        before = [track for track in self._tracks if track.is_current]
        for track in self._tracks:
            track.is_current = False
        found = self._continue_known(persons, time_s)
        open_persons = [index for index, person in enumerate(persons) if person.track is None]
        high = [index for index in open_persons if persons[index].pose.person.score >= self.options.high_score]
        low = [index for index in open_persons if index not in high]
        self._match(persons, high, self._tracks, self._minima[0], found, time_s)
        self._match(persons, low, before, self._minima[1], found, time_s)
        for index in high:
            if index not in found and persons[index].pose.person.score >= self.options.new_track_score:
                found[index] = self._begin(persons[index].pose, time_s)
        self._end_tracks(time_s)
        self._is_first = False
        tracks = [found.get(index) for index in range(len(persons))]
        return [None if track is None else AssignedTrack(track.key, track.track_id) for track in tracks]

    def expect(self, time_s: float) -> list[ExpectedPerson]:
        """Return where the persons of the last frame are; see `Tracker.expect`."""
        return [ExpectedPerson(track.key, track.motion.predict(time_s)) for track in self._tracks if track.is_current]

    def _continue_known(self, persons: Sequence[TrackedPerson], time_s: float) -> dict[int, _Track]:
        by_key = {track.key: track for track in self._tracks}
        found = {index: by_key[one.track] for index, one in enumerate(persons) if one.track is not None and one.track in by_key}
        for index, track in found.items():
            track.see(persons[index].pose, time_s)
        return found

    def _match(
        self,
        persons: Sequence[TrackedPerson],
        indices: Sequence[int],
        tracks: Sequence[_Track],
        minimum: float,
        found: dict[int, _Track],
        time_s: float,
    ) -> None:
        """Add to `found` the tracks of the persons at `indices`."""
        free = [track for track in tracks if not track.is_current]
        if not free or not indices:
            return
        similarities = self._similarities(free, [persons[index].pose for index in indices], time_s)
        for row, column in match_above(similarities, minimum):
            track, index = free[row], indices[column]
            track.see(persons[index].pose, time_s)
            track.detections += 1
            if track.track_id is None and track.detections >= self.options.min_frames:
                track.track_id = next(self._ids)
            found[index] = track

    def _similarities(self, tracks: Sequence[_Track], poses: Sequence[PersonPose], time_s: float) -> NDArray[np.float64]:
        expected = np.array([track.motion.predict(time_s) for track in tracks])
        if self.options.similarity == "boxes":
            return box_overlaps(expected, np.array([pose.person.box for pose in poses]))
        moved = np.stack([track.moved_joints(time_s) for track in tracks])
        areas = expected[:, 2] * expected[:, 3]
        return pose_similarities(moved, np.stack([pose.joints for pose in poses]), areas, self._skeleton.oks_sigmas)

    def _begin(self, pose: PersonPose, time_s: float) -> _Track:
        track = _Track(next(self._keys), BoxMotion(pose.person.box, time_s), pose, time_s)
        if self._is_first or self.options.min_frames == 1:
            track.track_id = next(self._ids)
        self._tracks.append(track)
        return track

    def _end_tracks(self, time_s: float) -> None:
        """Remove tracks that are lost too long, and those without id that were not found again."""
        kept_s = self.options.max_lost_s
        self._tracks = [
            track
            for track in self._tracks
            if track.is_current or (track.track_id is not None and time_s - track.time_s <= kept_s)
        ]

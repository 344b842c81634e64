"""The contract of trackers: which person of a frame is which person of the frames before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from posescope.prediction.poses import PersonPose
from posescope.prediction.video.box_motion import Box

__all__ = ["AssignedTrack", "ExpectedPerson", "TrackedPerson", "Tracker"]


@dataclass(frozen=True, eq=False)
class TrackedPerson:
    """A person of a frame, as a tracker sees it.

    Attributes:
        pose: box, score of the box and joints, px of the frame.
        track: key of the track whose `ExpectedPerson` the pose was predicted in; None: found by the detector.
    """

    pose: PersonPose
    track: int | None = None


@dataclass(frozen=True)
class AssignedTrack:
    """The track of a person.

    Attributes:
        key: number of the track within the tracker.
        track_id: number that is shown, from 1 on, the same in all frames and never that of another person; None: not yet certain.
    """

    key: int
    track_id: int | None


@dataclass(frozen=True)
class ExpectedPerson:
    """Where a tracked person will be.

    Attributes:
        track: key of the track.
        box: x, y, w, h px in the project's convention.
    """

    track: int
    box: Box


class Tracker(Protocol):
    """Component contract of `posescope.trackers`: `tracker(options, skeleton=skeleton)`, built for each video."""

    def update(self, persons: Sequence[TrackedPerson], time_s: float) -> list[AssignedTrack | None]:
        """Return the track of each person of the next frame; None: it has none.

        Args:
            persons: all persons of the frame. Those with a key belong to that track.
            time_s: time of the frame, later than that of the frame before.
        """
        ...

    def expect(self, time_s: float) -> list[ExpectedPerson]:
        """Return where the persons of the last frame are at a later time, for frames without detection."""
        ...

"""Persons of a video, one frame after the other: detect or follow, predict, track, smooth.

    frame 0            detector -> boxes -> poses -> tracker -> ids -> smoothed joints
    frame 1 .. n-1     boxes that the tracker expects -> poses -> boxes moved by their joints -> tracker
    frame n            detector -> ...

A frame without detection takes the box that the tracker expects for each person of the frame before. The pose in it tells how the
person moved: the box follows the motion and the growth of its certain joints.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import ComponentSpec, Options, build
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.image_io.video import VideoFile
from posescope.prediction.poses import DetectedPerson, ImagePoses, PersonPose
from posescope.prediction.predictor import ImagePersons, PosedImage, Predictor
from posescope.prediction.video.box_motion import Box
from posescope.prediction.video.one_euro import OneEuroFilter, SmoothingOptions
from posescope.prediction.video.similarities import box_overlaps, pose_similarities
from posescope.prediction.video.tracker import AssignedTrack, TrackedPerson, Tracker

__all__ = ["FrameFollower", "VideoOptions"]

_MAX_GROWTH = 1.25  # of a box from one frame to the next
_CERTAIN = 0.5  # of the person's median joint score: a joint above it moves the box
_MIN_CERTAIN_JOINTS = 2
_KEPT_SCORE = 0.5  # of the joint scores at the last detection: below it, the person is lost
_MEETING_OVERLAP = 0.2  # of the boxes of two persons: above it, boxes go on as expected, whatever their joints do
_SAME_POSE = 0.8  # OKS of two persons who follow one


class VideoOptions(Options):
    """How persons are followed over the frames of a video."""

    tracker: ComponentSpec = Field(ComponentSpec(name="byte_track"), description="component of posescope.trackers")
    detect_every: int = Field(1, ge=1, description="frames from one detection to the next; between them boxes follow the joints")
    smoothing: SmoothingOptions | None = Field(None, description="options of the One-Euro filter of the joints; null: none")


@dataclass(frozen=True)
class _Followed:
    """A person in the last frame: its pose, and the mean joint score at the last detection."""

    pose: PersonPose
    detected_score: float
    frames: int = 1


class FrameFollower:
    """Predicts the frames of videos in their order; each video begins anew.

    Args:
        predictor: runs the model.
        detect: returns the persons of a frame; it is called for every n-th frame.
        options: tracker, smoothing and interval of detections.
    """

    def __init__(
        self, predictor: Predictor, detect: Callable[[NamedImage], Sequence[DetectedPerson]], options: VideoOptions
    ) -> None:
        self._predictor, self._detect, self._options = predictor, detect, options
        self._video: VideoFile | None = None
        self._begin_video()

    def predict(self, frame: NamedImage) -> PosedImage:
        """Predict the persons of the next frame.

        Args:
            frame: with its number and time.

        Returns:
            The poses, with track ids and smoothed joints, and the frame.

        Raises:
            PosescopeError: whatever the detector or the backend raises.
        """
        if frame.video != self._video or frame.frame == 0:
            self._video = frame.video
            self._begin_video()
        time_s = 0.0 if frame.time_s is None else frame.time_s
        is_detection = self._count % self._options.detect_every == 0
        self._count += 1
        tracked = self._detected(frame) if is_detection else self._expected(frame, time_s)
        tracks = self._tracker.update(tracked, time_s)
        self._remember(tracked, tracks, is_detection)
        persons = tuple(self._finished(one.pose, track, time_s) for one, track in zip(tracked, tracks, strict=True))
        return PosedImage(ImagePoses(frame.info, persons, self._predictor.model.skeleton), frame)

    def _begin_video(self) -> None:
        self._tracker: Tracker = build("trackers", self._options.tracker, skeleton=self._predictor.model.skeleton)
        self._followed: dict[int, _Followed] = {}
        self._filters: dict[int, tuple[float, OneEuroFilter]] = {}
        self._count = 0

    def _detected(self, frame: NamedImage) -> list[TrackedPerson]:
        return [TrackedPerson(pose) for pose in self._predict(frame, list(self._detect(frame)))]

    def _expected(self, frame: NamedImage, time_s: float) -> list[TrackedPerson]:
        """Predict the persons of the frame before in the boxes where they are expected."""
        info = frame.info
        inside = []
        for one in self._tracker.expect(time_s):
            old = self._followed[one.track]
            person = DetectedPerson(info, one.box, old.pose.person.score)
            if person.is_in_image:
                inside.append((one.track, old, person))
        poses = self._predict(frame, [person for _, _, person in inside])
        meets = _meet([person.box for _, _, person in inside])
        kept = []
        for (key, old, person), pose, is_met in zip(inside, poses, meets, strict=True):
            box = person.box if is_met else _move_box(old.pose, pose)
            moved = replace(person, box=box)
            if moved.is_in_image and float(pose.scores.mean()) >= _KEPT_SCORE * old.detected_score:
                kept.append((old.frames, TrackedPerson(replace(pose, person=moved), key)))
        return self._without_doubles(kept)

    def _predict(self, frame: NamedImage, persons: list[DetectedPerson]) -> tuple[PersonPose, ...]:
        return next(self._predictor.predict_images([ImagePersons(frame, persons)])).poses.persons

    def _without_doubles(self, found: list[tuple[int, TrackedPerson]]) -> list[TrackedPerson]:
        """Leave out a person whose pose is that of another one who was followed for longer."""
        kept: list[TrackedPerson] = []
        for _, one in sorted(found, key=lambda pair: -pair[0]):
            joints, box = one.pose.joints[None], one.pose.person.box
            others = np.array([other.pose.joints for other in kept]).reshape(len(kept), *joints.shape[1:])
            area, sigmas = np.array([box[2] * box[3]]), self._predictor.model.skeleton.oks_sigmas
            if not (pose_similarities(joints, others, area, sigmas) > _SAME_POSE).any():
                kept.append(one)
        return kept

    def _remember(self, tracked: Sequence[TrackedPerson], tracks: Sequence[AssignedTrack | None], is_detection: bool) -> None:
        """Keep the persons of this frame, who are followed in the next one."""
        before, self._followed = self._followed, {}
        for one, track in zip(tracked, tracks, strict=True):
            if track is not None:
                old = before.get(track.key)
                score = float(one.pose.scores.mean()) if is_detection or old is None else old.detected_score
                self._followed[track.key] = _Followed(one.pose, score, 1 if old is None else old.frames + 1)

    def _finished(self, pose: PersonPose, track: AssignedTrack | None, time_s: float) -> PersonPose:
        """Return a pose with its track id and smoothed joints; a person without a track has neither."""
        if track is None:
            return pose
        options = self._options.smoothing
        if options is None:
            return replace(pose, track_id=track.track_id)
        self._filters = {key: one for key, one in self._filters.items() if time_s - one[0] <= options.max_gap_s}
        _, smooth = self._filters.get(track.key, (time_s, OneEuroFilter(options)))
        self._filters[track.key] = time_s, smooth
        return replace(pose, track_id=track.track_id, joints=smooth(pose.joints, max(pose.person.box[2:]), time_s))


def _move_box(old: PersonPose, new: PersonPose) -> Box:
    """Return the box of the last frame, moved and scaled as the joints that are certain in both frames were."""
    both = _certain_joints(old) & _certain_joints(new)
    if both.sum() < _MIN_CERTAIN_JOINTS:
        return new.person.box
    before, after = old.joints[both], new.joints[both]
    spread = float(np.linalg.norm(before - before.mean(axis=0))), float(np.linalg.norm(after - after.mean(axis=0)))
    growth = float(np.clip(spread[1] / max(spread[0], 1e-9), 1 / _MAX_GROWTH, _MAX_GROWTH))
    x, y, width, height = old.person.box
    low = after.mean(axis=0) + growth * (np.array([x, y]) - before.mean(axis=0))
    return float(low[0]), float(low[1]), growth * width, growth * height


def _meet(boxes: Sequence[Box]) -> NDArray[np.bool_]:
    """Return (n,) whether a box overlaps another one, so that its joints may be those of the other person."""
    given = np.array(boxes).reshape(-1, 4)
    overlaps = box_overlaps(given, given)
    np.fill_diagonal(overlaps, 0)
    return np.asarray((overlaps > _MEETING_OVERLAP).any(axis=1))


def _certain_joints(pose: PersonPose) -> NDArray[np.bool_]:
    is_certain = pose.scores >= _CERTAIN * float(np.median(pose.scores))
    return np.asarray(np.isfinite(pose.joints).all(axis=1) & is_certain)

"""Tests of posescope.prediction.video.frame_follower, with a network that finds the reddest and the greenest pixel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.image_io.video import VideoFile
from posescope.prediction.poses import DetectedPerson
from posescope.prediction.predictor import PosedImage
from posescope.prediction.video.frame_follower import FrameFollower, VideoOptions
from posescope.prediction.video.one_euro import SmoothingOptions

VIDEO, OTHER = VideoFile("a.mp4"), VideoFile("b.mp4")  # type: ignore[arg-type]


def frame(index: int, *hands: tuple[int, int], video: VideoFile = VIDEO) -> NamedImage:
    """Return a frame in which each person has a red pixel at its place, and a green one 20 px to the right and below."""
    pixels = np.zeros((120, 240, 3), np.uint8)
    for x, y in hands:
        pixels[y, x, 0] = pixels[y + 20, x + 20, 1] = 255
    return NamedImage(f"a.mp4#{index}", pixels, index, video, index, index / 25)


class Detect:
    """Returns a box around each red pixel, and counts the calls."""

    def __init__(self, score: float = 0.9) -> None:
        self.calls, self.score = 0, score

    def __call__(self, image: NamedImage) -> Sequence[DetectedPerson]:
        self.calls += 1
        rows, columns = np.nonzero(image.pixels[..., 0])
        return [
            DetectedPerson(image.info, (float(x - 20), float(y - 20), 60.0, 60.0), self.score)
            for x, y in sorted(zip(columns.tolist(), rows.tolist(), strict=True))
        ]


def follow(estimator: PoseEstimator, frames: Sequence[NamedImage], detect: Any, **options: Any) -> list[PosedImage]:
    follower = FrameFollower(estimator.predictor(2), detect, VideoOptions(**options))
    return [follower.predict(one) for one in frames]


def ids(posed: PosedImage) -> list[int | None]:
    return [person.track_id for person in posed.poses.persons]


def test_persons_have_the_same_id_in_all_frames(spots_estimator: PoseEstimator) -> None:
    frames = [frame(index, (30 + 2 * index, 30), (150 - 2 * index, 40)) for index in range(6)]
    detect = Detect()
    found = follow(spots_estimator, frames, detect)
    assert detect.calls == 6
    assert [ids(one) for one in found] == [[1, 2]] * 6
    assert found[3].image is frames[3]
    np.testing.assert_allclose(found[3].poses.joints[0], [(36, 30), (56, 50)], atol=1)
    records = found[3].poses.to_coco()
    assert [(one["frame"], one["time_s"], one["track_id"]) for one in records] == [(3, 0.12, 1), (3, 0.12, 2)]


def test_boxes_follow_the_joints_between_detections(spots_estimator: PoseEstimator) -> None:
    frames = [frame(index, (30 + 8 * index, 30 + 3 * index)) for index in range(12)]
    detect = Detect()
    found = follow(spots_estimator, frames, detect, detect_every=6)
    assert detect.calls == 2
    assert [ids(one) for one in found] == [[1]] * 12
    for index, one in enumerate(found):
        np.testing.assert_allclose(one.poses.joints[0, 0], (30 + 8 * index, 30 + 3 * index), atol=1.5)


def test_person_whose_joints_disappear_is_not_followed(spots_estimator: PoseEstimator) -> None:
    frames = [frame(0, (30, 30)), frame(1, (30, 30)), frame(2), frame(3), frame(4, (30, 30))]
    found = follow(spots_estimator, frames, Detect(), detect_every=4)
    assert [ids(one) for one in found] == [[1], [1], [], [], [1]]


def test_two_boxes_of_one_person_become_one(spots_estimator: PoseEstimator) -> None:
    def detect(image: NamedImage) -> list[DetectedPerson]:
        return [DetectedPerson(image.info, (x, 10.0, 60.0, 60.0)) for x in (8.0, 12.0)]

    found = follow(spots_estimator, [frame(index, (30, 30)) for index in range(3)], detect, detect_every=3)
    assert [len(one.poses) for one in found] == [2, 1, 1]


def test_each_video_begins_anew(spots_estimator: PoseEstimator) -> None:
    frames = [frame(0, (30, 30)), frame(1, (30, 30)), frame(0, (150, 30), video=OTHER), frame(1, (150, 30), video=OTHER)]
    detect = Detect()
    found = follow(spots_estimator, frames, detect, detect_every=2)
    assert [ids(one) for one in found] == [[1]] * 4
    assert detect.calls == 2


def test_smoothing_begins_with_the_track(spots_estimator: PoseEstimator) -> None:
    frames = [frame(index, (30 + index % 2, 30)) for index in range(20)]
    raw = follow(spots_estimator, frames, Detect())
    smooth = follow(spots_estimator, frames, Detect(), smoothing=SmoothingOptions(speed_coefficient=0))
    np.testing.assert_array_equal(raw[0].poses.joints, smooth[0].poses.joints)
    x = [np.array([one.poses.joints[0, 0, 0] for one in found]) for found in (raw, smooth)]
    assert x[1][10:].std() < 0.5 * x[0][10:].std()


def test_person_without_track_is_neither_numbered_nor_smoothed(spots_estimator: PoseEstimator) -> None:
    frames = [frame(index, (30 + index, 30)) for index in range(3)]
    found = follow(spots_estimator, frames, Detect(score=0.3), smoothing=SmoothingOptions())
    assert [ids(one) for one in found] == [[None]] * 3
    np.testing.assert_allclose(found[2].poses.joints[0, 0], (32, 30), atol=0.5)


def test_options_have_bounds() -> None:
    with pytest.raises(ValueError, match="detect_every"):
        VideoOptions(detect_every=0)

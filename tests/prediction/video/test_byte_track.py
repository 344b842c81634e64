"""Tests of posescope.prediction.video.byte_track."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.prediction.video.poses_of_boxes import person_in

from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import COCO_PERSON
from posescope.prediction.video.byte_track import ByteTrack, ByteTrackOptions
from posescope.prediction.video.tracker import TrackedPerson

LEFT, RIGHT = (0.0, 0.0, 50.0, 100.0), (300.0, 0.0, 50.0, 100.0)


def make(**options: Any) -> ByteTrack:
    return ByteTrack(ByteTrackOptions(**options), COCO_PERSON)


def ids(tracker: ByteTrack, time_s: float, *persons: TrackedPerson) -> list[int | None]:
    return [None if track is None else track.track_id for track in tracker.update(persons, time_s)]


def shifted(box: Sequence[float], dx: float) -> tuple[float, float, float, float]:
    return box[0] + dx, box[1], box[2], box[3]


def test_installed_by_name() -> None:
    spec = ComponentSpec(name="byte_track", options={"max_lost_s": 2})
    assert build("trackers", spec, skeleton=COCO_PERSON).options.max_lost_s == 2


def test_no_persons() -> None:
    tracker = make()
    assert ids(tracker, 0) == []
    assert tracker.expect(0.1) == []


@pytest.mark.parametrize("similarity", ["boxes", "poses"])
def test_ids_follow_the_persons_whatever_their_order(similarity: str) -> None:
    tracker = make(similarity=similarity)
    assert ids(tracker, 0, person_in(LEFT), person_in(RIGHT)) == [1, 2]
    assert ids(tracker, 0.1, person_in(shifted(RIGHT, -4)), person_in(shifted(LEFT, 4))) == [2, 1]


def test_person_of_a_later_frame_has_an_id_when_it_is_found_again() -> None:
    tracker = make()
    ids(tracker, 0, person_in(LEFT))
    assert ids(tracker, 0.1, person_in(LEFT), person_in(RIGHT)) == [1, None]
    assert ids(tracker, 0.2, person_in(LEFT), person_in(RIGHT)) == [1, 2]
    tracker = make(min_frames=1)
    ids(tracker, 0, person_in(LEFT))
    assert ids(tracker, 0.1, person_in(LEFT), person_in(RIGHT)) == [1, 2]


def test_person_with_a_low_score_keeps_its_track_and_begins_none() -> None:
    tracker = make()
    assert ids(tracker, 0, person_in(LEFT), person_in(RIGHT, score=0.2)) == [1, None]
    assert ids(tracker, 0.1, person_in(LEFT, score=0.2)) == [1]
    assert ids(tracker, 0.2, person_in(shifted(LEFT, 40), score=0.2)) == [None], "the overlap is below min_low_similarity"


def test_lost_person_is_found_again_only_for_a_time() -> None:
    for pause_s, expected in ((0.9, 1), (1.2, None)):
        tracker = make()
        ids(tracker, 0, person_in(LEFT))
        assert ids(tracker, 0.1) == []
        ids(tracker, pause_s)
        assert ids(tracker, pause_s, person_in(LEFT)) == [expected]


def test_moving_person_is_found_where_it_is_expected() -> None:
    tracker = make()
    for frame in range(10):
        assert ids(tracker, frame / 10, person_in(shifted(LEFT, 15 * frame))) == [1]
    (expected,) = tracker.expect(1.0)
    assert expected.box == pytest.approx(shifted(LEFT, 150), abs=2)
    ids(tracker, 1.0)
    assert tracker.expect(1.1) == [], "who is lost is not followed"
    assert ids(tracker, 1.3, person_in(shifted(LEFT, 195))) == [1], "its last box does not overlap this one"


def test_crossing_persons_keep_their_ids() -> None:
    tracker = make()
    for frame in range(31):
        boxes = shifted(LEFT, 10 * frame), shifted(RIGHT, -10 * frame)
        assert ids(tracker, frame / 25, *map(person_in, boxes)) == [1, 2]


def test_followed_person_needs_no_overlap() -> None:
    tracker = make()
    (track,) = tracker.update([person_in(LEFT)], 0)
    assert track is not None
    assert ids(tracker, 0.1, person_in(RIGHT, track=track.key)) == [1]
    assert ids(tracker, 0.2, person_in(RIGHT, track=99)) == [None], "a track that has ended"

"""Tests of posescope.explorer.trial_pictures."""

import numpy as np

from posescope.core.skeleton import Skeleton
from posescope.explorer.trial_pictures import draw_evidence, draw_tried_person, shrink_photograph
from posescope.prediction.poses import DetectedPerson, ImageInfo, PersonPose

SKELETON = Skeleton(("left_hand", "right_hand"), ((0, 1),), (0.05, 0.05))


def pose_at(joints: list[list[float]], **changes: object) -> PersonPose:
    person = DetectedPerson(ImageInfo("a.jpg", 1, (100, 200)), (0, 0, 200, 100))
    return PersonPose(person, np.array(joints), np.ones(2, np.float32), np.zeros((2, 2), np.float32), **changes)  # type: ignore[arg-type]


def test_photograph_is_shrunk_only_if_it_is_larger() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    assert shrink_photograph(image, 200) is image
    assert shrink_photograph(image, 50).shape == (25, 50, 3)
    assert shrink_photograph(np.zeros((1, 3000, 3), np.uint8), 100).shape == (1, 100, 3)


def test_joints_are_drawn_at_their_place_in_the_shrunk_photograph() -> None:
    image = np.full((100, 200, 3), 128, np.uint8)
    shown = draw_tried_person(image, pose_at([[40, 20], [160, 80]]), SKELETON, longest_px=100)
    assert shown.shape == (50, 100, 3)
    assert tuple(shown[10, 20]) == (245, 150, 0)  # left is orange
    assert tuple(shown[40, 80]) == (0, 125, 235)
    assert (image == 128).all()


def test_radius_is_drawn_in_px_of_the_picture() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    pose = pose_at([[100, 50], [100, 50]], radii=np.array([30.0, np.nan]), do_not_trust=np.array([False, False]))
    shown = draw_tried_person(image, pose, SKELETON, longest_px=100)
    bright = np.argwhere((shown > 120).all(axis=2))
    assert len(bright)
    np.testing.assert_allclose(np.linalg.norm(bright - [24.75, 49.75], axis=1), 15, atol=1.5)  # (50 + 0.5) / 2 - 0.5


def test_joints_not_to_be_trusted_are_rings() -> None:
    image = np.full((100, 200, 3), 128, np.uint8)
    places = [[60.0, 50.0], [140.0, 50.0]]
    plain = draw_tried_person(image, pose_at(places, radii=np.full(2, 400.0), do_not_trust=np.array([False, True])), SKELETON)
    assert tuple(plain[50, 60]) == (245, 150, 0)
    assert tuple(plain[50, 140]) == (128, 128, 128)


def test_evidence_is_brightest_where_it_is_strongest() -> None:
    evidence = np.zeros((64, 64), np.float32)
    evidence[16, 48] = -1  # pixels that lower the peak count, too
    shown = draw_evidence(np.full((64, 64, 3), 60, np.uint8), evidence, np.array([8.0, 56.0]), height_px=256)
    assert shown.shape == (256, 256, 3)
    grey = shown.sum(axis=2).astype(int)
    assert grey[66, 194] > grey[130, 130] + 100
    assert tuple(shown[226, 34]) == (255, 255, 255)  # the joint

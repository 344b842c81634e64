import numpy as np

from posescope.core.skeleton import Skeleton
from posescope.explainability.label_errors.label_error_images import MARK_RGB, draw_suspicions

SKELETON = Skeleton(("left_dot", "right_dot"), ((0, 1),), (0.1, 0.1))


def marked_px(image: np.ndarray) -> np.ndarray:
    return (image == MARK_RGB).all(axis=2)


def test_ring_at_the_doubtful_joint_of_both_poses() -> None:
    images = np.zeros((1, 32, 32, 3), np.uint8)
    annotated, predicted = np.array([[[0.2, 0.2], [0.8, 0.8]]]), np.array([[[0.8, 0.2], [0.8, 0.8]]])
    image = draw_suspicions(images, annotated, predicted, [[0]], ["1. displaced"], SKELETON)
    columns = np.flatnonzero(marked_px(image).any(axis=0))
    assert columns.min() < image.shape[1] / 4
    assert columns.max() > 3 * image.shape[1] / 4
    plain = draw_suspicions(images, annotated, predicted, [[]], ["1. displaced"], SKELETON)
    assert not marked_px(plain).any()


def test_missing_joint_has_no_ring() -> None:
    pose = np.array([[[np.nan, np.nan], [0.5, 0.5]]])
    assert not marked_px(draw_suspicions(np.zeros((1, 8, 8, 3), np.uint8), pose, pose, [[0]], [""], SKELETON)).any()

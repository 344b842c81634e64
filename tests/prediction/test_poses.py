"""Tests of posescope.prediction.poses: COCO results, data frames, supervision key points and drawing."""

import numpy as np
import pytest

from posescope.core.skeleton import Skeleton
from posescope.prediction.poses import DetectedPerson, ImageInfo, ImagePoses, PersonPose

INFO = ImageInfo("a.jpg", 7, (60, 80))
HANDS = Skeleton(("left_hand", "right_hand"), ((0, 1),), (0.1, 0.1), category_id=3)


@pytest.fixture
def poses() -> ImagePoses:
    """Return two persons; an integer is the centre of a pixel."""
    persons = [
        PersonPose(
            DetectedPerson(INFO, (x - 0.5, 1.5, 10.0, 20.0), 0.5),
            np.array([[x, 3.0], [x + 1, 4.25]]),
            scores,
            np.array([[1, x], [2, x]], np.float32),
        )
        for x, scores in ((5.0, np.array([0.8, 0.4], np.float32)), (30.0, np.array([0.2, 0.6], np.float32)))
    ]
    return ImagePoses(INFO, tuple(persons), HANDS)


def test_coco_results_have_coco_edges(poses: ImagePoses) -> None:
    first, second = poses.to_coco()
    assert first == {
        "image_id": 7, "file_name": "a.jpg", "category_id": 3, "bbox": [5.0, 2.0, 10.0, 20.0], "score": 0.3,
        "keypoints": [5.0, 3.0, 0.8, 6.0, 4.25, 0.4],
    }  # fmt: skip
    assert second["bbox"] == [30.0, 2.0, 10.0, 20.0]


def test_data_frame_has_one_row_per_joint(poses: ImagePoses) -> None:
    table = poses.to_dataframe()
    assert table["person"].tolist() == [0, 0, 1, 1]
    assert table["joint"].tolist() == ["left_hand", "right_hand"] * 2
    assert table["x"].tolist() == [5, 6, 30, 31]
    assert table["crop_y"].tolist() == [5, 5, 30, 30]
    assert table["person_score"].tolist() == pytest.approx([0.3, 0.3, 0.2, 0.2])
    assert (table["image_id"] == 7).all()


def test_supervision_key_points_can_be_drawn(poses: ImagePoses) -> None:
    supervision = pytest.importorskip("supervision", reason="supervision is not installed (extra dev)")
    found = poses.to_supervision()
    assert isinstance(found, supervision.KeyPoints)
    np.testing.assert_allclose(found.xy, poses.joints)
    np.testing.assert_allclose(found.keypoint_confidence, poses.scores)
    np.testing.assert_allclose(found.detection_confidence, [0.3, 0.2], atol=1e-6)
    assert found.class_id.tolist() == [0, 0]
    # The annotators of supervision accept the key points.
    drawn = supervision.VertexAnnotator(radius=1).annotate(np.zeros((60, 80, 3), np.uint8), found)
    assert drawn[3, 5].any()
    assert drawn[3, 30].any()


def test_drawing_does_not_change_the_image(poses: ImagePoses) -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    drawn = poses.draw(image)
    assert not image.any()
    assert drawn[3, 5].any()
    no_persons = ImagePoses(INFO, (), HANDS)
    assert no_persons.draw(image) is not image
    assert no_persons.to_coco() == []
    assert no_persons.to_dataframe().empty
    assert len(no_persons) == 0

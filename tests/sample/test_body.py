import numpy as np
import pytest

from posescope.sample.body import pose_skeleton, rotation_x, rotation_y, rotation_z, sample_body_shape
from posescope.sample.poses import Arm, Leg, Pose

BODY = sample_body_shape(0)
STRAIGHT = Pose("attention", Arm(0, 0, 0, 0), Arm(0, 0, 0, 0), Leg(0, 0, 0, 0), Leg(0, 0, 0, 0))  # all angles are zero


@pytest.mark.parametrize("joint", ["eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"])
def test_left_joints_are_right_in_the_image_from_the_front_and_left_from_behind(joint: str) -> None:
    front = pose_skeleton(BODY, STRAIGHT, yaw=0, camera_pitch=5).points
    back = pose_skeleton(BODY, STRAIGHT, yaw=180, camera_pitch=5).points
    assert front[f"left_{joint}"][0] > 0 > front[f"right_{joint}"][0]
    assert back[f"left_{joint}"][0] < 0 < back[f"right_{joint}"][0]


def test_yaw_90_faces_right_with_the_right_side_near() -> None:
    points = pose_skeleton(BODY, STRAIGHT, yaw=90, camera_pitch=0).points
    assert points["nose"][0] > points["head"][0] + 0.9 * BODY.head[2]
    # Left is +x of the body; rotated by 90 degrees about y it is -z, away from the camera.
    assert points["right_shoulder"][2] > points["left_shoulder"][2]


def test_nose_is_near_from_the_front_and_far_from_behind() -> None:
    for yaw, sign in ((0, 1), (180, -1)):
        points = pose_skeleton(BODY, STRAIGHT, yaw, camera_pitch=0).points
        assert sign * (points["nose"][2] - points["head"][2]) > 0


def test_standing_to_attention_by_hand() -> None:
    skeleton = pose_skeleton(BODY, STRAIGHT, yaw=0, camera_pitch=0)
    np.testing.assert_allclose(skeleton.points["left_hip"], [BODY.hip_half, 0, 0], atol=1e-12)
    np.testing.assert_allclose(skeleton.points["left_knee"], [BODY.hip_half, -BODY.thigh, 0], atol=1e-12)
    np.testing.assert_allclose(skeleton.points["right_ankle"], [-BODY.hip_half, -BODY.thigh - BODY.shank, 0], atol=1e-12)
    assert skeleton.ground == pytest.approx(-BODY.thigh - BODY.shank - BODY.ankle_height)


def test_angles_rotate_the_limbs_as_in_anatomy() -> None:
    pose = Pose(
        "test", Arm(abduction=90, elbow=0), Arm(flexion=90, abduction=0, elbow=0), Leg(flexion=90, abduction=0, twist=0, knee=90)
    )
    points = pose_skeleton(BODY, pose, yaw=0, camera_pitch=0).points
    arm_out = points["left_elbow"] - points["left_shoulder"]
    np.testing.assert_allclose(arm_out, [BODY.upper_arm, 0, 0], atol=1e-9)  # sideways, to the person's left
    forward = points["right_elbow"] - points["right_shoulder"]
    assert forward[2] == pytest.approx(BODY.upper_arm)  # abduction rotates a raised arm about its axis
    thigh, shank = points["left_knee"] - points["left_hip"], points["left_ankle"] - points["left_knee"]
    np.testing.assert_allclose(thigh, [0, 0, BODY.thigh], atol=1e-9)  # forward
    np.testing.assert_allclose(shank, [0, -BODY.shank, 0], atol=1e-9)  # straight down again


def test_elbow_bends_forward_and_knee_backward() -> None:
    pose = Pose("test", Arm(abduction=0, elbow=90), Arm(), Leg(abduction=0, knee=60), Leg())
    points = pose_skeleton(BODY, pose, yaw=0, camera_pitch=0).points
    assert points["left_wrist"][2] - points["left_elbow"][2] == pytest.approx(BODY.forearm)
    assert points["left_ankle"][2] < points["left_knee"][2]


def test_bones_keep_their_lengths_in_any_view() -> None:
    points = pose_skeleton(BODY, STRAIGHT, yaw=37, camera_pitch=9).points
    for side in ("left", "right"):
        assert np.linalg.norm(points[f"{side}_wrist"] - points[f"{side}_elbow"]) == pytest.approx(BODY.forearm)
        assert np.linalg.norm(points[f"{side}_ankle"] - points[f"{side}_knee"]) == pytest.approx(BODY.shank)


def test_rotations_by_hand() -> None:
    np.testing.assert_allclose(rotation_x(90) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(rotation_y(90) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(rotation_z(90) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_joints_are_in_coco_order() -> None:
    skeleton = pose_skeleton(BODY, STRAIGHT, yaw=0, camera_pitch=0)
    assert skeleton.joints.shape == (17, 3)
    np.testing.assert_array_equal(skeleton.joints[0], skeleton.points["nose"])
    np.testing.assert_array_equal(skeleton.joints[16], skeleton.points["right_ankle"])

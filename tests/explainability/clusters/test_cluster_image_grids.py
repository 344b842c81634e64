from dataclasses import replace

import numpy as np

from posescope.explainability.clusters.cluster_image_grids import draw_mean_skeletons, mean_skeletons, rank_members


def test_medoid_nearest_and_farthest_persons_without_duplicates() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1])
    distance_to_centre = np.array([3.0, 1.0, 2.0, 9.0, 1.0, 0.0])
    shown = rank_members(labels, distance_to_centre, np.array([2, 4]), nearest=2, farthest=3)
    assert [(near.tolist(), far.tolist()) for near, far in shown] == [([2, 1], [0, 3]), ([4, 5], [])]


def test_mean_skeleton_over_labelled_joints_only(inputs_of, scattered_crops) -> None:
    crops = scattered_crops.subset(np.arange(12))
    joints = np.full((12, 2, 2), np.nan, np.float32)
    joints[:6, 0] = np.arange(6)[:, None]  # mean 2.5
    joints[0, 1] = 8.0  # one of six has it: too few
    visibility = np.isfinite(joints[..., 0]).astype(np.uint8)
    inputs = inputs_of(replace(crops, targets=replace(crops.targets, joints=joints, visibility=visibility)))
    visibility[0, 1] = 2
    means, origins = mean_skeletons(inputs, np.repeat([0, 1], 6), 2)
    assert means[0, 0].tolist() == [2.5, 2.5]
    assert np.isnan(means[0, 1]).all()
    # No person of the second cluster is annotated, so joints are predicted.
    assert origins == ["annotated", "predicted"]
    assert np.isfinite(means[1]).all()
    grid = draw_mean_skeletons(inputs, np.repeat([0, 1], 6), ["cluster 1", "cluster 2"])
    assert grid.shape[1] == 2 * 190 + 3 * 4

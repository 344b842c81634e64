from dataclasses import replace

import numpy as np
import pytest

from posescope.explainability.clusters.cluster_image_grids import draw_mean_skeletons, mean_skeletons, rank_members
from posescope.explainability.clusters.cluster_scatter import plot_interactive_plane, plot_plane, project_to_plane


def test_medoid_first_then_the_nearest_and_the_farthest_nobody_twice() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1])
    distance_to_centre = np.array([3.0, 1.0, 2.0, 9.0, 1.0, 0.0])
    first, second = rank_members(labels, distance_to_centre, np.array([2, 4]), nearest=2, farthest=3)
    assert first.nearest.tolist() == [2, 1]
    assert first.farthest.tolist() == [0, 3]
    assert second.nearest.tolist() == [4, 5]
    assert second.farthest.tolist() == []


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
    # Nobody of the second cluster is annotated: the network's own answers.
    assert origins == ["annotated", "predicted"]
    assert np.isfinite(means[1]).all()
    sheet = draw_mean_skeletons(inputs, np.repeat([0, 1], 6), ["cluster 1", "cluster 2"])
    assert sheet.shape[1] == 2 * 190 + 3 * 4


def test_the_map_has_every_person_where_the_components_put_it(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops)
    plane, labels = project_to_plane(inputs), np.arange(41) % 2
    assert plane.points == pytest.approx(inputs.components.project(inputs.features.values, 2))
    assert plane.titles[0] == "component 1 (100.0% of the variance)"
    figure = plot_interactive_plane(plane, labels, ["a", "b"], [str(row) for row in range(41)])
    assert figure.data[1].text[:2] == ("1", "3")
    assert np.allclose(figure.data[1].x, plane.points[1::2, 0], rtol=1e-3)
    picture = plot_plane(plane, labels, ["a", "b"])
    assert picture.dtype == np.uint8
    assert picture.std() > 0

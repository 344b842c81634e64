"""Tests of posescope.training.joint_axes."""

from dataclasses import replace

import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec
from posescope.models.plain_modules import build_network
from posescope.training.joint_axes import copy_joints, find_joint_axes, shape_with_joints


def test_axes_of_the_stacked_hourglass(untrained: PoseModel) -> None:
    found = find_joint_axes(untrained)
    assert found.axes == {
        "heads.0.project.weight": (0,),
        "heads.0.project.bias": (0,),
        "heads.1.project.weight": (0,),
        "heads.1.project.bias": (0,),
        "merge_heatmaps.0.weight": (1,),
    }
    assert found.inseparable == frozenset()


def test_axes_of_a_plain_module(untrained: PoseModel) -> None:
    spec = ComponentSpec(name="tests.extension.package.posescope_extension.plain:SmallNet", options={"channels": 4})
    network = build_network(spec, untrained.crop_size, len(untrained.skeleton))
    found = find_joint_axes(replace(untrained, network=network, model_spec=spec))
    assert found.axes == {"network.head.weight": (0,), "network.head.bias": (0,)}


def test_finding_axes_draws_no_random_numbers(untrained: PoseModel) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    find_joint_axes(untrained)
    assert torch.equal(torch.rand(1), expected)


def test_copy_of_joints_on_one_and_two_axes() -> None:
    target, source = torch.zeros(2, 3), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert copy_joints(target, source, (1,), [(2, 0)]).tolist() == [[0, 0, 1], [0, 0, 3]]
    square = copy_joints(torch.zeros(3, 3), source, (0, 1), [(0, 1), (2, 0)])
    assert square.tolist() == [[4, 0, 3], [0, 0, 0], [2, 0, 1]]
    assert target.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_shape_with_another_number_of_joints() -> None:
    assert shape_with_joints((3, 8, 3, 1), (0, 2), 5) == (5, 8, 5, 1)

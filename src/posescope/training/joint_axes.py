"""Axes of a network's tensors that are indexed by joints: the rows of a head, the columns of what reads its heatmaps.

They are found by building the network for one joint more and comparing the shapes, so that no network has to list them:

    heads.0.project.weight          (17, 64, 1, 1) -> (18, 64, 1, 1)    axis 0
    merge_heatmaps.0.weight         (64, 17, 1, 1) -> (64, 18, 1, 1)    axis 1
    heads.0.project.weight, thesis  (17, 17, 1, 1) -> (18, 18, 1, 1)    axes 0 and 1
    a layer with two rows a joint   (34, 64)       -> (36, 64)          depends on the joints, has no such axis
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from posescope.artifacts.pose_model import PoseModel
from posescope.core.torch_rng import fork_torch_rng
from posescope.models.plain_modules import build_network

__all__ = ["JointAxes", "copy_joints", "find_joint_axes", "shape_with_joints"]


@dataclass(frozen=True)
class JointAxes:
    """Tensors whose shapes depend on the number of joints.

    Attributes:
        axes: axes of K joints by name of the tensor.
        inseparable: names of tensors that depend on the number of joints in another way.
    """

    axes: Mapping[str, tuple[int, ...]]
    inseparable: frozenset[str]


def find_joint_axes(model: PoseModel) -> JointAxes:
    """Return the tensors of a network whose shapes depend on the number of joints.

    Args:
        model: its network is built again for one joint more, without memory where its class allows it.

    Raises:
        OptionsError: The network cannot be built for another number of joints.
    """
    count = len(model.skeleton)
    shapes = {name: tuple(value.shape) for name, value in model.network.state_dict().items()}
    wider = _shapes_for(model, count + 1)
    axes: dict[str, tuple[int, ...]] = {}
    inseparable: set[str] = set()
    for name, shape in shapes.items():
        other = wider.get(name, ())
        if shape == other:
            continue
        changed = [axis for axis, (a, b) in enumerate(zip(shape, other, strict=False)) if a != b]
        if len(other) == len(shape) and all((shape[axis], other[axis]) == (count, count + 1) for axis in changed):
            axes[name] = tuple(changed)
        else:
            inseparable.add(name)
    return JointAxes(axes, frozenset(inseparable))


def shape_with_joints(shape: Sequence[int], axes: Sequence[int], count: int) -> tuple[int, ...]:
    """Return a shape with another number of joints on its axes of joints."""
    return tuple(count if axis in axes else length for axis, length in enumerate(shape))


def copy_joints(target: Tensor, source: Tensor, axes: Sequence[int], pairs: Sequence[tuple[int, int]]) -> Tensor:
    """Return a tensor with the values of some joints from another one.

    Args:
        target: tensor with K joints along each of `axes`; not changed.
        source: tensor of the same shape except for its number of joints.
        axes: axes of joints. Of several axes the values of which all joints are in `pairs` are copied.
        pairs: joint number in `target` and in `source` of each joint that is copied.

    Example:
        >>> copy_joints(torch.zeros(3, 1), torch.tensor([[5.0], [6.0]]), (0,), [(2, 0)]).flatten().tolist()
        [0.0, 0.0, 5.0]
    """
    here, there = (torch.tensor([pair[side] for pair in pairs], dtype=torch.int64) for side in (0, 1))
    values, result = source.to(target.dtype), target.clone()
    for axis in axes:
        values = values.index_select(axis, there)
    front = tuple(range(len(axes)))
    index = torch.meshgrid(*[here] * len(axes), indexing="ij")
    result.movedim(tuple(axes), front)[index] = values.movedim(tuple(axes), front)
    return result


def _shapes_for(model: PoseModel, joint_count: int) -> dict[str, tuple[int, ...]]:
    def make() -> dict[str, tuple[int, ...]]:
        network = build_network(model.model_spec, model.crop_size, joint_count)
        return {name: tuple(value.shape) for name, value in network.state_dict().items()}

    with fork_torch_rng():  # building a network draws its initial weights
        try:
            with torch.device("meta"):
                return make()
        except (NotImplementedError, RuntimeError):  # it reads values of its weights while it is built
            return make()

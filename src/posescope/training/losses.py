"""Losses of heatmaps, their construction, and intermediate supervision, which sums the loss over all stacks of a network.

`coordinate_losses` contains the losses that compare coordinates as well.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, TypeAlias, TypeGuard

import torch
from pydantic import Field
from torch import Tensor

from posescope.codecs.base import Codec, EncodedTargets
from posescope.core.plugins import Component, ComponentSpec, Options, build
from posescope.core.skeleton import Skeleton

__all__ = [
    "CoordinateLossFunction", "Loss", "LossFunction", "MeanSquaredError", "MeanSquaredErrorOptions", "build_loss", "supervise",
    "uses_joints",
]  # fmt: skip


class MeanSquaredErrorOptions(Options):
    """Options of `mse`."""

    foreground_weight: float = Field(
        default=0.0, ge=0, le=1000, description="The weight of a px is 1 + foreground_weight x target; 0: plain mean"
    )


class MeanSquaredError(Component[MeanSquaredErrorOptions]):
    """Mean squared error of heatmaps with a foreground weight.

    The mean over persons, joints and px of weight x (1 + foreground_weight x target) x (predicted - target)^2. Almost all px of a
    heatmap are background, and the plain mean is small for empty predictions. The foreground weight increases the influence of
    the peaks (docs/decisions/0006). A joint of weight 0 counts in the number of the mean, so that with weights of 1 the loss is
    that of the thesis.
    """

    def __call__(self, predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss, a scalar; see `LossFunction`."""
        px_weight = 1 + self.options.foreground_weight * target
        return ((px_weight * (predicted - target).square()).mean(dim=(2, 3)) * weight).mean()


class LossFunction(Protocol):
    """Contract of the components of `posescope.losses`: `loss(options)(predicted, target, weight) -> scalar`, for one stack."""

    def __call__(self, predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the mean loss over persons.

        Args:
            predicted: (N, K, H, W) heatmaps.
            target: (N, K, H, W) heatmaps.
            weight: (N, K) weight of each heatmap.
        """
        ...


class CoordinateLossFunction(Protocol):
    """Contract of losses that compare coordinates as well: components with `uses_joints = True`.

    `bind` is called once before the training. The function must not read values on the host.

    Attributes:
        uses_joints: true, which selects this contract.
    """

    uses_joints: ClassVar[bool]

    def bind(self, codec: Codec, skeleton: Skeleton) -> None:
        """Keep what the loss needs of the codec and the skeleton, or raise an OptionsError if the codec does not suit it."""
        ...

    def __call__(self, predicted: Tensor, target: Tensor, weight: Tensor, joints: Tensor) -> Tensor:
        """Return the mean loss over persons.

        Args:
            predicted, target, weight: see `LossFunction`.
            joints: (N, K, 2) heatmap px, NaN where unlabelled.
        """
        ...


Loss: TypeAlias = LossFunction | CoordinateLossFunction


def build_loss(spec: ComponentSpec, codec: Codec, skeleton: Skeleton) -> Loss:
    """Build the loss of a training.

    Args:
        spec: component of `losses`.
        codec: codec of the model.
        skeleton: skeleton of the model.

    Raises:
        OptionsError: The loss compares coordinates and the codec has none, or an option is invalid.
    """
    loss: Any = build("losses", spec)
    if uses_joints(loss):
        loss.bind(codec, skeleton)
    return loss  # type: ignore[no-any-return]


def uses_joints(loss: Loss) -> TypeGuard[CoordinateLossFunction]:
    """Return whether a loss is called with the coordinates of the joints."""
    return bool(getattr(loss, "uses_joints", False))


def supervise(outputs: Sequence[Tensor], targets: EncodedTargets, loss: Loss) -> Tensor:
    """Return the sum of the losses of all stacks (Newell et al. 2016), computed in float32.

    Args:
        outputs: (N, K, H, W) heatmaps of each stack.
        targets: targets of the same persons.
        loss: loss of one stack.
    """
    arguments = (targets.heatmaps, targets.weights, *((targets.joints,) if uses_joints(loss) else ()))
    function: Any = loss
    return torch.stack([function(output.float(), *arguments) for output in outputs]).sum()

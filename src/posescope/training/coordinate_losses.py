"""Losses of coordinates: the place of each joint in its heatmap, compared with the labelled one.

    loss = heatmap_weight x (mean squared error of the heatmaps) + mean over persons and joints of weight x error of the place

The place is the soft arg-max of the codec (`codecs.soft_argmax`), so that its gradient reaches every px. The first term keeps one
peak per heatmap, with the height that scores and the explainability read (Nibali et al. 2018 call it a regularisation). Without
it (`heatmap_weight: 0`) the values of a heatmap have no fixed scale.

    integral   smooth-L1 distance (Sun et al. 2018, "Integral Human Pose Regression", with L1)
    oks        1 - object keypoint similarity (Maji et al. 2022, "YOLO-Pose", eq. 5); its gradient vanishes far from the joint, so
               the heatmaps have to bring the place near it

A joint that is unlabelled has no error of its place, and counts in the number of the mean, as in `mse`.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, TypeVar

import torch
from pydantic import Field
from torch import Tensor

from posescope.codecs.base import Codec, CoordinateCodec
from posescope.core.errors import OptionsError
from posescope.core.plugins import Component
from posescope.core.skeleton import Skeleton
from posescope.training.losses import MeanSquaredError, MeanSquaredErrorOptions

__all__ = ["CoordinateLossOptions", "IntegralLoss", "IntegralLossOptions", "OksLoss", "OksLossOptions"]


class CoordinateLossOptions(MeanSquaredErrorOptions):
    """Options of all losses of coordinates."""

    heatmap_weight: float = Field(default=1.0, ge=0, le=1e6, description="Factor of the mean squared error of the heatmaps")
    coordinate_weight: float = Field(default=1.0, ge=0, le=1e6, description="Factor of the error of the places")


class IntegralLossOptions(CoordinateLossOptions):
    """Options of `integral`."""

    transition_heatmap_px: float = Field(
        default=1.0, ge=0, le=256, description="Distance up to which the error is quadratic, heatmap px; 0: L1"
    )


class OksLossOptions(CoordinateLossOptions):
    """Options of `oks`."""

    area_fraction: float = Field(
        default=0.24, gt=0, le=1, description="Area of a person as a fraction of the crop; 0.24 is the median of COCO's"
    )


OptionsT = TypeVar("OptionsT", bound=CoordinateLossOptions)


class _CoordinateLoss(Component[OptionsT], ABC):
    """Common part of the losses of coordinates."""

    uses_joints: ClassVar[bool] = True

    def __init__(self, options: OptionsT) -> None:
        super().__init__(options)
        self._heatmap_loss = MeanSquaredError(options)

    def bind(self, codec: Codec, skeleton: Skeleton) -> None:
        """Keep the codec.

        Args:
            codec: codec of the model.
            skeleton: skeleton of the model.

        Raises:
            OptionsError: The codec gives no coordinates.
        """
        if not isinstance(codec, CoordinateCodec):
            raise OptionsError(
                f"modelling.training.loss: expected a codec whose heatmaps have places with a gradient, found "
                f"{type(codec).__name__}. Set data_engineering.codec.name to gaussian, or the loss to mse."
            )
        self._codec = codec

    def __call__(self, predicted: Tensor, target: Tensor, weight: Tensor, joints: Tensor) -> Tensor:
        """Return the loss, a scalar; see `CoordinateLossFunction`."""
        labelled = ~joints.isnan().any(dim=2)
        offset = self._codec.locate(predicted) - joints.nan_to_num(0.0)
        errors = self._error(torch.where(labelled.unsqueeze(2), offset, torch.zeros_like(offset)), predicted.shape[2:])
        places = (errors * weight * labelled).mean()
        return (
            self.options.heatmap_weight * self._heatmap_loss(predicted, target, weight) + self.options.coordinate_weight * places
        )

    @abstractmethod
    def _error(self, offset: Tensor, map_size: torch.Size) -> Tensor:
        """Return the errors (N, K) of offsets (N, K, 2), heatmap px, in heatmaps of `map_size`, (height, width) px."""


class IntegralLoss(_CoordinateLoss[IntegralLossOptions]):
    """Mean squared error of heatmaps, and smooth-L1 distance of places as a fraction of the heatmap's longer side."""

    Options = IntegralLossOptions

    def _error(self, offset: Tensor, map_size: torch.Size) -> Tensor:
        distances = torch.nn.functional.smooth_l1_loss(
            offset, torch.zeros_like(offset), reduction="none", beta=self.options.transition_heatmap_px
        )
        return distances.sum(dim=2) / max(map_size)


class OksLoss(_CoordinateLoss[OksLossOptions]):
    """Mean squared error of heatmaps, and 1 - OKS of places.

    OKS = exp(-d^2 / (2 area (2 sigma)^2)) as in COCO's evaluator, with the sigmas of the skeleton. The area of the person itself
    is not known to a loss; crops are scaled to the person, so one fraction of the crop stands for it.
    """

    Options = OksLossOptions

    def bind(self, codec: Codec, skeleton: Skeleton) -> None:
        """Keep the codec and the sigmas of the skeleton; see `_CoordinateLoss.bind`."""
        super().bind(codec, skeleton)
        self._sigmas = torch.tensor(skeleton.oks_sigmas)

    def _error(self, offset: Tensor, map_size: torch.Size) -> Tensor:
        self._sigmas = self._sigmas.to(offset.device)  # copied once: a copy per step would delay a GPU
        variances = (2 * self._sigmas).square() * (self.options.area_fraction * math.prod(map_size))
        return 1 - torch.exp(-offset.square().sum(dim=2) / (2 * variances))

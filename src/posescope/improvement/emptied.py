"""A network whose bottlenecks tell nothing of a person: the control for whatever is put into them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from posescope.artifacts.pose_model import PoseModel
from posescope.explain.feature_store import FeatureSet
from posescope.explain.taps import held
from posescope.models.network import Edits, PoseNetwork

__all__ = ["empty_bottlenecks"]


class _Held(PoseNetwork):
    """A network with some taps held at a value."""

    def __init__(self, inner: PoseNetwork, edits: Edits) -> None:
        super().__init__()
        self.inner, self.edits = inner, edits
        self.map_size, self.tap_names = inner.map_size, inner.tap_names
        self.bottleneck_tap, self.skip_taps = inner.bottleneck_tap, inner.skip_taps

    def forward(self, images: Tensor, edits: Edits | None = None) -> list[Tensor]:
        found: list[Tensor] = self.inner(images, {**self.edits, **(edits or {})})
        return found


def empty_bottlenecks(model: PoseModel, features: Sequence[FeatureSet]) -> PoseModel:
    """The same model, in every forward pass of which each bottleneck is the mean over the persons of its features.

    Args:
        model: it is not changed, and shares its weights with the result, which can be run but not written.
        features: of its bottlenecks.
    """
    means = {one.tap: torch.from_numpy(_mean(one).reshape(1, *one.shape)) for one in features}
    return replace(model, network=_Held(model.network, held(means)).eval())


def _mean(features: FeatureSet) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(features.values.mean(axis=0, dtype=np.float64), dtype=np.float32)

"""A network together with all that is needed to use it: codec, skeleton, crop size, mean colour."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from posescope.artifacts.devices import copy_to_device
from posescope.codecs.base import Codec, DecodedJoints
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import Skeleton
from posescope.geometry.crop_recipe import CropRecipe
from posescope.geometry.flips import flip_images
from posescope.models.base import Interventions, PausedPass, PoseNetwork, Resumable

__all__ = ["PoseModel", "normalise_images"]

_AT_ONCE_ON_CPU = 2  # images that stay in the cache through all operations


def normalise_images(images: Tensor, mean_rgb: tuple[float, float, float]) -> Tensor:
    """Return images as the network takes them: value / 255 - mean.

    Args:
        images: (N, H, W, 3) uint8 RGB on any device.
        mean_rgb: is subtracted, 0..1.

    Returns:
        (N, 3, H, W) float32 on the same device, in channels-last layout, in about [-0.5, 0.5].
    """
    count, height, width, _ = images.shape
    normalised = torch.empty((count, 3, height, width), device=images.device, memory_format=torch.channels_last)
    # Whole rows at a time, in place: several times faster than three values at a time in fresh memory, and the same bits.
    rows, values = normalised.permute(0, 2, 3, 1).view(count, height, width * 3), images.reshape(count, height, width * 3)
    offsets = copy_to_device(torch.tensor(mean_rgb, dtype=torch.float32), images.device).repeat(width)
    at_once = _AT_ONCE_ON_CPU if images.device.type == "cpu" else max(count, 1)
    for first in range(0, count, at_once):
        part = slice(first, first + at_once)
        rows[part].copy_(values[part]).div_(255.0).sub_(offsets)
    return normalised


@dataclass(frozen=True)
class PoseModel:
    """A trained model.

    Attributes:
        network: its weights are on the device where it shall run.
        codec: decodes its heatmaps.
        skeleton: names its joints.
        crop_size: (height, width) px of its input.
        mean_rgb: 0..1, subtracted from the input.
        model_spec, codec_spec: name and options from which `network` and `codec` were built.
        crop: how the crops of the training data were cut.
        provenance: JSON-like: how it was trained.
    """

    network: PoseNetwork
    codec: Codec
    skeleton: Skeleton
    crop_size: tuple[int, int]
    mean_rgb: tuple[float, float, float]
    model_spec: ComponentSpec
    codec_spec: ComponentSpec
    crop: CropRecipe
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def crop_rule(self) -> str:
        """Name of the crop rule of the training data."""
        return self.crop.rule.name

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    def to(self, device: torch.device) -> "PoseModel":
        """The same model with its network moved (in place, as torch does) to a device."""
        return replace(self, network=self.network.to(device))

    @torch.no_grad()
    def heatmaps(self, images: Tensor, interventions: Interventions | None = None, flip_test: bool = False) -> Tensor:
        """Return the heatmaps of the last stack, in evaluation mode.

        Args:
            images: (N, H, W, 3) uint8 RGB on any device.
            interventions: changes of layers' activations, by layer name; refused together with `flip_test`, because they hold
                values of the unmirrored pass.
            flip_test: whether the heatmaps are averaged with those of the mirrored images.

        Returns:
            (N, K, h, w) float32 on the model's device.
        """
        if flip_test:
            if interventions:
                raise ValueError("flip_test and interventions cannot be combined: they hold values of the unmirrored pass.")
            plain, mirrored = self.heatmap_pair(images)
            return (plain + mirrored) / 2
        self.network.eval()
        maps: Tensor = self.network(normalise_images(images.to(self.device), self.mean_rgb), interventions)[-1].float()
        return maps

    @torch.no_grad()
    def heatmap_pair(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the heatmaps of the images, and those of the mirrored images, mirrored back by the codec; as `heatmaps`."""
        self.network.eval()
        batch = normalise_images(images.to(self.device), self.mean_rgb)
        maps: Tensor = self.network(batch)[-1].float()
        mirrored: Tensor = self.network(flip_images(batch))[-1].float()
        return maps, self.codec.unflip(mirrored, self.skeleton.flip_indices)

    @torch.no_grad()
    def pause(self, images: Tensor, interventions: Interventions | None = None) -> PausedPass:
        """(N, H, W, 3) uint8 RGB -> the forward pass as far as the network's bottleneck, in evaluation mode.

        Raises:
            TypeError: if the network is none whose pass can be paused (`Resumable`).
        """
        network = self._resumable()
        return network.pause(normalise_images(images.to(self.device), self.mean_rgb), interventions=interventions)

    @torch.no_grad()
    def resume(self, paused: PausedPass, interventions: Interventions | None = None) -> Tensor:
        """From a paused pass to heatmaps (N, K, h, w) float32; its bottleneck may be another one, of N points.

        Raises:
            TypeError: if the network is none whose pass can be paused (`Resumable`).
        """
        return self._resumable().resume(paused, interventions)[-1].float()

    def _resumable(self) -> Resumable:
        network = self.network.eval()
        if not isinstance(network, Resumable):
            raise TypeError(f"The network '{self.model_spec.name}' cannot be paused: it lacks the methods pause and resume.")
        return network

    def predict(self, images: Tensor, interventions: Interventions | None = None, flip_test: bool = False) -> DecodedJoints:
        """(N, H, W, 3) uint8 RGB -> joints in crop px and scores."""
        return self.codec.decode(self.heatmaps(images, interventions, flip_test))

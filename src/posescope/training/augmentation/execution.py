"""Bytes to planes of float32 with a map of colours a person: what augmented images are resampled from.

The memory between the steps is used again from part to part: fresh memory costs the kernel more than the arithmetic costs us.
"""

import torch
from torch import Tensor

from posescope.artifacts.devices import copy_to_device

__all__ = ["ImageNormaliser"]


class ImageNormaliser:
    """Makes planes of a few persons at a time; each call overwrites what the last one gave.

    Args:
        colour: (N, 3, 4) float32, values 0..1, or None where no colour changes.
        mean_rgb: 0..1, is subtracted.
        device: where the images are.
    """

    def __init__(self, colour: Tensor | None, mean_rgb: tuple[float, float, float], device: torch.device) -> None:
        self._mean_rgb = mean_rgb
        self._mean = copy_to_device(torch.tensor(mean_rgb), device).view(3, 1, 1)
        self._colour = colour
        if colour is not None:
            self._factors = colour[..., :3] / 255.0
            self._offsets = colour[..., 3:] - self._mean[..., 0]
        self._bytes, self._planes, self._values = (torch.empty(0, dtype=dtype, device=device) for dtype in _DTYPES)

    def make(self, images: Tensor, part: slice) -> Tensor:
        """Persons of a slice, (n, H, W, 3) uint8 RGB -> (n, 3, H, W) float32, each colour in one piece: quickest to resample."""
        count, height, width, _ = images.shape
        for memory in (self._bytes, self._planes, self._values):
            memory.resize_(count, 3, height, width)
        # First into planes, then into floats: a third quicker than both at once.
        planes = self._planes.copy_(self._bytes.copy_(images.permute(0, 3, 1, 2)))
        if self._colour is None:
            return planes.div_(255.0).sub_(self._mean)
        values = self._values.view(count, 3, height * width)
        torch.baddbmm(self._offsets[part], self._factors[part], planes.view_as(values), out=values)
        for plane, mean in zip(self._values.unbind(1), self._mean_rgb, strict=True):
            plane.clamp_(-mean, 1 - mean)
        return self._values


_DTYPES = (torch.uint8, torch.float32, torch.float32)

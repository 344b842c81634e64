"""Soft arg-max of heatmaps: a place with sub-pixel accuracy and a gradient.

A softmax turns a heatmap h into a distribution over its px, and the joint is the mean place of that distribution:

    p = softmax(h / temperature)          x = sum over px of p[y, x] x,   y = sum over px of p[y, x] y

It is the integral regression of Sun et al. 2018, "Integral Human Pose Regression", and the spatial mean of Nibali et al. 2018,
"Numerical Coordinate Regression with Convolutional Neural Networks" (DSNT). The px far from the peak move the mean towards the
middle of the map, the more the lower the peak: a peak of height 1 over M px of height 0 keeps its place only where
exp(1 / temperature) is much larger than M. A lower temperature approaches the arg-max and has a gradient at fewer px.
"""

import torch
from torch import Tensor

__all__ = ["soft_argmax"]


def soft_argmax(heatmaps: Tensor, temperature: float) -> Tensor:
    """Return the mean place of the softmax of each heatmap.

    Args:
        heatmaps: (N, K, H, W).
        temperature: divisor of the heatmap, > 0, in units of the heatmap.

    Returns:
        (N, K, 2) float32 x and y, heatmap px, within 0..W-1 and 0..H-1.

    Example:
        >>> soft_argmax(torch.tensor([[[[0.0, 1.0, 1.0, 0.0]]]]), temperature=0.01)
        tensor([[[1.5000, 0.0000]]])
    """
    shares = torch.softmax(heatmaps.float().flatten(2) / temperature, dim=2).view(heatmaps.shape)
    columns = torch.arange(heatmaps.shape[3], device=heatmaps.device, dtype=torch.float32)
    rows = torch.arange(heatmaps.shape[2], device=heatmaps.device, dtype=torch.float32)
    return torch.stack([(shares.sum(dim=2) * columns).sum(dim=2), (shares.sum(dim=3) * rows).sum(dim=2)], dim=-1)

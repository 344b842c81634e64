"""Affine maps of batches on the training device: the same matrices (N, 2, 3), named `dst_from_src`, move images and points.

`torch.nn.functional.grid_sample(align_corners=False)` has -1 at the left edge of a frame of W px and 1 at its right edge. Here
pixel centres are integers, so

    px      -0.5      0      1    ...   W-1    W-0.5           normalised = (2 px + 1) / W - 1
    norm.    -1     ...                  ...     1             px         = ((normalised + 1) W - 1) / 2
"""

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "apply_affine_batch",
    "compose_affine_batch",
    "fit_boxes",
    "invert_affine_batch",
    "lies_inside",
    "mirror_matrix",
    "separable_grid",
    "warp_images",
]


def apply_affine_batch(dst_from_src: Tensor, points: Tensor) -> Tensor:
    """Return the mapped points (N, M, 2) px; NaN stays NaN.

    Args:
        dst_from_src: (N, 2, 3).
        points: (N, M, 2) px of the source.
    """
    linear, offset = dst_from_src[..., :2], dst_from_src[..., 2]
    return (points.unsqueeze(-2) * linear.unsqueeze(1)).sum(-1) + offset.unsqueeze(1)


def compose_affine_batch(c_from_b: Tensor, b_from_a: Tensor) -> Tensor:
    """Return `c_from_a` (N, 2, 3).

    Args:
        c_from_b: (N, 2, 3), applied second.
        b_from_a: (N, 2, 3), applied first.
    """
    linear = c_from_b[..., :2] @ b_from_a[..., :2]
    offset = c_from_b[..., :2] @ b_from_a[..., 2:] + c_from_b[..., 2:]
    return torch.cat([linear, offset], dim=-1)


def invert_affine_batch(dst_from_src: Tensor) -> Tensor:
    """Return the inverse `src_from_dst` of (N, 2, 3)."""
    linear = torch.linalg.inv(dst_from_src[..., :2])
    return torch.cat([linear, -(linear @ dst_from_src[..., 2:])], dim=-1)


def mirror_matrix(width: int) -> Tensor:
    """Return the (2, 3) float64 map x -> W - 1 - x. It does not exchange left and right joints; see `geometry.flips`."""
    return torch.tensor([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)


def fit_boxes(low: Tensor, high: Tensor, frame_size: tuple[int, int], padding: float, max_zoom: float) -> Tensor:
    """Return the maps that centre boxes in a frame and scale them to fill it up to a margin.

    Args:
        low, high: (N, 2) float64 px, corners of the boxes.
        frame_size: (height, width) px.
        padding: side of the frame divided by that of the scaled box, in the tighter direction; >= 1.
        max_zoom: upper bound of the scale factor, also for a box without extent.

    Returns:
        (N, 2, 3) float64 px, with the same scale factor in x and y.
    """
    side = torch.tensor([frame_size[1], frame_size[0]], dtype=low.dtype, device=low.device)
    zoom = (side / (padding * (high - low))).amin(dim=1).clamp(max=max_zoom).view(-1, 1)
    offset = (side - 1) / 2 - zoom * (low + high) / 2
    linear = zoom.unsqueeze(-1) * torch.eye(2, dtype=low.dtype, device=low.device)
    return torch.cat([linear, offset.unsqueeze(-1)], dim=-1)


def lies_inside(points: Tensor, frame_size: tuple[int, int]) -> Tensor:
    """Return whether points are inside a frame, which spans [-0.5, W - 0.5] x [-0.5, H - 0.5].

    Args:
        points: (..., 2) px.
        frame_size: (height, width) px.

    Returns:
        (...) bool, False for NaN.
    """
    height, width = frame_size
    x, y = points[..., 0], points[..., 1]
    return (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)


def separable_grid(dst_from_src: Tensor, frame_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the sampling grid of affine maps in normalised coordinates, as the sum of a term per column and a term per row.

    Adding both terms is several times faster than multiplying every px by the matrix. Maps on the CPU are inverted there, so that
    no step waits for a GPU. The terms are rounded from float64 once.

    Args:
        dst_from_src: (N, 2, 3) float64 px.
        frame_size: (height, width) px of both frames.

    Returns:
        (N, 2, W) and (N, 2, H) float32, x and y; the second with the offset.
    """
    height, width = frame_size
    to_normalised = _normalised_from_pixels(height, width, dst_from_src)
    matrix = compose_affine_batch(to_normalised, invert_affine_batch(dst_from_src))
    columns = torch.arange(width, dtype=matrix.dtype, device=matrix.device)
    rows = torch.arange(height, dtype=matrix.dtype, device=matrix.device)
    return (matrix[..., 0:1] * columns).float(), (matrix[..., 1:2] * rows + matrix[..., 2:]).float()


def warp_images(images: Tensor, by_column: Tensor, by_row: Tensor) -> Tensor:
    """Resample images bilinearly, with 0 outside the source.

    Args:
        images: (N, C, H, W) float.
        by_column, by_row: `separable_grid` of the same N frames, on the same device.

    Returns:
        (N, C, H, W) with the type and the memory layout of `images`.
    """
    # A plane of x and a plane of y are faster to add and read than pairs.
    places = (by_column.unsqueeze(2) + by_row.unsqueeze(3)).permute(0, 2, 3, 1).to(images.dtype)
    return F.grid_sample(images, places, mode="bilinear", padding_mode="zeros", align_corners=False).contiguous(
        memory_format=torch.channels_last if images.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    )


def _normalised_from_pixels(height: int, width: int, like: Tensor) -> Tensor:
    rows = [[2 / width, 0.0, 1 / width - 1], [0.0, 2 / height, 1 / height - 1]]
    return torch.tensor(rows, dtype=like.dtype, device=like.device).expand_as(like)

"""Tests of posescope.geometry.warping: against geometry.affine, and images against points."""

import numpy as np
import torch

from posescope.geometry.affine import apply_affine, invert_affine
from posescope.geometry.flips import flip_images
from posescope.geometry.warping import (
    apply_affine_batch,
    compose_affine_batch,
    fit_boxes,
    invert_affine_batch,
    lies_inside,
    mirror_matrix,
    separable_grid,
    warp_images,
)

RNG = np.random.default_rng(3)
MAPS = RNG.normal(size=(4, 2, 3))
OTHERS = RNG.normal(size=(4, 2, 3))
POINTS = RNG.normal(size=(4, 5, 2))


def test_equals_the_numpy_maps() -> None:
    maps, others, points = (torch.from_numpy(array) for array in (MAPS, OTHERS, POINTS))
    np.testing.assert_allclose(apply_affine_batch(maps, points), apply_affine(MAPS, POINTS))
    composed = compose_affine_batch(maps, others)
    np.testing.assert_allclose(apply_affine_batch(composed, points), apply_affine(MAPS, apply_affine(OTHERS, POINTS)))
    np.testing.assert_allclose(invert_affine_batch(maps), invert_affine(MAPS))


def test_nan_points_stay_nan() -> None:
    moved = apply_affine_batch(torch.from_numpy(MAPS[:1]), torch.full((1, 1, 2), torch.nan, dtype=torch.float64))
    assert torch.isnan(moved).all()


def test_mirror_matrix_equals_flips() -> None:
    points = torch.from_numpy(POINTS)
    mirrored_points = apply_affine_batch(mirror_matrix(9).expand(4, 2, 3), points)
    np.testing.assert_allclose(mirrored_points, np.stack([8 - POINTS[..., 0], POINTS[..., 1]], axis=-1))
    images = torch.rand(4, 3, 6, 9)
    mirrored = warp_images(images, *separable_grid(mirror_matrix(9).expand(4, 2, 3), (6, 9)))
    torch.testing.assert_close(mirrored, flip_images(images), atol=1e-5, rtol=0)


def test_integer_shift_moves_pixels_and_fills_with_zero() -> None:
    images = torch.rand(1, 1, 4, 5) + 1
    shift = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]], dtype=torch.float64)
    moved = warp_images(images, *separable_grid(shift, (4, 5)))
    torch.testing.assert_close(moved[:, :, 1:, 2:], images[:, :, :-1, :-2], atol=1e-5, rtol=0)
    assert moved[:, :, 0].abs().max() < 1e-5
    assert moved[:, :, :, :2].abs().max() < 1e-5


def test_memory_format_is_kept() -> None:
    images = torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    warped = warp_images(images, *separable_grid(torch.eye(2, 3, dtype=torch.float64).expand(2, 2, 3), (4, 4)))
    assert warped.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(warped, images, atol=1e-6, rtol=0)


def test_frame_extends_half_a_pixel_beyond_the_centres() -> None:
    points = torch.tensor([[-0.5, 0.0], [-0.51, 0.0], [7.5, 3.5], [7.5, 3.6], [torch.nan, 1.0]])
    assert lies_inside(points, (4, 8)).tolist() == [True, False, True, False, False]


def test_gradients_flow_through_the_warp() -> None:
    images = torch.rand(1, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    rotated = torch.tensor([[[0.8, -0.6, 0.7], [0.6, 0.8, -0.3]]], dtype=torch.float64)
    grid = separable_grid(rotated, (3, 3))
    assert torch.autograd.gradcheck(lambda x: warp_images(x, *grid), (images,))


def test_fitted_boxes_by_hand() -> None:
    """A frame 40 px high and 60 px wide: the tighter limit counts, the zoom is bounded, a point is no error."""
    low, high = (
        torch.tensor([[10.0, 10.0], [0.0, 0.0], [5.0, 7.0]]).double(),
        torch.tensor([[20.0, 14.0], [4.0, 40.0], [5.0, 7.0]]),
    )
    maps = fit_boxes(low, high.double(), (40, 60), padding=1.5, max_zoom=3.0)
    assert maps[:, 0, 0].tolist() == [3.0, 40 / 60, 3.0]
    assert torch.equal(maps[:, 0, 0], maps[:, 1, 1])
    centres = ((low + high) / 2).unsqueeze(1)
    torch.testing.assert_close(apply_affine_batch(maps, centres)[:, 0], torch.tensor([29.5, 19.5]).double().expand(3, 2))

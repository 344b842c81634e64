import numpy as np
import pytest
import torch

from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activations import (
    batches_of_rows,
    constant_patch,
    mean_activations,
    mean_colour_image,
    predict_persons,
    read_activations,
    zeros,
)


def test_batches_cover_all_rows_once() -> None:
    batches = batches_of_rows(np.arange(7), 3)
    assert [list(batch) for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches_of_rows(np.arange(0), 3) == []


def test_read_taps_by_hand(model, scattered_crops) -> None:
    images = torch.from_numpy(scattered_crops.read_images(np.arange(3)))
    values = read_activations(model, images, ["bottleneck", "fine"])
    assert values["bottleneck"].shape == (3, 3, 2, 2)
    # A dot fills one of the 16 cells of its quarter: the quarter's mean is 1/16.
    assert values["bottleneck"][:, 0].sum(dim=(1, 2)) == pytest.approx(torch.full((3,), 1 / 16))
    assert values["fine"].max() == 1.0


def test_unknown_tap_is_named(model, scattered_crops) -> None:
    with pytest.raises(ExplainabilityError, match=r"no tap attic\. It has: fine, idle, bottleneck"):
        read_activations(model, torch.from_numpy(scattered_crops.read_images(np.arange(1))), ["attic"])


def test_mean_of_taps_is_the_mean_whatever_the_batches(model, scattered_crops) -> None:
    rows = np.arange(10)
    whole = read_activations(model, torch.from_numpy(scattered_crops.read_images(rows)), ["fine"])["fine"].mean(
        dim=0, keepdim=True
    )
    torch.testing.assert_close(mean_activations(model, scattered_crops, rows, ["fine"], batch_size=3)["fine"], whole)


def test_hold_serves_a_whole_batch_and_zeros_switches_off() -> None:
    found = torch.randn(4, 3, 2, 2)
    constant = torch.randn(1, 3, 2, 2, dtype=torch.float64)
    constant_patches = constant_patch(constant)(found)
    assert constant_patches.shape == found.shape
    assert constant_patches.dtype == found.dtype
    constant_patches += 1  # a network may go on in place: every person has an own copy
    torch.testing.assert_close(constant_patches[3], constant[0].float() + 1)
    assert not zeros(found).any()


def test_a_pooled_value_is_not_spread_over_space() -> None:
    with pytest.raises(ExplainabilityError, match=r"\(3, 1, 1\) cannot be put.*\(3, 2, 2\).*pooling"):
        constant_patch(torch.ones(1, 3, 1, 1))(torch.zeros(4, 3, 2, 2))


def test_predictions_are_in_crop_px_and_in_order(model, scattered_crops) -> None:
    rows = np.array([5, 2, 9])
    found = predict_persons(model, scattered_crops, rows, batch_size=2)
    np.testing.assert_allclose(found.joints, scattered_crops.targets.joints[rows], atol=1e-4)
    assert found.person_ids.tolist() == [105, 102, 109]
    assert predict_persons(model, scattered_crops, rows[:0], batch_size=2).joints.shape == (0, 2, 2)


def test_neutral_image_has_the_mean_colour(model) -> None:
    image = mean_colour_image(model)
    assert image.shape == (1, 32, 32, 3)
    assert not image.any()

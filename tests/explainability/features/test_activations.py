import numpy as np
import pytest
import torch

from posescope.core.errors import OptionsError
from posescope.explainability.features.activations import mean_activations, mean_colour_image, predict_persons, read_activations


def test_activations_equal_the_hand_computed_ones(model, scattered_crops) -> None:
    images = torch.from_numpy(scattered_crops.read_images(np.arange(3)))
    values = read_activations(model, images, ["bottleneck", "fine"])
    assert values["bottleneck"].shape == (3, 3, 2, 2)
    # A dot fills one of the 16 heatmap px of its quarter: the quarter's mean is 1/16.
    assert values["bottleneck"][:, 0].sum(dim=(1, 2)) == pytest.approx(torch.full((3,), 1 / 16))
    assert values["fine"].max() == 1.0


def test_unknown_layer_is_refused(model, scattered_crops) -> None:
    with pytest.raises(OptionsError, match="attic"):
        read_activations(model, torch.from_numpy(scattered_crops.read_images(np.arange(1))), ["attic"])


def test_mean_does_not_depend_on_the_batch_size(model, scattered_crops) -> None:
    rows = np.arange(10)
    whole = read_activations(model, torch.from_numpy(scattered_crops.read_images(rows)), ["fine"])["fine"].mean(
        dim=0, keepdim=True
    )
    torch.testing.assert_close(mean_activations(model, scattered_crops, rows, ["fine"], batch_size=3)["fine"], whole)


def test_predictions_are_in_crop_px_and_in_the_order_of_the_rows(model, scattered_crops) -> None:
    rows = np.array([5, 2, 9])
    found = predict_persons(model, scattered_crops, rows, batch_size=2)
    np.testing.assert_allclose(found.joints, scattered_crops.targets.joints[rows], atol=1e-4)
    assert found.person_ids.tolist() == [105, 102, 109]
    assert predict_persons(model, scattered_crops, rows[:0], batch_size=2).joints.shape == (0, 2, 2)


def test_mean_colour_image_has_the_mean_colour(model) -> None:
    image = mean_colour_image(model)
    assert image.shape == (1, 32, 32, 3)
    assert not image.any()

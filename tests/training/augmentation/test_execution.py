"""Tests of posescope.training.augmentation.execution."""

import torch

from posescope.artifacts.pose_model import normalise_images
from posescope.training.augmentation.execution import ImageNormaliser

IMAGES = torch.randint(0, 256, (5, 6, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
MEAN = (0.4, 0.3, 0.2)
CPU = torch.device("cpu")


def test_without_colour_map_equals_normalise_images_bit_by_bit() -> None:
    normaliser = ImageNormaliser(None, MEAN, CPU)
    for part in (slice(0, 2), slice(2, 5)):
        made = normaliser.normalise(IMAGES[part], part)
        assert made.is_contiguous()
        assert torch.equal(made, normalise_images(IMAGES[part], MEAN))


def test_colour_map_per_person_is_clipped_to_0_and_1() -> None:
    colour = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(1))
    values = torch.cat([IMAGES / 255.0, torch.ones(5, 6, 4, 1)], dim=-1)
    expected = torch.einsum("ncv,nhwv->nchw", colour, values).clamp(0, 1) - torch.tensor(MEAN).view(3, 1, 1)
    normaliser = ImageNormaliser(colour, MEAN, CPU)
    made = torch.cat([normaliser.normalise(IMAGES[part], part).clone() for part in (slice(0, 3), slice(3, 5))])
    torch.testing.assert_close(made, expected, atol=1e-6, rtol=0)
    assert ((made + torch.tensor(MEAN).view(3, 1, 1)) <= 1 + 1e-6).all()


def test_no_persons() -> None:
    assert ImageNormaliser(None, MEAN, CPU).normalise(IMAGES[:0], slice(0, 0)).shape == (0, 3, 6, 4)
    assert ImageNormaliser(torch.eye(3, 4).expand(0, 3, 4), MEAN, CPU).normalise(IMAGES[:0], slice(0, 0)).shape == (0, 3, 6, 4)

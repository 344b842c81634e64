import numpy as np
import pytest

from posescope.explainability.attributes.person_attributes import IMAGE_ATTRIBUTES, attribute_named, measure_image_attributes


def test_by_hand(model, scattered_crops) -> None:
    # Two dots of 4 x 4 px of one colour each in 32 x 32: grey of a third in 32 of 1024 px (16 where they coincide).
    found = measure_image_attributes(scattered_crops, batch_size=7)
    assert list(found) == ["brightness", "contrast", "detail"] == [attribute.name for attribute in IMAGE_ATTRIBUTES]
    np.testing.assert_allclose(found["brightness"], 2 * 16 / 1024 / 3, rtol=1e-5)
    images = scattered_crops.read_images(np.arange(60)) / 255
    np.testing.assert_allclose(found["contrast"], images.mean(axis=3).std(axis=(1, 2)), rtol=1e-5)
    row = next(row for row in range(60) if images[row, :, 0].max() == 0 and images[row, :, -1].max() == 0)
    dots_apart = np.abs(np.diff(images[row].mean(axis=2), axis=1)).sum() / (32 * 31)
    assert found["detail"][row] == pytest.approx(dots_apart)


def test_nobody(scattered_crops) -> None:
    assert measure_image_attributes(scattered_crops.subset(np.arange(0)), batch_size=7).shape == (0, 3)


def test_their_words() -> None:
    assert attribute_named("brightness").high == "bright picture"

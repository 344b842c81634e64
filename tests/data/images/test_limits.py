"""Tests of posescope.data.images.limits."""

from pathlib import Path

import pytest

from posescope.data.images.limits import ImageError, ImageLimits

PATH = Path("folder/a.image")


def test_area_longer_side_and_file_size_are_limited() -> None:
    limits = ImageLimits(max_megapixels=1, max_side_px=2_000)
    limits.check_size((1_000, 1_000), PATH)
    limits.check_size((2_000, 500), PATH)
    for size in ((1_001, 1_000), (1, 2_001), (2_001, 1)):
        with pytest.raises(ImageError, match="megapixels") as caught:
            limits.check_size(size, PATH)
        assert caught.value.kind == "image is too large"
    limits.check_file(8_000_000 + 2**26, PATH)
    with pytest.raises(ImageError, match="75 MB"):
        limits.check_file(8_000_001 + 2**26, PATH)

"""Tests of posescope.prediction.image_io.image_inputs: accepted image types, and refused ones."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from posescope.core.errors import DataError
from posescope.data.images.limits import ImageError, MissingImageError
from posescope.prediction.image_io.image_folder import ImageIdAllocator
from posescope.prediction.image_io.image_inputs import ImageInputError, as_named_image, expected_image_ids, is_one_image
from posescope.prediction.image_io.image_source import NamedImage

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3)).astype(np.uint8)


def read_pixels(image: Any) -> NDArray[np.uint8]:
    return as_named_image(image, 0, ImageIdAllocator()).pixels


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_all_image_types_give_the_same_pixels(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS)
    (tmp_path / "000012.png").write_bytes(encode(image))
    opened = Image.open(tmp_path / "000012.png")
    forms = (
        str(tmp_path / "000012.png"),
        tmp_path / "000012.png",
        encode(image),
        bytearray(encode(image)),
        image,
        opened,
        PIXELS,
    )
    for form in (*forms, NamedImage("x", PIXELS)):
        np.testing.assert_array_equal(read_pixels(form), PIXELS)
        assert is_one_image(form)
    assert not is_one_image([image])
    names = [as_named_image(form, 3, ImageIdAllocator()).name for form in forms]
    assert names == ["000012.png", "000012.png", "3", "3", "3", "000012.png", "3"]
    assert expected_image_ids([opened, PIXELS, NamedImage("x", PIXELS, 7), "a/5.jpg", encode(image)]) == {12, 7, 5}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_every_pil_mode_is_converted_to_rgb(mode: str) -> None:
    white = (
        Image.fromarray(np.full((4, 5), 65535, np.uint16)) if mode == "I;16" else Image.new("RGB", (5, 4), "white").convert(mode)
    )
    pixels = read_pixels(white)
    assert (pixels.shape, pixels.dtype) == ((4, 5, 3), np.uint8)
    assert pixels.min() >= 254


def test_pil_images_are_upright_and_composited_on_white_like_files() -> None:
    sideways = Image.fromarray(PIXELS)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = encode(sideways, exif=exif)
    np.testing.assert_array_equal(read_pixels(Image.open(BytesIO(stored))), read_pixels(stored))
    assert read_pixels(stored).shape == (9, 6, 3)
    opacity = Image.fromarray(np.linspace(0, 255, 54).astype(np.uint8).reshape(6, 9))
    transparent = Image.merge("RGBA", (*sideways.split(), opacity))
    np.testing.assert_array_equal(read_pixels(transparent), read_pixels(encode(transparent)))
    assert tuple(read_pixels(transparent)[0, 0]) == (255, 255, 255)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (PIXELS / 255, r"found shape \(6, 9, 3\) of float64.* Multiply it by 255"),
        (PIXELS.astype(np.float32), "Floats from .* expected whole numbers 0..255"),
        (PIXELS.astype(np.int64), "Scale it to 0..255 and convert it to uint8"),
        (PIXELS.astype(np.uint16), "of uint16"),
        (PIXELS[..., 0], "grey"),
        (PIXELS[..., :1], "grey"),
        (np.dstack([PIXELS, PIXELS[..., 0]]), "Four channels"),
        (PIXELS.transpose(2, 0, 1), r"transpose\(1, 2, 0\)"),
        (PIXELS[None], "Several"),
        (PIXELS[:0], "no pixels"),
        (NamedImage("x", PIXELS[..., 0]), "image x: .* grey"),
        (None, "found NoneType"),
        (3, "found int"),
        (PIXELS.tolist(), "found list"),
        (Image.new("F", (3, 3)), "mode F has no known range"),
        (Image.new("I", (3, 3)), "mode I has no known range"),
    ],
)
def test_invalid_image_is_refused(image: Any, expected: str) -> None:
    with pytest.raises(ImageInputError, match=expected):
        read_pixels(image)
    with pytest.raises(ImageInputError, match=r"^image (0|x): "):
        read_pixels(image)


def test_missing_and_damaged_files_raise_different_errors(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    for missing in (tmp_path / "absent.jpg", tmp_path / "broken.jpg" / "a.jpg"):
        with pytest.raises(MissingImageError, match="exist"):
            read_pixels(missing)
    for broken in (tmp_path / "broken.jpg", tmp_path, b"no image", b""):
        with pytest.raises(ImageError) as caught:
            read_pixels(broken)
        assert not isinstance(caught.value, MissingImageError)
    truncated = Image.open(BytesIO(encode(Image.fromarray(PIXELS.repeat(99, 0)), "JPEG")[:-600]))
    with pytest.raises(ImageInputError, match="image 0: the PIL image cannot be decoded"):
        read_pixels(truncated)
    assert issubclass(MissingImageError, DataError)


def test_pil_image_that_is_too_large_is_refused_before_it_is_decoded() -> None:
    stream = BytesIO()
    Image.new("RGB", (9, 9)).save(stream, "BMP")
    raw = bytearray(stream.getvalue())
    raw[18:26] = (11_000).to_bytes(4, "little") * 2
    with pytest.raises(ImageError, match="11000 x 11000"):
        as_named_image(Image.open(BytesIO(raw)), 0, ImageIdAllocator())


def test_pil_image_of_12_bits_in_16_is_refused() -> None:
    with pytest.raises(ImageError, match="14"):
        as_named_image(Image.fromarray(np.full((4, 5), 4095, np.uint16)), 0, ImageIdAllocator())

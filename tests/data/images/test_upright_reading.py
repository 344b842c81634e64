"""Upright reading of images of all formats with `read_image` and `read_header`."""

import io
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from posescope.data.images.decoding import read_bytes, read_image
from posescope.data.images.headers import read_header
from posescope.data.images.limits import ImageError

read_upright = partial(read_image, frame="upright")

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
# Four fields of different colours, which JPEG preserves, so that every orientation can be recognised.
FIELDS = np.kron(
    np.array([[(250, 20, 20), (20, 250, 20)], [(20, 20, 250), (240, 240, 30)]], np.uint8), np.ones((32, 48, 1), np.uint8)
)
# The transformation from the scene to the stored image, per orientation.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def read_size(path: Path) -> tuple[int, int]:
    return read_header(read_bytes(path), path).upright_size


def save(path: Path, pixels: NDArray[Any] | Image.Image, **options: Any) -> Path:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def save_rotated(path: Path, orientation: int, scene: NDArray[np.uint8] = FIELDS, **options: Any) -> Path:
    """Save the scene in the given orientation, with its EXIF tag."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image, turn = Image.fromarray(scene), STORED[orientation]
    return save(path, image if turn is None else image.transpose(turn), exif=exif, **options)


def mean_difference(found: NDArray[np.uint8], expected: NDArray[np.uint8]) -> float:
    assert found.shape == expected.shape
    return float(np.abs(found.astype(int) - expected).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_is_rotated_upright(orientation: int, tmp_path: Path) -> None:
    path = save_rotated(tmp_path / "a.jpg", orientation, quality=100, subsampling=0)
    assert mean_difference(read_upright(path), FIELDS) < 2
    assert read_size(path) == FIELDS.shape[:2]
    stored = read_image(path)
    assert (
        (mean_difference(stored, FIELDS) < 2)
        if orientation == 1
        else (stored.shape != FIELDS.shape or mean_difference(stored, FIELDS) > 20)
    )


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_other_formats_are_rotated_once(orientation: int, suffix: str, tmp_path: Path) -> None:
    path = save_rotated(tmp_path / f"a.{suffix}", orientation, **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(read_upright(path), FIELDS)
    assert read_size(path) == FIELDS.shape[:2]


def test_rotated_image_with_transparency(tmp_path: Path) -> None:
    scene = np.dstack([FIELDS, np.full(FIELDS.shape[:2], 255, np.uint8)])
    scene[:32, :48, 3] = 0
    expected = FIELDS.copy()
    expected[:32, :48] = 255
    np.testing.assert_array_equal(read_upright(save_rotated(tmp_path / "a.png", 6, scene)), expected)


def test_cmyk_image_with_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    path = save(tmp_path / "a.jpg", Image.fromarray(FIELDS).convert("CMYK").rotate(180), exif=exif, quality=100)
    assert b"Adobe" in path.read_bytes(), "Adobe's CMYK is inverted"
    assert mean_difference(read_upright(path), FIELDS) < 3


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_transparent_pixels_are_white(suffix: str, tmp_path: Path) -> None:
    alpha = np.zeros(NOISE.shape[:2], np.uint8)
    alpha[:, :20], alpha[:, 20:40] = 255, 51
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    image = read_upright(save(tmp_path / f"a.{suffix}", np.dstack([NOISE, alpha]), **options))
    np.testing.assert_array_equal(image[:, :20], NOISE[:, :20])
    np.testing.assert_allclose(image[:, 20:40], 0.2 * NOISE[:, 20:40] + 0.8 * 255, atol=0.5001)
    assert (image[:, 40:] == 255).all()


def test_transparent_pixels_of_all_modes_are_white(tmp_path: Path) -> None:
    palette = Image.fromarray(NOISE).quantize(8)
    index = palette.getpixel((0, 0))
    deep = np.dstack([NOISE.astype(np.uint16) * 257, np.zeros(NOISE.shape[:2], np.uint16)])
    assert cv2.imwrite(str(tmp_path / "deep.png"), deep)
    paths = [
        save(tmp_path / "palette.png", palette, transparency=index),
        save(tmp_path / "a.gif", palette, transparency=index),
        save(tmp_path / "grey.png", Image.fromarray(np.dstack([NOISE, np.zeros(NOISE.shape[:2], np.uint8)])).convert("LA")),
        tmp_path / "deep.png",
    ]
    assert [tuple(read_upright(path)[0, 0]) for path in paths] == [(255, 255, 255)] * 4


def test_palette_grey_and_16_bit_images(tmp_path: Path) -> None:
    palette = Image.fromarray(NOISE).quantize(8)
    for path in (save(tmp_path / "a.png", palette), save(tmp_path / "a.gif", palette)):
        np.testing.assert_array_equal(read_upright(path), np.asarray(palette.convert("RGB")))
    grey = np.repeat(NOISE[..., :1], 3, axis=2)
    for path in (save(tmp_path / "g.png", NOISE[..., 0]), save(tmp_path / "d.png", NOISE[..., 0].astype(np.uint16) * 257)):
        np.testing.assert_array_equal(read_upright(path), grey)


def test_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    first, second = Image.new("P", (5, 4), 0), Image.new("P", (5, 4), 1)
    for image in (first, second):
        image.putpalette([200, 100, 50, 1, 2, 3])
    image = read_upright(save(tmp_path / "a.gif", first, save_all=True, append_images=[second]))
    np.testing.assert_array_equal(image, np.full((4, 5, 3), (200, 100, 50)))


def test_fourth_channel_of_a_bmp_is_ignored(tmp_path: Path) -> None:
    four_channels = np.dstack([NOISE, np.zeros(NOISE.shape[:2], np.uint8)])
    np.testing.assert_array_equal(read_upright(save(tmp_path / "a.bmp", four_channels)), NOISE)


def test_truncated_gif_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(NOISE).save(stream, "GIF")
    (tmp_path / "a.gif").write_bytes(stream.getvalue()[:-50])
    with pytest.raises(ImageError, match=r"a\.gif"):
        read_upright(tmp_path / "a.gif")

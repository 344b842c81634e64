"""Tests of posescope.data.images.pillow_files: EXIF orientation, PNG chunks, transparency, and unsupported files."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from posescope.data.images.decoding import decode_image
from posescope.data.images.headers import read_header
from posescope.data.images.limits import ImageError
from posescope.data.images.pillow_files import composite_on_white, orientation_of_jpeg

TAG = 0x0112
PATH = Path("a.image")
IMAGE = np.arange(45, dtype=np.uint8).reshape(3, 5, 3)


def encode(file_format: str, orientation: Any = None, **more: Any) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    if orientation is not None:
        exif[TAG] = orientation
    stream = io.BytesIO()
    Image.fromarray(IMAGE).save(stream, file_format, exif=exif, **more)
    return stream.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, bits: int, colour_type: int, row: bytes, *more: bytes) -> bytes:
    """Return a PNG file of one row; `more` are chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, 1, bits, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), *more, chunk(b"IDAT", zlib.compress(b"\0" + row)), chunk(b"IEND", b"")]
    )


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("stated", "expected"), [*((n, n) for n in range(1, 9)), (None, 1), (0, 1), (9, 1), (60_000, 1)])
def test_orientation_of_each_format_is_read(stated: int | None, expected: int, file_format: str) -> None:
    assert read_header(encode(file_format, stated), PATH).orientation == expected


def test_files_without_exif_are_upright() -> None:
    for file_format in ("JPEG", "PNG", "WEBP", "BMP", "GIF"):
        stream = io.BytesIO()
        Image.fromarray(IMAGE).save(stream, file_format)
        assert read_header(stream.getvalue(), PATH).orientation == 1
    assert orientation_of_jpeg(b"") == orientation_of_jpeg(b"\xff\xd8") == 1


def test_both_byte_orders_and_number_widths_are_read() -> None:
    def jpeg(exif: bytes) -> bytes:
        block = b"Exif\0\0" + exif
        plain = encode("JPEG")
        return plain[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + plain[plain.index(b"\xff\xdb") :]

    big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    long_number = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06\0\0\0\0"
    assert [orientation_of_jpeg(jpeg(exif)) for exif in (big, little, long_number)] == [6, 6, 6]
    assert orientation_of_jpeg(jpeg(b"XX" + big[2:])) == 1


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_truncated_jpeg_has_an_orientation_and_no_error() -> None:
    content = encode("JPEG", 6)
    assert {orientation_of_jpeg(content[:end]) for end in range(len(content))} <= {1, 6}


def test_png_may_state_its_orientation_after_its_pixels() -> None:
    exif = Image.Exif()
    exif[TAG] = 6
    stream = io.BytesIO()
    Image.fromarray(IMAGE).save(stream, "PNG")
    end = stream.getvalue().index(b"IEND") - 4
    raw = stream.getvalue()[:end] + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + stream.getvalue()[end:]
    assert read_header(raw, PATH).orientation == 6
    assert decode_image(raw, PATH, frame="upright").shape == (5, 3, 3)


def test_texts_and_animation_of_a_png_are_ignored() -> None:
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2_000_000)))  # more than Pillow accepts
    animation = chunk(b"acTL", bytes(8))
    pixels = decode_image(png(2, 8, 2, bytes(range(6)), text, animation), PATH)
    np.testing.assert_array_equal(pixels, np.arange(6, dtype=np.uint8).reshape(1, 2, 3))


def test_png_with_a_wrong_checksum_is_refused() -> None:
    raw = bytearray(encode("PNG"))
    raw[raw.index(b"IDAT") + 8] ^= 1
    with pytest.raises(ImageError, match="IDAT"):
        decode_image(bytes(raw), PATH)


def grey(*values: int) -> NDArray[np.uint8]:
    return np.repeat(np.array([values], np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (png(8, 1, 0, b"\xa0", chunk(b"tRNS", b"\0\0")), grey(*[255] * 8)),
        (png(4, 2, 0, b"\x1b", chunk(b"tRNS", b"\0\1")), grey(0, 255, 170, 255)),
        (png(4, 4, 0, b"\x05\x9f", chunk(b"tRNS", b"\0\5")), grey(0, 255, 153, 255)),
        (png(2, 8, 0, b"\x05\x9f", chunk(b"tRNS", b"\0\5")), grey(255, 0x9F)),
    ],
)
def test_transparent_grey_value_of_a_png_has_its_bit_depth(raw: bytes, expected: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(decode_image(raw, PATH), expected)


@pytest.mark.parametrize(
    "raw", [png(1, 16, 0, bytes(2), chunk(b"tRNS", bytes(2))), png(1, 16, 2, bytes(6), chunk(b"tRNS", bytes(6)))]
)
def test_transparent_colour_of_16_bits_is_refused(raw: bytes) -> None:
    with pytest.raises(ImageError, match="16 bits"):
        read_header(raw, PATH)


def test_maximum_value_of_a_pnm_is_white() -> None:
    np.testing.assert_array_equal(decode_image(b"P5 3 1 15\n\x00\x05\x0f", PATH), grey(0, 85, 255))
    np.testing.assert_array_equal(decode_image(b"P2 3 1 4095\n0 2048 4095\n", PATH), grey(0, 128, 255))


def test_opaque_and_transparent_pixels_are_exact() -> None:
    alpha = np.array([[0, 255]], np.uint8)
    image = np.array([[(1, 2, 3), (4, 5, 6)]], np.uint8)
    np.testing.assert_array_equal(composite_on_white(image, alpha), [[(255, 255, 255), (4, 5, 6)]])
    all_alphas = np.arange(256, dtype=np.uint8)[None]
    black = np.zeros((1, 256, 3), np.uint8)
    np.testing.assert_array_equal(composite_on_white(black, all_alphas)[0, :, 0], 255 - all_alphas[0])

"""Tests of posescope.data.images.headers: kind, size, orientation, and files refused before decoding."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from posescope.data.images.headers import read_header
from posescope.data.images.limits import ImageError, ImageLimits

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
PATH = Path("folder/a.image")
LARGEST = ImageLimits(max_megapixels=1000, max_side_px=65_535)
# The offset and the format of height and width, per kind of file.
SIZES = {
    "PNG": (20, ">I", 16, ">I"),
    "GIF": (8, "<H", 6, "<H"),
    "BMP": (22, "<i", 18, "<i"),
}


def encode(file_format: str, pixels: NDArray[Any] | Image.Image = IMAGE, **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def tiff(width: int = 30, height: int = 20, more: dict[int, tuple[int, int]] | None = None) -> bytes:
    """Return a TIFF directory without pixels; `more` maps a tag to (type, value)."""
    tags = {256: (4, width), 257: (4, height), 258: (3, 8), 262: (3, 1), 273: (4, 8), 277: (3, 1), **(more or {})}
    entries = b"".join(
        struct.pack("<HHI", tag, kind, 1) + struct.pack("<I" if kind == 4 else "<HH", *([value] if kind == 4 else [value, 0]))
        for tag, (kind, value) in sorted(tags.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    "raw",
    [
        encode("JPEG"),
        encode("JPEG", progressive=True),
        encode("PNG"),
        encode("GIF"),
        encode("GIF", save_all=True, append_images=[Image.fromarray(255 - IMAGE)]),
        encode("WEBP"),
        encode("WEBP", lossless=True),
        encode("WEBP", save_all=True, append_images=[Image.fromarray(255 - IMAGE)]),
        encode("BMP"),
        encode("TIFF"),
        encode("TIFF", big_tiff=True),
        tiff(),
        encode("PPM"),
        b"P5 # a comment\n# another\n30\n20 65535\n",
        b"P4\n30 20\n",
    ],
)
def test_size_is_read_without_pixels(raw: bytes) -> None:
    header = read_header(raw, PATH)
    assert (header.stored_size, header.upright_size, header.orientation) == ((20, 30), (20, 30), 1)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("orientation", "upright"), [(1, (20, 30)), (3, (20, 30)), (6, (30, 20)), (7, (30, 20))])
def test_upright_size_depends_on_the_orientation(file_format: str, orientation: int, upright: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    header = read_header(encode(file_format, exif=exif), PATH)
    assert (header.orientation, header.stored_size, header.upright_size) == (orientation, (20, 30), upright)


def test_bmp_stored_from_the_top_has_a_positive_size() -> None:
    raw = bytearray(encode("BMP"))
    raw[22:26] = struct.pack("<i", -20)
    assert read_header(bytes(raw), PATH).stored_size == (20, 30)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({339: (3, 3), 258: (3, 32)}, "signed or floating-point numbers"),
        ({339: (3, 2)}, "signed or floating-point numbers"),
        ({258: (3, 12), 262: (3, 0)}, "8 or 16 bits"),
        ({258: (3, 16), 262: (3, 0)}, "white is zero"),
        ({262: (3, 8)}, "RGB"),
        ({277: (3, 7)}, "samples per pixel"),
        ({278: (4, 10)}, "strips or tiles are missing"),
        ({322: (4, 70_000), 323: (4, 80_000)}, "tile is larger"),
        ({256: (5, 30)}, "dimensions"),
    ],
)
def test_unsupported_tiffs_are_refused_with_the_reason(more: dict[int, tuple[int, int]], word: str) -> None:
    with pytest.raises(ImageError, match=word) as caught:
        read_header(tiff(more=more), PATH)
    assert caught.value.kind == "image cannot be decoded"
    assert "a.image" in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"\0\0\0\x1cftypavif\0\0\0\0", "avif"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "jP"),
        (b"P7\nWIDTH 2\n", "P7"),
        (tiff()[:40], "truncated"),
        (tiff().replace(b"\x06\x01\x03\0", b"\x05\x01\x03\0"), "no photometric interpretation"),
        (tiff().replace(struct.pack("<HHI", 273, 4, 1), struct.pack("<HHI", 273, 4, 1_000_000)), "1000005 numbers"),
        (tiff().replace(b"II*\0\x08", b"II*\0\xf8"), "unpack"),
        (b"RIFF\0\0\0\0WEBPJUNK" + bytes(20), "WEBP"),
        (encode("PNG").replace(b"IHDR", b"CgBI"), "CgBI"),
        (encode("PNG").replace(struct.pack(">I", 0) + b"IEND", b"\x7f\xff\xff\xfftEXt"), "truncated in a chunk b'tEXt'"),
        (b"GIF89a", "cannot be decoded"),
        (b"BM", "cannot be decoded"),
        (b"\xff\xd8", "cannot be decoded"),
        (b"", "cannot be decoded"),
        (b"text", "cannot be decoded"),
        (b"P5\n0 20\n255\n", "cannot be decoded"),
    ],
)
def test_unsupported_files_are_refused_with_the_reason(raw: bytes, word: str) -> None:
    with pytest.raises(ImageError, match=word):
        read_header(raw, PATH)


@pytest.mark.parametrize("kind", SIZES)
def test_damaged_size_is_read_as_stated(kind: str) -> None:
    at_height, format_height, at_width, format_width = SIZES[kind]
    raw = bytearray(encode(kind))
    struct.pack_into(format_height, raw, at_height, 12_345)
    struct.pack_into(format_width, raw, at_width, 23_456)
    if kind == "PNG":
        struct.pack_into(">I", raw, 29, zlib.crc32(raw[12:29]))
    assert read_header(bytes(raw), PATH, LARGEST).stored_size == (12_345, 23_456)


def test_animated_webp_has_the_size_of_its_canvas() -> None:
    raw = bytearray(encode("WEBP", save_all=True, append_images=[Image.fromarray(255 - IMAGE)]))
    assert raw[12:16] == b"VP8X"
    raw[24:30] = (16_000).to_bytes(3, "little") + (99).to_bytes(3, "little")
    assert read_header(bytes(raw), PATH).stored_size == (100, 16_001)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns about tags
def test_mutated_headers_raise_image_errors_only() -> None:
    rng = np.random.default_rng(0)
    files = [encode(kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")]
    refused = 0
    for _ in range(3_000):
        raw = bytearray(files[rng.integers(len(files))])
        for at in rng.integers(0, min(len(raw), 200), rng.integers(1, 8)):
            raw[at] = rng.integers(256)
        try:
            header = read_header(bytes(raw[: rng.integers(1, len(raw) + 1)]), PATH)
        except ImageError:
            refused += 1
        else:
            assert min(header.stored_size) >= 1
    assert 200 < refused < 2_900

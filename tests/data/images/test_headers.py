"""Headers of image files, and what is refused before decoding."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from posescope.data.images.headers import ImageError, ImageLimits, read_header

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
PLACE = Path("folder/a.image")
# Per kind, where its (height, width) stand in the file and how they are written.
SIZES = {
    "PNG": (20, ">I", 16, ">I"),
    "GIF": (8, "<H", 6, "<H"),
    "BMP": (22, "<i", 18, "<i"),
}


def encoded(file_format: str, picture: NDArray[Any] | Image.Image = PICTURE, **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def tiff(width: int = 30, height: int = 20, more: dict[int, tuple[int, int]] | None = None) -> bytes:
    """A directory alone: tag -> (type, value), no pixels."""
    tags = {256: (4, width), 257: (4, height), 258: (3, 8), 262: (3, 1), 277: (3, 1), **(more or {})}
    entries = b"".join(
        struct.pack("<HHI", tag, kind, 1) + struct.pack("<I" if kind == 4 else "<HH", *([value] if kind == 4 else [value, 0]))
        for tag, (kind, value) in sorted(tags.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("JPEG", encoded("JPEG")),
        ("JPEG", encoded("JPEG", progressive=True)),
        ("PNG", encoded("PNG")),
        ("GIF", encoded("GIF")),
        ("GIF", encoded("GIF", save_all=True, append_images=[Image.fromarray(255 - PICTURE)])),
        ("WebP", encoded("WEBP")),
        ("WebP", encoded("WEBP", lossless=True)),
        ("WebP", encoded("WEBP", save_all=True, append_images=[Image.fromarray(255 - PICTURE)])),
        ("BMP", encoded("BMP")),
        ("TIFF", encoded("TIFF")),
        ("TIFF", encoded("TIFF", big_tiff=True)),
        ("TIFF", tiff()),
        ("PNM", encoded("PPM")),
        ("PNM", b"P5 # a comment\n# another\n30\n20 65535\n"),
        ("PNM", b"P4\n30 20\n"),
    ],
)
def test_kind_and_size_are_read_without_pixels(kind: str, raw: bytes) -> None:
    header = read_header(raw, PLACE)
    assert (header.kind, header.stored_size, header.upright_size) == (kind, (20, 30), (20, 30))
    assert header.orientation == 1


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(("orientation", "upright"), [(1, (20, 30)), (3, (20, 30)), (6, (30, 20)), (7, (30, 20))])
def test_the_upright_size_follows_the_orientation(file_format: str, orientation: int, upright: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    header = read_header(encoded(file_format, exif=exif), PLACE)
    assert (header.orientation, header.stored_size, header.upright_size) == (orientation, (20, 30), upright)


def test_a_bmp_may_be_written_from_the_top() -> None:
    raw = bytearray(encoded("BMP"))
    raw[22:26] = struct.pack("<i", -20)
    assert read_header(bytes(raw), PLACE).stored_size == (20, 30)


def test_a_tile_may_be_larger_than_its_image() -> None:
    header = read_header(tiff(more={322: (4, 70_000), 323: (4, 80_000)}), PLACE)
    assert (header.stored_size, header.largest_part) == ((20, 30), (80_000, 70_000))


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({339: (3, 3), 258: (3, 32)}, "floating-point"),
        ({339: (3, 2)}, "signed"),
        ({258: (3, 12)}, "12 bits"),
        ({262: (3, 8)}, "photometric interpretation 8"),
        ({277: (3, 7)}, "7 samples"),
        ({338: (3, 2), 277: (3, 2)}, "2 samples"),
        ({256: (5, 30)}, "tag 256"),
    ],
)
def test_tiffs_that_would_come_out_wrong_are_refused_with_the_reason(more: dict[int, tuple[int, int]], word: str) -> None:
    with pytest.raises(ImageError, match=word) as caught:
        read_header(tiff(more=more), PLACE)
    assert caught.value.kind == "image cannot be decoded"
    assert "a.image" in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"P7\nWIDTH 2\n", "PAM"),
        (b"P5\n30 20\n15\n", "maximum"),
        (b"P6\n30 20\n4095\n", "4095"),
        (tiff()[:40], "truncated"),
        (tiff().replace(b"II*\0\x08", b"II*\0\xf8"), "truncated"),
        (b"RIFF\0\0\0\0WEBPJUNK" + bytes(20), "first chunk"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI" + bytes(30), "IHDR"),
        (encoded("PNG").replace(struct.pack(">I", 0) + b"IEND", b"\x7f\xff\xff\xfftEXt"), "declares 2147483647 bytes"),
        (b"GIF89a", "truncated"),
        (b"BM", "truncated"),
        (b"\xff\xd8", "cannot be decoded"),
        (b"", "cannot be decoded"),
        (b"text", "cannot be decoded"),
        (b"P5\n0 20\n255\n", "side of 0"),
    ],
)
def test_unsupported_files_are_refused_with_the_reason(raw: bytes, word: str) -> None:
    with pytest.raises(ImageError, match=word):
        read_header(raw, PLACE)


@pytest.mark.parametrize("kind", SIZES)
def test_a_damaged_size_is_read_as_stated(kind: str) -> None:
    at_height, format_height, at_width, format_width = SIZES[kind]
    raw = bytearray(encoded(kind))
    struct.pack_into(format_height, raw, at_height, 12_345)
    struct.pack_into(format_width, raw, at_width, 23_456)
    assert read_header(bytes(raw), PLACE).stored_size == (12_345, 23_456)


def test_an_animated_webp_has_the_size_of_its_canvas() -> None:
    raw = bytearray(encoded("WEBP", save_all=True, append_images=[Image.fromarray(255 - PICTURE)]))
    assert raw[12:16] == b"VP8X"
    raw[24:30] = (16_000_000).to_bytes(3, "little") + (99).to_bytes(3, "little")
    assert read_header(bytes(raw), PLACE).stored_size == (100, 16_000_001)


def test_mutated_headers_never_raise_anything_else() -> None:
    rng = np.random.default_rng(0)
    files = [encoded(kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")]
    refused = 0
    for _ in range(3_000):
        raw = bytearray(files[rng.integers(len(files))])
        for at in rng.integers(0, min(len(raw), 200), rng.integers(1, 8)):
            raw[at] = rng.integers(256)
        try:
            header = read_header(bytes(raw[: rng.integers(1, len(raw) + 1)]), PLACE)
        except ImageError:
            refused += 1
        else:
            assert min(header.stored_size) >= 1
    assert 200 < refused < 2_900


def test_limits_are_of_the_area_the_longer_side_and_the_file() -> None:
    limits = ImageLimits(max_megapixels=1, max_side_px=2_000)
    limits.check_size((1_000, 1_000), PLACE)
    limits.check_size((2_000, 500), PLACE)
    for size in ((1_001, 1_000), (1, 2_001), (2_001, 1)):
        with pytest.raises(ImageError, match="megapixels") as caught:
            limits.check_size(size, PLACE)
        assert caught.value.kind == "image is too large"
    limits.check_file(8_000_000 + 2**26, PLACE)
    with pytest.raises(ImageError, match="75 MB"):
        limits.check_file(8_000_001 + 2**26, PLACE)

"""Tests of posescope.explorer.uploads: formats, orientation, limits, and malformed content."""

import base64
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from posescope.data.images.decoding import decode_image
from posescope.explorer.uploads import UploadError, UploadLimits, bytes_of_data_uri, read_upload

NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
LEFT_RED = np.zeros((40, 80, 3), np.uint8)
LEFT_RED[:, :40, 0] = 255


def encode(image, file_format, **options):
    """Return the bytes of an image file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, file_format, **options)
    return stream.getvalue()


def data_uri(raw, media_type="image/png"):
    return f"data:{media_type};base64,{base64.b64encode(raw).decode()}"


def refused(data, limits=None):
    """Return the error of an upload, whose message is one line."""
    with pytest.raises(UploadError) as caught:
        read_upload(data, limits or UploadLimits())
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(("file_format", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_photographs_keep_their_pixels(file_format, options):
    np.testing.assert_array_equal(read_upload(encode(NOISE, file_format, **options)), NOISE)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_jpeg_is_decoded_as_by_prediction(options):
    raw = encode(NOISE, "JPEG", quality=90, **options)
    np.testing.assert_array_equal(read_upload(raw), decode_image(raw, Path("a.jpg"), frame="upright"))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_applied(file_format):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was rotated: the left half of the stored image is the upper half of the upright one
    image = read_upload(encode(LEFT_RED, file_format, exif=exif))
    assert image.shape == (80, 40, 3)
    assert image[10, 20, 0] > 200
    assert image[70, 20, 0] < 50


@pytest.mark.parametrize("file_format", ["GIF", "BMP", "TIFF", "PPM"])
def test_other_image_formats_are_refused(file_format):
    assert refused(encode(NOISE, file_format)).kind == "another format"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"PK\x03\x04",
        b"\0\0\0\x18ftypheic" * 9, b"RIFF\0\0\0\0WAVE",
    ],
)  # fmt: skip
def test_other_content_is_refused(content):
    assert refused(content).kind == "another format"


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_truncated_photographs_are_refused(file_format):
    raw = encode(NOISE, file_format)
    for length in (20, len(raw) // 2, len(raw) - 9):
        refused(raw[:length])


def test_file_size_is_bounded():
    raw = encode(NOISE, "PNG")
    least = UploadLimits(max_megabytes=len(raw) / 1e6)
    read_upload(raw, least)
    error = refused(raw + b"\0", least)
    assert error.kind == "file is too large"


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_number_of_pixels_is_bounded(file_format):
    raw = encode(NOISE, file_format)
    read_upload(raw, UploadLimits(max_megapixels=80 * 60 / 1e6, max_side_px=80))
    for limits in (UploadLimits(max_megapixels=79 * 60 / 1e6), UploadLimits(max_side_px=79)):
        assert refused(raw, limits).kind == "image is too large"


def png_of_size(width, height):
    """Return a PNG file that declares a size and has one byte of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b""))
    parts = [struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (60_000, 60_000), (15_000, 15_000)])
def test_huge_declared_sizes_are_refused_in_the_words_of_the_limits(size):
    error = refused(png_of_size(*size))
    assert error.kind == "image is too large"
    assert "40 megapixels" in str(error)


def test_jpeg_with_many_scans_is_refused():
    raw = encode(NOISE, "JPEG", progressive=True)
    last = raw.rindex(b"\xff\xda")
    assert refused(raw[:-2] + 100 * raw[last:-2] + raw[-2:]).kind == "too many scans"


def test_jpeg_with_many_segments_is_refused():
    raw = encode(NOISE, "JPEG")
    comment = b"\xff\xfe\0\2"
    assert read_upload(raw[:2] + 100 * comment + raw[2:]).shape == NOISE.shape
    assert refused(raw[:2] + 6000 * comment + raw[2:]).kind == "too many scans"


def test_what_follows_a_jpeg_photograph_is_ignored():
    """Motion photographs have a video after the end marker."""
    raw = encode(NOISE, "JPEG")
    np.testing.assert_array_equal(read_upload(raw + b"\xff\xda" * 5000), read_upload(raw))


def test_data_uri_round_trip():
    raw = encode(NOISE, "PNG")
    for media_type in ("image/png", "", "text/html", "image/png;charset=utf-8"):
        assert bytes_of_data_uri(data_uri(raw, media_type)) == raw


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (None, "no data URI"),
        (["data:,"], "no data URI"),
        ({"contents": 1}, "no data URI"),
        (7, "no data URI"),
        ("", "no data URI"),
        ("file:///etc/passwd", "no data URI"),
        ("https://example.org/a.png", "no data URI"),
        ("data:image/png,abc", "no data URI"),
        ("data:image/png;base64,", "empty"),
        ("data:image/png;base64,a", "no base64"),
        ("data:image/png;base64,äöü=", "no base64"),
        ("data:image/png;base64,ab cd", "no base64"),
        ("data:" + "x" * 5000 + ";base64,aaaa", "no data URI"),
    ],
)
def test_malformed_data_uris_are_refused(text, kind):
    with pytest.raises(UploadError) as caught:
        bytes_of_data_uri(text)
    assert caught.value.kind == kind


def test_long_data_uri_is_refused_before_it_is_decoded():
    limits = UploadLimits(max_megabytes=0.003)
    assert len(bytes_of_data_uri(data_uri(bytes(3000)), limits)) == 3000
    with pytest.raises(UploadError) as caught:
        bytes_of_data_uri("data:;base64," + "?" * limits.max_characters, limits)
    assert caught.value.kind == "file is too large"


MUTATIONS = '''
import base64, io, re, struct, zlib
from pathlib import Path
import numpy as np
from PIL import Image
from posescope.explorer.uploads import UploadError, UploadLimits, bytes_of_data_uri, read_upload

rng = np.random.default_rng(7)
noise = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
exif = Image.Exif()
exif[0x0112] = 6

def most_memory_kib():
    """Return the largest resident size of this process; ru_maxrss would count that of its parent."""
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

def encode(image, file_format, **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, file_format, **options)
    return stream.getvalue()

def repaired(raw):
    """Correct the checksums of a PNG file, so that its decoder sees the damage."""
    out, at = bytearray(raw[:8]), 8
    while at + 12 <= len(raw):
        size = min(int.from_bytes(raw[at : at + 4], "big"), len(raw) - at - 12)
        body = raw[at + 4 : at + 8 + size]
        out += raw[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return bytes(out)

files = [
    encode(noise, "JPEG", exif=exif), encode(noise, "JPEG", progressive=True), encode(noise, "PNG", exif=exif),
    encode(noise[..., 0], "PNG"), encode(np.dstack([noise, noise[..., :1]]), "PNG"), encode(noise, "WEBP", exif=exif),
    encode(noise, "WEBP", lossless=True), encode(noise, "WEBP", save_all=True, append_images=[Image.fromarray(255 - noise)]),
]
limits = UploadLimits(max_megabytes=1, max_megapixels=1)
for raw in files:
    read_upload(raw, limits)
before = most_memory_kib()
counts = {"decoded": 0, "refused": 0}
for index in range(1000):
    data = bytearray(files[index % len(files)])
    kind = int(rng.integers(5))
    if kind == 0:  # bytes of the whole file
        for at in rng.integers(0, len(data), int(rng.integers(1, 20))):
            data[at] = int(rng.integers(256))
    elif kind == 1:  # bytes of the header, sizes and lengths included
        for at in rng.integers(0, 64, int(rng.integers(1, 6))):
            data[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)]))
    elif kind == 2:  # cut, or a part repeated
        first, last = sorted(rng.integers(0, len(data), 2))
        data = data[:first] + data[last:] if rng.random() < 0.5 else data[:last] + data[first:]
    elif kind == 3:  # two files mixed
        other = files[int(rng.integers(len(files)))]
        data[8 : int(rng.integers(9, len(data)))] = other[8 : int(rng.integers(9, len(other)))]
    else:  # a chunk of the largest length, or huge sizes
        at = int(rng.integers(0, min(len(data), 200)))
        data[at : at + 4] = b"\\xff\\xff\\xff\\x7f" if rng.random() < 0.5 else b"\\x00\\x00\\xff\\xff"
    raw = repaired(bytes(data)) if data[:4] == b"\\x89PNG" and rng.random() < 0.7 else bytes(data)
    text = "data:image/png;base64," + base64.b64encode(raw).decode()
    if rng.random() < 0.1:
        at = int(rng.integers(len(text)))
        text = text[:at] + chr(int(rng.integers(1, 0x2000))) + text[at + 1 :]
    try:
        image = read_upload(bytes_of_data_uri(text, limits), limits)
        counts["decoded"] += 1
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size > 3_000_000:
            raise SystemExit(f"input {index}: {image.dtype} {image.shape}")
    except UploadError as error:
        counts["refused"] += 1
        if "\\n" in str(error):
            raise SystemExit(f"input {index}: {error!r}")
print(counts["decoded"], counts["refused"], most_memory_kib() - before)
'''


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the largest memory of a process is read from Linux's /proc")
def test_a_thousand_malformed_uploads_are_refused_within_the_memory_bound():
    """Any other exception, or a crash of a decoder, ends the process with an error."""
    result = subprocess.run([sys.executable, "-c", MUTATIONS], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr + result.stdout
    decoded, denied, growth_kib = map(int, result.stdout.split())
    assert decoded + denied == 1000
    assert denied > 500
    assert growth_kib * 1024 < 20 * 1e6 + 32 * 2**20  # 20 bytes per px of one megapixel, and the allocator's reserve

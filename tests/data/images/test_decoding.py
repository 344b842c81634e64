"""Tests of posescope.data.images.decoding: formats, transparency, orientation and refused files."""

import io
import os
import re
import struct
import subprocess
import sys
import zlib
from functools import cache, partial

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from posescope.core.errors import DataError
from posescope.data.images.decoding import decode_image, read_image
from posescope.data.images.headers import read_header
from posescope.data.images.limits import ImageError, ImageLimits
from posescope.data.images.orientation import apply_orientation

read_upright = partial(read_image, frame="upright")

NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
# JPEG changes smooth images only slightly.
SMOOTH = cv2.resize(NOISE[:3, :4], (80, 60), interpolation=cv2.INTER_LINEAR)


def encode(image, file_format, **options):
    """Return the bytes of an image file."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, file_format, **options)
    return stream.getvalue()


def read(tmp_path, raw, name="a.jpg", size=None):
    (tmp_path / name).write_bytes(raw)
    return read_image(tmp_path / name, size)


def test_images_are_read_as_rgb(tmp_path):
    Image.fromarray(np.full((4, 6, 3), (200, 100, 50), np.uint8)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", (4, 6))
    assert (image.shape, image.dtype) == ((4, 6, 3), np.uint8)
    assert (image == (200, 100, 50)).all()


def test_exif_orientation_is_ignored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was rotated by 90 degrees
    left_half_red = np.zeros((40, 80, 3), np.uint8)
    left_half_red[:, :40, 0] = 255
    Image.fromarray(left_half_red).save(tmp_path / "rotated.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "rotated.jpg") as written:
        assert written.getexif()[0x0112] == 6
    image = read_image(tmp_path / "rotated.jpg", (40, 80))
    assert image[20, 10, 0] > 200
    assert image[20, 70, 0] < 50


def test_grey_image_has_three_equal_channels(tmp_path):
    Image.fromarray(NOISE[..., 0]).save(tmp_path / "grey.png")
    image = read_image(tmp_path / "grey.png")
    for channel in range(3):
        np.testing.assert_array_equal(image[..., channel], NOISE[..., 0])


def test_another_size_than_annotated_is_refused(tmp_path):
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"\(60, 80\)") as caught:
        read_image(tmp_path / "a.png", (80, 60))
    assert caught.value.kind == "image has another size"


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("ending", [b"", b"\xff\xd9"], ids=["truncated", "truncated with end marker"])
def test_truncated_jpeg_is_refused(tmp_path, ending, progressive):
    content = encode(NOISE, "JPEG", quality=90, progressive=progressive)
    for fraction in (0.5, 0.75, 0.95):
        with pytest.raises(ImageError, match="damaged") as caught:
            read(tmp_path, content[: int(len(content) * fraction)] + ending)
        assert caught.value.kind == "image is damaged"


def test_jpeg_with_overwritten_bytes_is_refused(tmp_path):
    content = encode(NOISE, "JPEG", quality=90)
    middle = len(content) // 2
    with pytest.raises(ImageError, match="damaged"):
        read(tmp_path, content[:middle] + bytes(300) + content[middle + 300 :])


def test_bytes_after_the_end_are_ignored(tmp_path):
    content = encode(NOISE, "JPEG")
    np.testing.assert_array_equal(read(tmp_path, content + bytes(1000)), read(tmp_path, content))
    # Some cameras write extra bytes before the end marker: libjpeg warns, and all pixels are correct.
    np.testing.assert_array_equal(read(tmp_path, content[:-2] + b"junk" + content[-2:]), read(tmp_path, content))


def test_jpegs_equal_opencv_exactly(tmp_path):
    for options in ({"quality": 95}, {"quality": 30}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}):
        raw = encode(NOISE, "JPEG", **options)
        expected = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR_RGB)
        np.testing.assert_array_equal(read(tmp_path, raw), expected)


def test_cmyk_jpeg_is_converted_to_rgb(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(SMOOTH).convert("CMYK").save(stream, "JPEG", quality=100)
    image = read(tmp_path, stream.getvalue())
    assert np.abs(image.astype(int) - SMOOTH).mean() < 3
    with pytest.raises(ImageError, match="damaged"):
        read(tmp_path, stream.getvalue()[:-400] + b"\xff\xd9")


def test_grey_jpeg_has_three_equal_channels(tmp_path):
    image = read(tmp_path, encode(SMOOTH[..., 0], "JPEG", quality=100))
    assert np.abs(image.astype(int) - SMOOTH[..., :1]).max() <= 4
    assert (image == image[..., :1]).all()


def test_sixteen_bits_are_converted_to_eight(tmp_path):
    deep = NOISE.astype(np.uint16) * 257
    assert cv2.imwrite(str(tmp_path / "deep.png"), deep[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png", (60, 80)), NOISE)
    assert cv2.imwrite(str(tmp_path / "grey.png"), deep[..., 0])
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.repeat(NOISE[..., :1], 3, axis=2))


def test_transparent_image_is_composited_on_white_as_in_prediction(tmp_path):
    transparent = np.dstack([NOISE, np.zeros((60, 80), np.uint8)])
    transparent[20:40, 20:40, 3] = 255
    expected = np.full_like(NOISE, 255)
    expected[20:40, 20:40] = NOISE[20:40, 20:40]
    np.testing.assert_array_equal(read(tmp_path, encode(transparent, "PNG")), expected)
    np.testing.assert_array_equal(read_upright(tmp_path / "a.jpg"), expected)


def test_format_is_determined_by_content_and_not_by_name(tmp_path):
    np.testing.assert_array_equal(read(tmp_path, encode(NOISE, "PNG"), "png inside.jpg"), NOISE)
    np.testing.assert_array_equal(read(tmp_path, encode(NOISE, "BMP"), "ünï cödé.png"), NOISE)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "WEBP", "TIFF"])
def test_truncated_files_of_other_formats_are_refused(tmp_path, file_format):
    content = encode(NOISE, file_format)
    assert read(tmp_path, content).shape == (60, 80, 3)
    for fraction in (0.1, 0.5, 0.95):
        with pytest.raises(ImageError, match=r"decoded|damaged or truncated"):
            read(tmp_path, content[: int(len(content) * fraction)])


@pytest.mark.real_data
def test_no_real_photograph_is_refused(real_data):
    """The checks accept the photographs of all cameras: 221 of COCO and 3,500 of LSPET."""
    photographs = [path for folder in ("coco_subset", "lspet") for path in sorted((real_data / folder).rglob("*.jpg"))]
    assert len(photographs) == 3_721
    for path in photographs[::5]:
        assert read_image(path).ndim == 3


def test_folder_is_refused(tmp_path):
    with pytest.raises(ImageError, match=re.escape(str(tmp_path))):
        read_image(tmp_path)


@pytest.mark.parametrize("raw", [None, b"", b"not an image"])
def test_missing_and_invalid_files_are_refused(tmp_path, raw):
    if raw is not None:
        (tmp_path / "a.jpg").write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.jpg"):
        read_image(tmp_path / "a.jpg")


def test_header_is_compared_with_the_annotation_before_decoding(tmp_path, monkeypatch):
    raw = bytearray(encode(NOISE, "JPEG"))
    frame = raw.index(b"\xff\xc0")
    raw[frame + 5 : frame + 9] = (9000).to_bytes(2, "big") * 2  # a header can state any size
    with pytest.raises(ImageError, match=r"\(60, 80\)"):
        read(tmp_path, bytes(raw), size=(60, 80))

    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr("posescope.data.images.decoding.simplejpeg.decode_jpeg", exhausted)
    with pytest.raises(ImageError, match="memory"):
        read(tmp_path, encode(NOISE, "JPEG"))


def test_jpeg_of_a_newer_jfif_version_is_read(tmp_path):
    raw = bytearray(encode(NOISE, "JPEG"))
    version = raw.index(b"JFIF\0") + 5
    raw[version] = 2
    np.testing.assert_array_equal(read(tmp_path, bytes(raw)), read(tmp_path, encode(NOISE, "JPEG")))


def test_pam_is_refused(tmp_path):
    header = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n"
    with pytest.raises(ImageError, match="P7"):
        read(tmp_path, header + bytes([200, 100, 50] * 2))


def _png(width, height, data_of=(1, 1)):
    """Return a PNG file of black pixels, with the data of an image of `data_of` (width, height)."""
    pack = zlib.compressobj(9)
    data = b"".join(pack.compress(bytes(1 + 3 * data_of[0])) for _ in range(data_of[1])) + pack.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def _with_size(raw, at, code, *sizes):
    changed = bytearray(raw)
    struct.pack_into(code, changed, at, *sizes)
    return bytes(changed)


@cache
def hostile_files():
    """Return small files that declare an image larger than the memory."""
    jpeg, progressive = encode(NOISE, "JPEG"), encode(NOISE, "JPEG", progressive=True)
    animated = {"save_all": True, "append_images": [Image.fromarray(255 - NOISE)]}
    webp = bytearray(encode(NOISE, "WEBP", **animated))
    webp[24:30] = (65_000).to_bytes(3, "little") * 2
    gif = encode(NOISE, "GIF", disposal=2, **animated)
    tags = {256: 60_000, 257: 60_000, 258: 8, 262: 1, 273: 200, 277: 1, 279: 600}
    tiff = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in tags)
    return {
        "jpeg": _with_size(jpeg, jpeg.index(b"\xff\xc0") + 5, ">HH", 40_000, 40_000),
        "progressive": _with_size(progressive, progressive.index(b"\xff\xc2") + 5, ">HH", 40_000, 40_000),
        "wide png": _png(1_000_000, 1),
        "tall png": _png(1, 1_000_000),
        "png": _png(60_000, 60_000),
        "gif": _with_size(gif, 6, "<HH", 65_535, 65_535),
        "gif frame": _with_size(gif, gif.index(b",\0\0\0\0") + 5, "<HH", 13_000, 13_000),
        "bmp": _with_size(encode(NOISE, "BMP"), 18, "<ii", 30_000, 30_000),
        "webp": bytes(webp),
        "lossless webp": _with_size(encode(NOISE, "WEBP", lossless=True), 21, "<I", 16_382 | 16_382 << 14),
        "tiff": tiff + bytes(900),
        "pnm": b"P6\n50000 50000\n255\n" + bytes(900),
    }


@pytest.mark.parametrize("name", hostile_files())
def test_image_that_is_too_large_is_refused_by_its_header(tmp_path, name):
    (tmp_path / "a.jpg").write_bytes(hostile_files()[name])
    for read_file in (read_image, read_upright):
        with pytest.raises(ImageError, match=r"megapixels|too many pixels") as caught:
            read_file(tmp_path / "a.jpg")
        assert caught.value.kind == "image is too large"


_MEASURE = """
import resource, sys
from pathlib import Path
import numpy as np
from posescope.data.crops.crop_resampling import crop_box
from posescope.data.images.decoding import read_image
from posescope.data.images.limits import ImageError, ImageLimits
from posescope.drawing.image_grids import resize_to_height

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before, refused = peak(), 0
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read_image(path)
    except ImageError:
        refused += 1
after = peak()
wide = read_image(Path(sys.argv[2]), limits=ImageLimits(max_side_px=65_535))
side = round(1.25 * max(wide.shape))
crop_box(wide, (wide.shape[1] - side) // 2, (1 - side) // 2, (side, side), (256, 256), (124, 116, 104))
resize_to_height(wide, 200)
print(refused, after - before, peak() - after)
"""


def test_hostile_and_very_wide_images_need_little_memory(tmp_path):
    """A subprocess measures the memory of decoding all files, and of cropping and drawing the widest image."""
    files = tmp_path / "files"
    files.mkdir()
    for name, raw in hostile_files().items():
        (files / name).write_bytes(raw)
    png = encode(NOISE, "PNG")
    (files / "wrong chunk size").write_bytes(_with_size(png, png.index(b"IDAT") - 4, ">I", 2**31 - 1))
    (tmp_path / "wide.png").write_bytes(_png(60_000, 1, data_of=(60_000, 1)))
    process = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(files), str(tmp_path / "wide.png")], capture_output=True, text=True, check=True
    )
    refused, reading_mb, using_mb = map(float, process.stdout.split())
    assert refused == len(hostile_files()) + 1
    assert reading_mb < 30, "the smallest image would need 200 MB"
    assert using_mb < 200, (
        "one strip of the crop as floats; the crop at once needs 360 MB, and a panel 60,000 times as wide as high 3.6 GB"
    )


def test_limits_are_configurable(tmp_path):
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", limits=ImageLimits(max_megapixels=0.0048)).shape == (60, 80, 3)
    for limits in (ImageLimits(max_megapixels=0.0047), ImageLimits(max_side_px=79)):
        with pytest.raises(ImageError, match="60 x 80"):
            read_image(tmp_path / "a.png", limits=limits)


def test_huge_file_and_pipe_are_refused(tmp_path):
    with (tmp_path / "a.jpg").open("wb") as stream:
        stream.truncate(2_000_000_000)  # a sparse file
    with pytest.raises(ImageError, match="2000 MB") as caught:
        read_image(tmp_path / "a.jpg")
    assert caught.value.kind == "image is too large"
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="regular"):
        read_image(tmp_path / "pipe.jpg")


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_images_with_fewer_bits_in_sixteen_are_refused(tmp_path, suffix, bits):
    assert cv2.imwrite(str(tmp_path / f"a.{suffix}"), NOISE.astype(np.uint16) << (bits - 8))
    for read_file in (read_image, read_upright):
        with pytest.raises(ImageError, match="14") as caught:
            read_file(tmp_path / f"a.{suffix}")
        assert caught.value.kind == "image has too few bits"


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint32, np.int16])
def test_tiffs_of_other_number_types_are_refused(tmp_path, dtype):
    tifffile = pytest.importorskip("tifffile", reason="comes with scikit-image, an extra for development")
    tifffile.imwrite(tmp_path / "a.tif", NOISE.astype(dtype), photometric="rgb")
    with pytest.raises(ImageError, match="bits"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("deep", [1, 257])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
def test_transparent_tiffs_are_composited_on_white(tmp_path, kind, deep):
    tifffile = pytest.importorskip("tifffile", reason="comes with scikit-image, an extra for development")
    opacity = np.random.default_rng(1).integers(0, 256, (60, 80, 1))
    colours = NOISE * opacity / 255 if kind == "assocalpha" else NOISE
    pixels = np.dstack([np.rint(colours), opacity]).astype(np.uint8).astype(np.uint16 if deep > 1 else np.uint8) * deep
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=[kind])
    expected = NOISE if kind == "unspecified" else (NOISE * opacity + 255 * (255 - opacity)) / 255
    np.testing.assert_allclose(
        read_image(tmp_path / "a.tif").astype(float), expected, atol=1.5
    )  # Pillow divides by the opacity in 8 bits


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [1, 257])
def test_tiffs_are_read_as_stored_or_upright(tmp_path, orientation, deep):
    tifffile = pytest.importorskip("tifffile", reason="comes with scikit-image, an extra for development")
    pixels = NOISE.astype(np.uint16 if deep > 1 else np.uint8) * deep
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", (60, 80)), NOISE)
    np.testing.assert_array_equal(read_upright(tmp_path / "a.tif"), apply_orientation(NOISE, orientation))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "LA", "P", "1", "CMYK.JPEG", "CMYK.TIFF", "RGBA"])
def test_training_and_prediction_see_the_same_pixels(tmp_path, form):
    image = Image.fromarray(np.dstack([SMOOTH, NOISE[..., 0]])) if form == "RGBA" else Image.fromarray(SMOOTH)
    mode, _, kind = form.partition(".")
    if mode in ("LA", "P", "1", "CMYK"):
        image = image.convert(mode)
    image.save(tmp_path / "a", format=kind or (form if form not in ("LA", "P", "1", "RGBA") else "PNG"))
    read = read_image(tmp_path / "a", (60, 80))
    np.testing.assert_array_equal(read, read_upright(tmp_path / "a"))
    if form != "RGBA":
        assert np.abs(read - np.asarray(image.convert("RGB")).astype(int)).mean() < 6


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_damaged_tiff_is_refused(tmp_path, compression, mode):
    image = Image.fromarray(NOISE).convert(mode)
    raw = bytearray(encode(np.asarray(image), "TIFF", compression=compression))
    np.testing.assert_array_equal(read(tmp_path, bytes(raw)), np.asarray(image.convert("RGB")))
    raw[len(raw) // 2] ^= 255
    raw[len(raw) // 3] ^= 255
    with pytest.raises(ImageError, match="damaged") as caught:
        read(tmp_path, bytes(raw))
    assert caught.value.kind == "image is damaged"


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_transparency_chunk_name_in_a_text_is_ignored(tmp_path, mode):
    image = Image.fromarray(NOISE).convert(mode)
    info = PngInfo()
    info.add_text("Comment", "tRNS" + "\0" + chr(np.asarray(image).flat[0]), zip=False)
    image.save(tmp_path / "a.png", pnginfo=info)
    assert b"tRNS" in (tmp_path / "a.png").read_bytes()
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(image.convert("RGB")))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns about tags
def test_mutated_files_are_read_or_refused(tmp_path):
    """Each randomly changed file gives an image of the declared size or an `ImageError`."""
    rng = np.random.default_rng(0)
    limits = ImageLimits(max_megapixels=0.1)
    files = [encode(SMOOTH, kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")]
    read, refused = 0, 0
    for _ in range(400):
        raw = bytearray(files[rng.integers(len(files))])
        for at in rng.integers(0, len(raw) if rng.random() < 0.5 else min(len(raw), 60), rng.integers(1, 6)):
            raw[at] = rng.integers(256)
        try:
            image = decode_image(bytes(raw), tmp_path / "a.jpg", frame="upright", limits=limits)
        except ImageError:
            refused += 1
            continue
        read += 1
        assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
        assert image.shape[:2] == read_header(bytes(raw), tmp_path / "a.jpg").upright_size
    assert min(read, refused) > 50

"""Image files of all kinds: what they become, and what is refused."""

import io
import re

import cv2
import numpy as np
import pytest
from PIL import Image

from posescope.crops.decoding import ImageError, read_image
from posescope.errors import DataError
from posescope.inference.reading import read_upright

NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
# JPEG keeps smooth pictures nearly as they are.
SMOOTH = cv2.resize(NOISE[:3, :4], (80, 60), interpolation=cv2.INTER_LINEAR)


def encoded(picture, file_format, **options):
    """The bytes of an image file."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, file_format, **options)
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
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    left_half_red = np.zeros((40, 80, 3), np.uint8)
    left_half_red[:, :40, 0] = 255
    Image.fromarray(left_half_red).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "turned.jpg") as written:
        assert written.getexif()[0x0112] == 6
    image = read_image(tmp_path / "turned.jpg", (40, 80))
    assert image[20, 10, 0] > 200
    assert image[20, 70, 0] < 50


def test_a_grey_image_has_three_equal_channels(tmp_path):
    Image.fromarray(NOISE[..., 0]).save(tmp_path / "grey.png")
    image = read_image(tmp_path / "grey.png")
    for channel in range(3):
        np.testing.assert_array_equal(image[..., channel], NOISE[..., 0])


def test_another_size_than_annotated_is_refused(tmp_path):
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    message = r"a\.png: the annotations say \(80, 60\) px \(height, width\), the file has \(60, 80\)"
    with pytest.raises(DataError, match=message):
        read_image(tmp_path / "a.png", (80, 60))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("ending", [b"", b"\xff\xd9"], ids=["cut", "cut and closed"])
def test_a_truncated_jpeg_is_refused(tmp_path, ending, progressive):
    whole = encoded(NOISE, "JPEG", quality=90, progressive=progressive)
    for share in (0.5, 0.75, 0.95):
        with pytest.raises(ImageError, match=r"a\.jpg: the JPEG file is damaged or cut short") as caught:
            read(tmp_path, whole[: int(len(whole) * share)] + ending)
        assert caught.value.kind == "image is damaged"


def test_a_jpeg_with_a_hole_is_refused(tmp_path):
    whole = encoded(NOISE, "JPEG", quality=90)
    middle = len(whole) // 2
    with pytest.raises(ImageError, match="damaged"):
        read(tmp_path, whole[:middle] + bytes(300) + whole[middle + 300 :])


def test_bytes_after_the_end_harm_nobody(tmp_path):
    whole = encoded(NOISE, "JPEG")
    np.testing.assert_array_equal(read(tmp_path, whole + bytes(1000)), read(tmp_path, whole))
    # Some cameras leave junk before the end mark: libjpeg warns, and every pixel is right.
    np.testing.assert_array_equal(read(tmp_path, whole[:-2] + b"junk" + whole[-2:]), read(tmp_path, whole))


def test_jpegs_are_opencv_s_to_the_bit(tmp_path):
    for options in ({"quality": 95}, {"quality": 30}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}):
        raw = encoded(NOISE, "JPEG", **options)
        expected = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR_RGB)
        np.testing.assert_array_equal(read(tmp_path, raw), expected)


def test_a_jpeg_in_printers_colours_becomes_rgb(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(SMOOTH).convert("CMYK").save(stream, "JPEG", quality=100)
    image = read(tmp_path, stream.getvalue())
    assert np.abs(image.astype(int) - SMOOTH).mean() < 3
    with pytest.raises(ImageError, match="damaged"):
        read(tmp_path, stream.getvalue()[:-400] + b"\xff\xd9")


def test_a_grey_jpeg_has_three_equal_channels(tmp_path):
    image = read(tmp_path, encoded(SMOOTH[..., 0], "JPEG", quality=100))
    assert np.abs(image.astype(int) - SMOOTH[..., :1]).max() <= 4
    assert (image == image[..., :1]).all()


def test_sixteen_bits_become_eight(tmp_path):
    deep = NOISE.astype(np.uint16) * 257
    assert cv2.imwrite(str(tmp_path / "deep.png"), deep[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png", (60, 80)), NOISE)
    assert cv2.imwrite(str(tmp_path / "grey.png"), deep[..., 0])
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.repeat(NOISE[..., :1], 3, axis=2))


def test_a_transparent_image_is_laid_on_white_as_in_prediction(tmp_path):
    clear = np.dstack([NOISE, np.zeros((60, 80), np.uint8)])
    clear[20:40, 20:40, 3] = 255
    expected = np.full_like(NOISE, 255)
    expected[20:40, 20:40] = NOISE[20:40, 20:40]
    np.testing.assert_array_equal(read(tmp_path, encoded(clear, "PNG")), expected)
    np.testing.assert_array_equal(read_upright(tmp_path / "a.jpg"), expected)


def test_the_content_decides_not_the_name(tmp_path):
    np.testing.assert_array_equal(read(tmp_path, encoded(NOISE, "PNG"), "png inside.jpg"), NOISE)
    np.testing.assert_array_equal(read(tmp_path, encoded(NOISE, "BMP"), "ünï cödé.png"), NOISE)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "WEBP", "TIFF"])
def test_other_formats_that_are_cut_short_are_refused(tmp_path, file_format):
    whole = encoded(NOISE, file_format)
    assert read(tmp_path, whole).shape == (60, 80, 3)
    for share in (0.1, 0.5, 0.95):
        with pytest.raises(ImageError, match=r"cannot be decoded as an image"):
            read(tmp_path, whole[: int(len(whole) * share)])


@pytest.mark.real_data
def test_no_real_photograph_is_refused(real_data):
    """The other side of strictness: 221 of COCO and 3,500 of LSPET, whatever camera they come from."""
    photographs = [path for folder in ("coco_subset", "lspet") for path in sorted((real_data / folder).rglob("*.jpg"))]
    assert len(photographs) == 3_721
    for path in photographs[::5]:
        assert read_image(path).ndim == 3


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(ImageError, match=re.escape(f"{tmp_path}: cannot be decoded as an image")):
        read_image(tmp_path)


@pytest.mark.parametrize("raw", [None, b"", b"not an image"])
def test_what_is_no_image_is_refused(tmp_path, raw):
    if raw is not None:
        (tmp_path / "a.jpg").write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.jpg: cannot be decoded as an image"):
        read_image(tmp_path / "a.jpg")


def test_the_header_is_held_against_the_annotation_before_memory_is_asked_for(tmp_path, monkeypatch):
    raw = bytearray(encoded(NOISE, "JPEG"))
    frame = raw.index(b"\xff\xc0")
    raw[frame + 5 : frame + 9] = (9000).to_bytes(2, "big") * 2  # a header can say anything
    with pytest.raises(ImageError, match=r"the annotations say \(60, 80\) px \(height, width\), the file has \(9000, 9000\)"):
        read(tmp_path, bytes(raw), size=(60, 80))

    def exhausted(*_, **__):
        raise MemoryError

    monkeypatch.setattr("posescope.crops.decoding.simplejpeg.decode_jpeg", exhausted)
    with pytest.raises(ImageError, match="not enough memory"):
        read(tmp_path, encoded(NOISE, "JPEG"))


def test_a_newer_jfif_version_is_no_damage(tmp_path):
    raw = bytearray(encoded(NOISE, "JPEG"))
    version = raw.index(b"JFIF\0") + 5
    raw[version] = 2
    np.testing.assert_array_equal(read(tmp_path, bytes(raw)), read(tmp_path, encoded(NOISE, "JPEG")))


def test_pam_which_opencv_reads_with_red_for_blue_is_refused(tmp_path):
    head = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n"
    with pytest.raises(ImageError, match="PAM is not supported"):
        read(tmp_path, head + bytes([200, 100, 50] * 2))

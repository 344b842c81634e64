"""Decode image files to RGB, for training and prediction, with bounded memory; damaged files are refused.

JPEG is decoded by simplejpeg, which reports missing or broken data (OpenCV would fill them with one colour). Other formats are
decoded by OpenCV; Pillow checks TIFF files for damage. The declared size is checked before memory is allocated. Transparent
images are composited on white, as most viewers show them: the colour of transparent pixels is arbitrary.
"""

import io
import re
import stat
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from posescope.data.images.headers import ImageError, ImageHeader, ImageLimits, MissingImageError, find_png_chunk, read_header
from posescope.data.images.orientation import PixelFrame, apply_orientation, undo_orientation

__all__ = [
    "ImageError", "MissingImageError", "check_bit_depth", "composite_on_white", "decode_image", "flatten_transparency",
    "read_bytes", "read_image",
]  # fmt: skip

_FOUR_COLOURS = frozenset({"CMYK", "YCCK"})
# libjpeg's warning for bytes between the last block and the end marker. Some cameras leave a few, which change no pixel. Many of
# them mean that blocks were lost and the following ones are displaced.
_EXTRA_BYTES = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_MAX_EXTRA_BYTES = 32
_LIMITS = ImageLimits()
_WHITE = 255
_GREY, _GREY_ALPHA, _RGB_ALPHA = 0, 4, 6  # colour types of PNG
_STRIP_PX = 4_000_000  # composited at a time: the whole image in 16 bits would take three times the memory
# An image of 12 or 14 bits in 16-bit samples uses a sixteenth or a quarter of the range, and would be decoded to nearly black.
_BRIGHTEST_OF_14_BITS = 64  # of 255, rounded up


def read_image(
    path: Path,
    expected_size: tuple[int, int] | None = None,
    *,
    frame: PixelFrame = "stored",
    limits: ImageLimits = _LIMITS,
) -> NDArray[np.uint8]:
    """Decode an image file to RGB. The content determines the format, not the file name.

    Grey images get three equal channels, 16 bits become 8, CMYK becomes RGB, and transparent images are composited on white. The
    first image of an animation or of a file with several pages is read.

    Args:
        path: path of the image.
        expected_size: annotated (height, width), px, in `frame`; None: not checked.
        frame: `stored` ignores the EXIF orientation, as COCO's labels expect; `upright` applies it.
        limits: maximum size of an image.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: if the file is missing, no image, damaged or truncated, too large, of a format whose colours would be wrong,
            or has another size than annotated.
    """
    return decode_image(read_bytes(path, limits), path, expected_size, frame=frame, limits=limits)


def read_bytes(path: Path, limits: ImageLimits = _LIMITS) -> bytes:
    """Return the bytes of an image file.

    Args:
        path: path of the image.
        limits: maximum size of an image, which bounds the size of the file.

    Raises:
        MissingImageError: if the file does not exist.
        ImageError: if the file cannot be read, is no regular file, or is larger than any image within the limits.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would block, a device may not end
            raise ImageError("image cannot be read", f"{path}: cannot be decoded as an image (it is not a regular file).")
        limits.check_file(status.st_size, path)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingImageError("image file is missing", f"{path}: the image file does not exist.") from error
    except OSError as error:
        raise ImageError("image cannot be read", f"{path}: cannot be decoded as an image ({error.strerror}).") from error


def decode_image(
    raw: bytes,
    path: Path,
    expected_size: tuple[int, int] | None = None,
    *,
    frame: PixelFrame = "stored",
    limits: ImageLimits = _LIMITS,
    header: ImageHeader | None = None,
) -> NDArray[np.uint8]:
    """Decode the bytes of an image file as `read_image` does.

    Args:
        raw: the file's bytes.
        path: path of the file, for messages.
        expected_size, frame, limits: as in `read_image`.
        header: header of the file; None: it is read from `raw`.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: as in `read_image`.
    """
    about = read_header(raw, path) if header is None else header
    limits.check_size(about.stored_size, path)
    limits.check_size(about.largest_part, path)
    _check_annotated(path, about, expected_size, frame)
    try:
        image = _decode_jpeg(raw, about, path) if about.kind == "JPEG" else _decode_other(raw, about, path)
    except MemoryError as error:
        raise ImageError("image cannot be decoded", f"{path}: not enough memory to decode the image.") from error
    return apply_orientation(image, about.orientation) if frame == "upright" else image


def check_bit_depth(image: NDArray[np.uint8], path: Path) -> None:
    """Check that an image of 16 bits per sample uses them.

    Args:
        image: (H, W, 3) uint8, the upper 8 of 16 bits.
        path: path of the file, for the message.

    Raises:
        ImageError: if at most 14 bits are used, as by 12 or 14 bits stored in 16: the image would be nearly black.
    """
    if image.max() <= _BRIGHTEST_OF_14_BITS:
        raise ImageError(
            "image has too few bits",
            f"{path}: at most 14 of the 16 bits per sample are used, as by 12 or 14 bits stored in 16: the image would be nearly "
            "black. Scale its values to 0..65535, or save it with 8 bits.",
        )


def _check_annotated(path: Path, header: ImageHeader, expected: tuple[int, int] | None, frame: PixelFrame) -> None:
    """Compare the size in the header with the annotated one before memory is allocated."""
    found, other = header.stored_size, header.upright_size
    if frame == "upright":
        found, other = other, found
    if expected is None or found == expected:
        return
    if other != expected:
        raise ImageError(
            "image has another size", f"{path}: expected the annotated size {expected} px (height, width), found {found}."
        )
    right: PixelFrame = "stored" if frame == "upright" else "upright"
    raise ImageError(
        "image has the annotated size in the other orientation",
        f"{path}: expected the annotated size {expected} px (height, width), which is that of the {right} image; the {frame} "
        f"image has {found} (EXIF orientation {header.orientation}). Set data_engineering.source.orientation to {right} if the "
        f"labels refer to {right} images.",
    )


def _decode_jpeg(raw: bytes, header: ImageHeader, path: Path) -> NDArray[np.uint8]:
    known = _with_known_version(raw)
    wanted = "CMYK" if header.colours in _FOUR_COLOURS else "RGB"
    try:
        image = simplejpeg.decode_jpeg(known, colorspace=wanted, strict=True)
    except ValueError as error:
        if str(error).startswith("Unsupported"):
            raise ImageError("image cannot be decoded", f"{path}: unsupported JPEG format ({error}).") from error
        if not _is_harmless(str(error)):
            raise ImageError(
                "image is damaged",
                f"{path}: the JPEG file is damaged or truncated ({error}; {len(raw)} bytes). Download it again.",
            ) from error
        image = simplejpeg.decode_jpeg(known, colorspace=wanted, strict=False)
    if wanted == "CMYK":  # complete, as checked above; OpenCV converts CMYK to RGB
        return _decode_by_opencv(raw, header.stored_size, path)
    return np.asarray(image, dtype=np.uint8)


def _is_harmless(warning: str) -> bool:
    found = _EXTRA_BYTES.search(warning)
    return found is not None and int(found[1]) <= _MAX_EXTRA_BYTES


def _with_known_version(raw: bytes) -> bytes:
    """Return the bytes with JFIF version 1.02 in place of a later one, which libjpeg warns of; no pixel depends on it."""
    is_later = raw[6:11] == b"JFIF\0" and raw[11:12] > b"\x01"
    return raw[:11] + b"\x01\x02" + raw[13:] if is_later else raw


def _decode_other(raw: bytes, header: ImageHeader, path: Path) -> NDArray[np.uint8]:
    is_tiff = header.kind == "TIFF"  # OpenCV always applies the orientation of TIFF files
    image = _decode_by_opencv(raw, header.upright_size if is_tiff else header.stored_size, path)
    if is_tiff:
        _check_tiff_data(raw, path)
    if header.bits == 16:
        check_bit_depth(image, path)
    image = flatten_transparency(image, raw, header)
    return undo_orientation(image, header.orientation) if is_tiff else image


def _check_tiff_data(raw: bytes, path: Path) -> None:
    """Refuse damaged data: OpenCV ignores errors of its TIFF decoder and leaves the rest of the image black."""
    from PIL.TiffImagePlugin import TiffImageFile  # noqa: PLC0415 (slow to load)

    try:
        picture = TiffImageFile(io.BytesIO(raw))
    except (SyntaxError, ValueError, OSError, OverflowError):  # a format that Pillow does not read: not checked
        return
    try:
        picture.load()
    except (SyntaxError, ValueError, OSError, OverflowError) as error:
        raise ImageError("image is damaged", f"{path}: the TIFF file is damaged ({error}). Download it again.") from error


def _decode_by_opencv(raw: bytes, size: tuple[int, int], path: Path) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image ({error.msg.strip()}).") from error
    if image is None:
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image.")
    if image.shape[:2] != size:
        raise ImageError(
            "image cannot be decoded",
            f"{path}: expected the size {size} px (height, width) of the header, found {image.shape[:2]}.",
        )
    return np.asarray(image, dtype=np.uint8)


def flatten_transparency(image: NDArray[np.uint8], raw: bytes, header: ImageHeader) -> NDArray[np.uint8]:
    """Composite a decoded image on white if its file has an opacity (PNG, WebP, GIF and TIFF).

    Args:
        image: (H, W, 3) uint8 RGB, decoded from `raw` without its opacity.
        raw: the file's bytes.
        header: header of the file.

    Returns:
        (H, W, 3) uint8 RGB; `image` itself if nothing is transparent.
    """
    if not _may_be_transparent(raw, header):
        return image
    decoded = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    opacity = None if decoded is None else _opacity_of(decoded, raw, header)
    if opacity is None or opacity.shape != image.shape[:2]:
        return image
    return _complete_premultiplied(image, opacity) if header.premultiplied else composite_on_white(image, opacity)


def composite_on_white(image: NDArray[np.uint8], opacity: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Composite an image on white.

    Args:
        image: (H, W, 3) uint8 RGB.
        opacity: (H, W) uint8; 255 keeps the image, 0 gives white.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    laid = np.empty_like(image)
    step = max(1, _STRIP_PX // max(image.shape[1], 1))
    for start in range(0, len(image), step):
        weight = opacity[start : start + step, :, None].astype(np.uint16)
        mixed = image[start : start + step] * weight + _WHITE * (_WHITE - weight)
        laid[start : start + step] = (mixed + _WHITE // 2) // _WHITE
    return laid


def _complete_premultiplied(image: NDArray[np.uint8], opacity: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Add the white part to colours that are multiplied by the opacity already."""
    white = np.repeat(_WHITE - opacity[..., None], 3, axis=2)
    return np.asarray(cv2.add(image, white), dtype=np.uint8)


def _may_be_transparent(raw: bytes, header: ImageHeader) -> bool:
    if header.kind == "PNG":
        return raw[25] in (_GREY_ALPHA, _RGB_ALPHA) or find_png_chunk(raw, b"tRNS") is not None  # colour type or chunk
    return header.kind in ("GIF", "WebP") or header.premultiplied


def _opacity_of(decoded: NDArray[np.generic], raw: bytes, header: ImageHeader) -> NDArray[np.uint8] | None:
    """Return (H, W) uint8, 255 for opaque; None without opacity."""
    if decoded.ndim == 3 and decoded.shape[2] == 4:
        return np.asarray(decoded[..., 3] // (257 if decoded.dtype == np.uint16 else 1), dtype=np.uint8)
    if decoded.ndim == 2 and header.kind == "PNG" and raw[25] == _GREY:  # OpenCV ignores the transparent grey value
        chunk = find_png_chunk(raw, b"tRNS")
        return None if chunk is None else np.where(decoded == _grey_value(chunk, header.bits), 0, _WHITE).astype(np.uint8)
    return None


def _grey_value(chunk: bytes, bits: int) -> int:
    """Return the transparent grey value in the chunk tRNS of a PNG file, on the scale of the decoded pixels."""
    largest: int = 2**bits - 1
    value = int.from_bytes(chunk[:2], "big") & largest
    return value if bits >= 8 else value * 255 // largest

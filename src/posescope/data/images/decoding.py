"""Read image files as RGB: one reader for training and prediction, bounded in memory, that refuses what is damaged.

JPEG is decoded by simplejpeg, which says when data are missing or broken; OpenCV fills the rest with one colour. Everything else
is decoded by OpenCV; Pillow checks whether the data of TIFF files are damaged. The declared size is checked before memory is
asked for.
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
    "ImageError",
    "MissingImageError",
    "check_bit_depth",
    "decode_image",
    "read_bytes",
    "read_image",
    "composite_on_white",
    "flatten_transparency",
]

_FOUR_COLOURS = frozenset({"CMYK", "YCCK"})
# libjpeg's word for bytes between the last block and the end mark. Some cameras leave a few, and no pixel suffers; many of them
# mean that blocks were lost on the way and all that follows is out of place.
_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_MOST_LEFT_OVER_BYTES = 32
_LIMITS = ImageLimits()
# A picture of 12 or 14 bits in samples of 16 reaches a sixteenth or a quarter of their range, and would be decoded to near black.
_BRIGHTEST_OF_14_BITS = 64  # of 255, rounded up


def read_image(
    path: Path,
    expected_size: tuple[int, int] | None = None,
    *,
    frame: PixelFrame = "stored",
    limits: ImageLimits = _LIMITS,
) -> NDArray[np.uint8]:
    """Decode an image file as RGB. The content decides, not the name.

    Grey pictures get three equal channels, 16 bits become 8, transparent pictures are laid on white, printers' colours become
    RGB. Of an animation or a file of several pages the first picture is read.

    Args:
        path: of the image.
        expected_size: (height, width) px that the annotations state, in `frame`.
        frame: `stored` ignores EXIF's orientation, as COCO's labels expect; `upright` turns the picture by it.
        limits: the largest picture that is decoded.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: if the file is missing, no image, damaged or cut short, too large, of a kind whose pixels would come out
            wrong, or of another size than the annotations say.
    """
    return decode_image(read_bytes(path, limits), path, expected_size, frame=frame, limits=limits)


def read_bytes(path: Path, limits: ImageLimits = _LIMITS) -> bytes:
    """Return the bytes of an image file.

    Raises:
        MissingImageError: if there is no such file.
        ImageError: if the file cannot be read, is no regular file, or is larger than any picture within the limits.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, a device never ends
            raise ImageError("image cannot be read", f"{path}: cannot be decoded as an image (it is not a regular file).")
        limits.check_file(status.st_size, path)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingImageError("image file is missing", f"{path}: there is no such image file.") from error
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
        path: of the file, for messages.
        expected_size, frame, limits: as of `read_image`.
        header: of the file, where it has been read already.
    """
    about = read_header(raw, path) if header is None else header
    limits.check_size(about.stored_size, path)
    limits.check_size(about.largest_part, path)
    _check_annotated(path, about, expected_size, frame)
    try:
        image = _decode_jpeg(raw, about, path) if about.kind == "JPEG" else _decode_other(raw, about, path)
    except MemoryError as error:
        raise ImageError("image cannot be decoded", f"{path}: there is not enough memory to decode it.") from error
    return apply_orientation(image, about.orientation) if frame == "upright" else image


def check_bit_depth(image: NDArray[np.uint8], path: Path) -> None:
    """Accept only pictures of 16 bits that use them.

    Args:
        image: (H, W, 3) uint8: the upper 8 bits of 16.
        path: of the file, for the message.

    Raises:
        ImageError: if no more than 14 bits are used: 12 or 14 bits stored in 16 would come out nearly black.
    """
    if image.max() <= _BRIGHTEST_OF_14_BITS:
        raise ImageError(
            "image has too few bits",
            f"{path}: of its 16 bits a sample no more than 14 are used, as if 12 or 14 bits were stored in 16: it would be "
            "nearly black. Scale its values to 0..65535, or save it with 8 bits.",
        )


def _check_annotated(path: Path, header: ImageHeader, expected: tuple[int, int] | None, frame: PixelFrame) -> None:
    """Hold the header against the annotation before memory is asked for: a header can say anything."""
    found, other = header.stored_size, header.upright_size
    if frame == "upright":
        found, other = other, found
    if expected is None or found == expected:
        return
    if other != expected:
        raise ImageError(
            "image has another size", f"{path}: the annotations say {expected} px (height, width), the file has {found}."
        )
    right: PixelFrame = "stored" if frame == "upright" else "upright"
    raise ImageError(
        "image has the annotated size in the other orientation",
        f"{path}: the annotations say {expected} px (height, width). That is the size of the {right} picture; the {frame} "
        f"picture has {found} (its EXIF orientation is {header.orientation}). Set data_engineering.source.orientation to {right} "
        f"if the labels refer to the {right} pictures.",
    )


def _decode_jpeg(raw: bytes, header: ImageHeader, path: Path) -> NDArray[np.uint8]:
    known = _with_known_version(raw)
    wanted = "CMYK" if header.colours in _FOUR_COLOURS else "RGB"
    try:
        image = simplejpeg.decode_jpeg(known, colorspace=wanted, strict=True)
    except ValueError as error:
        if str(error).startswith("Unsupported"):
            raise ImageError("image cannot be decoded", f"{path}: a kind of JPEG that is not supported ({error}).") from error
        if not _is_harmless(str(error)):
            raise ImageError(
                "image is damaged", f"{path}: the JPEG file is damaged or cut short ({error}; {len(raw)} bytes); fetch it again."
            ) from error
        image = simplejpeg.decode_jpeg(known, colorspace=wanted, strict=False)
    if wanted == "CMYK":  # whole, as has been seen above; OpenCV knows how to turn printers' colours into RGB
        return _decode_by_opencv(raw, header.stored_size, path)
    return np.asarray(image, dtype=np.uint8)


def _is_harmless(warning: str) -> bool:
    left_over = _LEFT_OVER.search(warning)
    return left_over is not None and int(left_over[1]) <= _MOST_LEFT_OVER_BYTES


def _with_known_version(raw: bytes) -> bytes:
    """A file whose header speaks of a later version of JFIF, which libjpeg warns of, as one of 1.02: no pixel depends on it."""
    is_later = raw[6:11] == b"JFIF\0" and raw[11:12] > b"\x01"
    return raw[:11] + b"\x01\x02" + raw[13:] if is_later else raw


def _decode_other(raw: bytes, header: ImageHeader, path: Path) -> NDArray[np.uint8]:
    is_tiff = header.kind == "TIFF"  # OpenCV turns TIFF files upright, whatever it is asked for
    image = _decode_by_opencv(raw, header.upright_size if is_tiff else header.stored_size, path)
    if is_tiff:
        _check_tiff_data(raw, path)
    if header.bits == 16:
        check_bit_depth(image, path)
    image = flatten_transparency(image, raw, header)
    return undo_orientation(image, header.orientation) if is_tiff else image


def _check_tiff_data(raw: bytes, path: Path) -> None:
    """Refuse damaged data: OpenCV ignores the errors of its TIFF decoder and leaves the rest of the picture black."""
    from PIL.TiffImagePlugin import TiffImageFile  # noqa: PLC0415 (slow to load)

    try:
        picture = TiffImageFile(io.BytesIO(raw))
    except (SyntaxError, ValueError, OSError, OverflowError):  # a kind that Pillow does not read: it cannot say
        return
    try:
        picture.load()
    except (SyntaxError, ValueError, OSError, OverflowError) as error:
        raise ImageError("image is damaged", f"{path}: the TIFF file is damaged ({error}); fetch it again.") from error


def _decode_by_opencv(raw: bytes, size: tuple[int, int], path: Path) -> NDArray[np.uint8]:
    try:
        image = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image ({error.msg.strip()}).") from error
    if image is None:
        raise ImageError("image cannot be decoded", f"{path}: cannot be decoded as an image.")
    if image.shape[:2] != size:
        raise ImageError(
            "image cannot be decoded", f"{path}: the header says {size} px (height, width), and decoded it has {image.shape[:2]}."
        )
    return np.asarray(image, dtype=np.uint8)


# MERGED from transparency: Transparent pictures are laid on white, as most viewers show them; training and prediction
# alike.
#
# A file may hide anything under transparent pixels: the background that somebody has cut away, or noise. A reader that
# drops the
# opacity brings it to light.

_WHITE = 255
_GREY, _GREY_ALPHA, _RGB_ALPHA = 0, 4, 6  # colour types of PNG
_STRIP_PX = 4_000_000  # mixed at once: whole pictures of 16 bits would take three times the memory


def flatten_transparency(image: NDArray[np.uint8], raw: bytes, header: ImageHeader) -> NDArray[np.uint8]:
    """Lay a decoded picture on white where its file has an opacity.

    PNG, WebP, GIF and TIFF are asked; the fourth channel of BMP has no meaning.

    Args:
        image: (H, W, 3) uint8 RGB, decoded from `raw` without its opacity.
        raw: the file's bytes.
        header: of the file.

    Returns:
        (H, W, 3) uint8 RGB: `image` itself where nothing is transparent.
    """
    if not _may_be_transparent(raw, header):
        return image
    decoded = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    opacity = None if decoded is None else _opacity_of(decoded, raw, header)
    if opacity is None or opacity.shape != image.shape[:2]:
        return image
    return _complete_premultiplied(image, opacity) if header.premultiplied else composite_on_white(image, opacity)


def composite_on_white(image: NDArray[np.uint8], opacity: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB over white, weighted by (H, W) uint8: 255 keeps the picture, 0 gives white."""
    laid = np.empty_like(image)
    step = max(1, _STRIP_PX // max(image.shape[1], 1))
    for start in range(0, len(image), step):
        weight = opacity[start : start + step, :, None].astype(np.uint16)
        mixed = image[start : start + step] * weight + _WHITE * (_WHITE - weight)
        laid[start : start + step] = (mixed + _WHITE // 2) // _WHITE
    return laid


def _complete_premultiplied(image: NDArray[np.uint8], opacity: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colours are multiplied by the opacity already: white is what is missing."""
    white = np.repeat(_WHITE - opacity[..., None], 3, axis=2)
    return np.asarray(cv2.add(image, white), dtype=np.uint8)


def _may_be_transparent(raw: bytes, header: ImageHeader) -> bool:
    if header.kind == "PNG":
        return raw[25] in (_GREY_ALPHA, _RGB_ALPHA) or find_png_chunk(raw, b"tRNS") is not None  # the colour type, or a chunk
    return header.kind in ("GIF", "WebP") or header.premultiplied


def _opacity_of(decoded: NDArray[np.generic], raw: bytes, header: ImageHeader) -> NDArray[np.uint8] | None:
    """(H, W) uint8, 255 opaque; none where the picture has no opacity."""
    if decoded.ndim == 3 and decoded.shape[2] == 4:
        return np.asarray(decoded[..., 3] // (257 if decoded.dtype == np.uint16 else 1), dtype=np.uint8)
    if decoded.ndim == 2 and header.kind == "PNG" and raw[25] == _GREY:  # OpenCV knows no transparent grey
        chunk = find_png_chunk(raw, b"tRNS")
        return None if chunk is None else np.where(decoded == _grey_value(chunk, header.bits), 0, _WHITE).astype(np.uint8)
    return None


def _grey_value(chunk: bytes, bits: int) -> int:
    """The grey value that the chunk tRNS of a PNG calls transparent, on the scale of the decoded pixels."""
    largest: int = 2**bits - 1
    value = int.from_bytes(chunk[:2], "big") & largest
    return value if bits >= 8 else value * 255 // largest

"""Decode image files to RGB, for training and prediction, with bounded memory; damaged files are refused.

JPEG is decoded by simplejpeg, which reports missing or broken data (OpenCV would fill them with one colour), all other formats by
Pillow. The declared size is checked before memory is allocated. Transparent images are composited on white, as most viewers show
them: the colour of transparent pixels is arbitrary.
"""

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL.ImageFile import ImageFile

from posescope.core.mirrors import place_of, remote_of
from posescope.data.images.headers import ImageHeader, read_header
from posescope.data.images.limits import ImageError, ImageLimits, MissingImageError
from posescope.data.images.orientation import PixelFrame, apply_orientation
from posescope.data.images.pillow_files import DAMAGED, check_bit_depth, rgb_of, rgb_of_jpeg_cmyk

if TYPE_CHECKING:
    from posescope.core.remote_folder import RemoteFolder

__all__ = ["decode_image", "read_bytes", "read_image"]

_FOUR_COLOURS = frozenset({"CMYK", "YCCK"})
# libjpeg's warning for bytes between the last block and the end marker. Some cameras leave a few, which change no pixel. Many of
# them mean that blocks were lost and the following ones are displaced.
_EXTRA_BYTES = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_MAX_EXTRA_BYTES = 32
_LIMITS = ImageLimits()


def read_image(
    path: Path,
    expected_size: tuple[int, int] | None = None,
    *,
    frame: PixelFrame = "stored",
    limits: ImageLimits = _LIMITS,
    is_fetched: bool = False,
) -> NDArray[np.uint8]:
    """Decode an image file to RGB. The content determines the format, not the file name.

    Grey images get three equal channels, 16 bits become 8, CMYK becomes RGB, and transparent images are composited on white. The
    first image of an animation or of a file with several pages is read.

    Args:
        path: path of the image.
        expected_size: annotated (height, width), px, in `frame`; None: not checked.
        frame: `stored` ignores the EXIF orientation, as COCO's labels expect; `upright` applies it.
        limits: maximum size of an image.
        is_fetched: see `read_bytes`.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: if the file is missing, no image, damaged or truncated, too large, of a format whose colours would be wrong,
            or has another size than annotated.
    """
    raw = read_bytes(path, limits, is_fetched=is_fetched)
    return decode_image(raw, path, expected_size, frame=frame, limits=limits)


def read_bytes(path: Path, limits: ImageLimits = _LIMITS, stored_bytes: int | None = None, *, is_fetched: bool = False) -> bytes:
    """Return the bytes of an image file, of an object store by one request.

    A local copy of an object is not read: it may be older than the object, and finding out takes a request as well.

    Args:
        path: path of the image, or its place in the mirror of an object store.
        limits: maximum size of an image, which bounds the size of the file.
        stored_bytes: size of the object when its folder was listed; None: unknown.
        is_fetched: the image of an object store has just been fetched, and is read from this machine.

    Raises:
        MissingImageError: if the file does not exist.
        ImageError: if the file cannot be read, is no regular file, or is larger than any image within the limits.
        ObjectStoreError: if the object store fails.
    """
    remote = None if is_fetched else remote_of(path.parent)  # of the folder, for which the answer is known after the first image
    try:
        return _read_local(path, limits) if remote is None else _read_stored(remote, path, limits, stored_bytes)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingImageError("image file is missing", f"{place_of(path)}: the image file does not exist.") from error
    except OSError as error:
        raise ImageError("image cannot be read", f"{path}: cannot be decoded as an image ({error.strerror}).") from error


def _read_local(path: Path, limits: ImageLimits) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):  # a pipe would block, a device may not end
        raise ImageError("image cannot be read", f"{path}: cannot be decoded as an image (it is not a regular file).")
    limits.check_file(status.st_size, path)
    return path.read_bytes()


def _read_stored(remote: "RemoteFolder", path: Path, limits: ImageLimits, stored_bytes: int | None) -> bytes:
    """Return the bytes of the object whose place in a mirror is `path`."""
    end = limits.max_file_bytes + 1  # a range bounds the memory without a request for the size
    expected = None if stored_bytes is None else min(stored_bytes, end)
    raw = remote.store.read(remote.name_of(path), 0, end, expected)
    limits.check_file(len(raw), path)
    return raw


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
        expected_size, frame, limits: see `read_image`.
        header: header of the file, checked against `limits`; None: it is read from `raw`.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: as in `read_image`.
    """
    about = read_header(raw, path, limits) if header is None else header
    _check_annotated(path, about, expected_size, frame)
    try:
        image = _decode_jpeg(raw, path) if about.opened is None else _decode_opened(about.opened, about.has_16_bits, path)
    except MemoryError as error:
        raise ImageError("image cannot be decoded", f"{path}: not enough memory to decode the image.") from error
    return apply_orientation(image, about.orientation) if frame == "upright" else image


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


def _decode_jpeg(raw: bytes, path: Path) -> NDArray[np.uint8]:
    known = _with_known_version(raw)
    *_, colours, _ = simplejpeg.decode_jpeg_header(raw, strict=False)
    wanted = "CMYK" if colours in _FOUR_COLOURS else "RGB"
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
    return rgb_of_jpeg_cmyk(image) if wanted == "CMYK" else np.asarray(image, dtype=np.uint8)


def _is_harmless(warning: str) -> bool:
    found = _EXTRA_BYTES.search(warning)
    return found is not None and int(found[1]) <= _MAX_EXTRA_BYTES


def _with_known_version(raw: bytes) -> bytes:
    """Return the bytes with JFIF version 1.02 in place of a later one, which libjpeg warns of; no pixel depends on it."""
    is_later = raw[6:11] == b"JFIF\0" and raw[11:12] > b"\x01"
    return raw[:11] + b"\x01\x02" + raw[13:] if is_later else raw


def _decode_opened(opened: ImageFile, has_16_bits: bool, path: Path) -> NDArray[np.uint8]:
    try:
        image = rgb_of(opened)
    except DAMAGED as error:
        raise ImageError("image is damaged", f"{path}: the file is damaged or truncated ({error}). Download it again.") from error
    if has_16_bits:
        check_bit_depth(image, path)
    return image

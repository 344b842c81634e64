"""Images as Python programs have them: paths, bytes of image files, PIL images, arrays."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from posescope.core.errors import DataError
from posescope.data.images.decoding import decode_image, read_image
from posescope.data.images.limits import ImageLimits
from posescope.data.images.pillow_files import DAMAGED, check_bit_depth, rgb_of
from posescope.prediction.image_io.image_folder import ImageIdAllocator
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.poses import image_id_from_name

__all__ = ["ImageInputError", "ImageLike", "as_named_image", "expected_image_ids", "is_one_image"]

ImageLike: TypeAlias = Union[str, "os.PathLike[str]", bytes, NDArray[np.uint8], NamedImage, Image.Image]

_PIL_MODES_REFUSED = frozenset({"I", "F"})


class ImageInputError(DataError):
    """An image in memory is of a type, shape or range that cannot be used."""


def is_one_image(images: Any) -> bool:
    """Return True for one image, False for several."""
    return isinstance(images, str | os.PathLike | bytes | bytearray | memoryview | np.ndarray | NamedImage | Image.Image)


def expected_image_ids(images: Iterable[Any]) -> set[int]:
    """Return the ids that the images of a list will have; empty for a stream."""
    if not isinstance(images, Sequence):
        return set()
    numbers = (image_id_from_name(name) for image in images if (name := _name_of(image)) is not None)
    given = {image.image_id for image in images if isinstance(image, NamedImage)}
    return given | {number for number in numbers if number is not None}


def as_named_image(image: Any, index: int, ids: ImageIdAllocator) -> NamedImage:
    """Return an image upright, in RGB, with a name and an id.

    Args:
        image: a path; the bytes of an encoded image file; an array (H, W, 3) uint8 RGB; a PIL image of any mode but `I` and `F`,
            turned upright by its EXIF orientation and composited on white; a `NamedImage`.
        index: index of the image among all that were given, from 0; the name of an image without one.
        ids: allocates the id.

    Raises:
        MissingImageError: if there is no file at the path.
        ImageError: if a file or bytes cannot be decoded.
        ImageInputError: if it is something else, or an array of another type, shape or range.
    """
    if isinstance(image, NamedImage):
        _check_pixels(image.pixels, f"image {image.name}")
        ids.allocate(image.image_id)
        return image
    name = _name_of(image)
    image_id = ids.allocate(None if name is None else image_id_from_name(name))
    return NamedImage(str(index) if name is None else name, _pixels_of(image, index), image_id)


def _pixels_of(image: Any, index: int) -> NDArray[np.uint8]:
    if isinstance(image, str | os.PathLike):
        return read_image(Path(image), frame="upright", is_fetched=True)
    if isinstance(image, bytes | bytearray | memoryview):
        return decode_image(bytes(image), Path(f"image {index}"), frame="upright")
    if isinstance(image, Image.Image):
        return _pixels_of_pil(image, f"image {index}")
    if isinstance(image, np.ndarray):
        _check_pixels(image, f"image {index}")
        return image
    raise ImageInputError(
        f"image {index}: expected a path, bytes of an image file, a PIL image or an array (H, W, 3) uint8 RGB, found "
        f"{type(image).__name__}. A tensor becomes an array by .cpu().numpy()."
    )


def _name_of(image: Any) -> str | None:
    """Return the name of an image that comes from a file."""
    if isinstance(image, str | os.PathLike):
        return Path(image).name
    filename = getattr(image, "filename", None) if isinstance(image, Image.Image) else None
    return Path(filename).name if isinstance(filename, str) and filename else None


def _pixels_of_pil(image: Image.Image, what: str) -> NDArray[np.uint8]:
    if image.mode in _PIL_MODES_REFUSED:
        raise ImageInputError(
            f"{what}: a PIL image of mode {image.mode} has no known range; scale it to 0..255 and convert it to mode L or RGB."
        )
    ImageLimits().check_size((image.height, image.width), Path(what))  # PIL decodes when it is asked for pixels
    try:
        pixels = rgb_of(ImageOps.exif_transpose(image))
    except DAMAGED as error:
        raise ImageInputError(f"{what}: the PIL image cannot be decoded ({error}).") from error
    _check_pixels(pixels, what)
    if image.mode.startswith("I"):
        check_bit_depth(pixels, Path(what))
    return pixels


def _check_pixels(pixels: Any, what: str) -> None:
    if isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size:
        return
    if not isinstance(pixels, np.ndarray):
        raise ImageInputError(f"{what}: expected an array (H, W, 3) uint8 RGB, found {type(pixels).__name__}.")
    raise ImageInputError(
        f"{what}: expected a non-empty array (H, W, 3) uint8 RGB, found shape {pixels.shape} of {pixels.dtype}. {_remedy(pixels)}"
    )


def _remedy(pixels: NDArray[Any]) -> str:
    if not pixels.size:
        return "It has no pixels."
    if pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 1):
        return "A grey image: repeat it three times along the last axis."
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return "Four channels: drop the opacity, and turn OpenCV's BGRA into RGB."
    if pixels.ndim == 3 and pixels.shape[0] == 3:
        return "Channels come last: transpose(1, 2, 0)."
    if pixels.ndim == 4:
        return "Several images: hand over a list of them."
    if np.issubdtype(pixels.dtype, np.floating):
        low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
        scale = " Multiply it by 255 and round." if low >= 0 and high <= 1 else ""
        return f"Floats from {low:g} to {high:g}: expected whole numbers 0..255.{scale}"
    return "Scale it to 0..255 and convert it to uint8."

"""The images and boxes of a request, read from its body with bounded memory.

    multipart/form-data               field `images`, a file each; field `boxes`, JSON, none or one for each image in their order
    image/*, application/octet-stream one image; its boxes and its name stand in the query

A file name is a label of the results: no path of the file system is ever built from it, and no URL is opened.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from posescope.core.text_escaping import escape_control
from posescope.serving.options import ServingOptions
from posescope.serving.refusals import RequestRefusedError

__all__ = ["BOXES_FORMAT", "UploadedImage", "check_body_size", "clean_name", "read_upload"]

BOXES_FORMAT = (
    "[[x, y, w, h], ...] or [[x, y, w, h, score], ...] in px with the upper left corner of the image at (0, 0), or null"
)
_MAX_BOXES_BYTES = 2**20
_MAX_NAME_LENGTH = 255
_MULTIPART = "multipart/form-data"


@dataclass(frozen=True)
class UploadedImage:
    """An image file as it was received.

    Attributes:
        name: label in the results.
        raw: the bytes of the file.
        boxes: content of the JSON that states its boxes; None: no boxes were given.
    """

    name: str
    raw: bytes
    boxes: Any = None


def check_body_size(headers: Headers, max_bytes: int) -> int:
    """Return the size of a body by its header, or the maximum if the header does not state it.

    Raises:
        RequestRefusedError: if the body is empty (400) or too large (413).
    """
    stated = headers.get("content-length")
    if stated is None:
        return max_bytes
    size = int(stated) if stated.isascii() and stated.isdecimal() and len(stated) < 20 else -1
    if size <= 0:
        raise RequestRefusedError(400, f"Expected a body with an image, found Content-Length {escape_control(stated[:30])}.")
    if size > max_bytes:
        raise _too_large(max_bytes)
    return size


async def read_upload(
    headers: Headers, stream: AsyncIterator[bytes], name: str | None, boxes: str | None, options: ServingOptions
) -> list[UploadedImage]:
    """Read the body of a request.

    Args:
        headers: of the request.
        stream: pieces of its body.
        name: name of the image in the query, for a body that is one image.
        boxes: JSON of its boxes in the query.
        options: the limits.

    Returns:
        At least one image.

    Raises:
        RequestRefusedError: if the content type is another one (415), the body is too large (413), malformed (400), or has no
            image, too many, or boxes for another number of images (422).
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    bounded = _bound(stream, options.max_body_bytes)
    if kind == _MULTIPART:
        if name is not None or boxes is not None:
            raise RequestRefusedError(422, "Expected boxes and names in the form, found file_name or boxes in the query.")
        return await _read_form(headers, bounded, options)
    if not kind.startswith("image/") and kind != "application/octet-stream":
        found = escape_control(kind[:60]) or "none"
        raise RequestRefusedError(
            415,
            f"Expected Content-Type {_MULTIPART}, image/* or application/octet-stream, found {found}.",
        )
    raw = b"".join([piece async for piece in bounded])
    if not raw:
        raise RequestRefusedError(422, "Expected an image in the body, found an empty body.")
    return [UploadedImage(clean_name(name), raw, None if boxes is None else _parse_boxes(boxes))]


async def _bound(stream: AsyncIterator[bytes], max_bytes: int) -> AsyncGenerator[bytes]:
    """Yield the pieces of a body, and refuse it when it exceeds the limit: a header need not state its size."""
    received = 0
    async for piece in stream:
        received += len(piece)
        if received > max_bytes:
            raise _too_large(max_bytes)
        yield piece


def _too_large(max_bytes: int) -> RequestRefusedError:
    return RequestRefusedError(413, f"Expected a body of at most {max_bytes:,} bytes (option --max-body-mb of the server).")


class _FormParser(MultiPartParser):
    """Starlette's parser, which keeps files in memory: images of a request are never written to disk."""

    spool_max_size = 2**62  # the size of the body is bounded


async def _read_form(headers: Headers, stream: AsyncGenerator[bytes], options: ServingOptions) -> list[UploadedImage]:
    # One file more than allowed is parsed, so that the message can state the limit.
    parser = _FormParser(
        headers, stream, max_files=options.max_images + 1, max_fields=options.max_images + 1, max_part_size=_MAX_BOXES_BYTES
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise RequestRefusedError(400, f"The form is malformed: {escape_control(error.message)}") from error
    except (FormParserError, UnicodeError) as error:
        raise RequestRefusedError(400, f"The form is malformed: {escape_control(str(error)[:200])}") from error
    try:
        return await _images_of(form, options.max_images)
    finally:
        await form.close()


async def _images_of(form: FormData, max_images: int) -> list[UploadedImage]:
    unknown = sorted({name for name, _ in form.multi_items()} - {"images", "boxes"})
    if unknown:
        raise RequestRefusedError(422, f"Expected the fields images and boxes, found {escape_control(unknown[0][:60])}.")
    files = [part for part in form.getlist("images") if isinstance(part, UploadFile)]
    texts = [part for part in form.getlist("boxes") if isinstance(part, str)]
    if len(files) != len(form.getlist("images")) or len(texts) != len(form.getlist("boxes")):
        raise RequestRefusedError(422, "Expected images as files (with a file name) and boxes as text, found the reverse.")
    if not 1 <= len(files) <= max_images:
        raise RequestRefusedError(422, f"Expected 1 to {max_images} files in the field images, found {len(files)}.")
    if texts and len(texts) != len(files):
        raise RequestRefusedError(
            422, f"Expected the field boxes once for each of {len(files)} images, or not at all, found it {len(texts)} times."
        )
    boxes: Sequence[Any] = [_parse_boxes(text) for text in texts] or [None] * len(files)
    return [UploadedImage(clean_name(file.filename), await file.read(), own) for file, own in zip(files, boxes, strict=True)]


def _parse_boxes(text: str) -> Any:
    if len(text) > _MAX_BOXES_BYTES:
        raise RequestRefusedError(413, f"Expected boxes of at most {_MAX_BOXES_BYTES:,} characters, found {len(text):,}.")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also an integer with too many digits
        raise RequestRefusedError(422, f"boxes: expected JSON, {BOXES_FORMAT}; found {escape_control(text[:60])}.") from error
    if not isinstance(found, list | None):
        raise RequestRefusedError(422, f"boxes: expected {BOXES_FORMAT}; found {escape_control(text[:60])}.")
    return found


def clean_name(name: str | None) -> str:
    """Return the last part of a file name without control characters, shortened; `image` if there is none.

    Args:
        name: as the client gave it.

    Example:
        >>> clean_name("C:/photos/7.jpg"), clean_name(None)
        ('7.jpg', 'image')
    """
    last = (name or "").replace("\\", "/").rstrip("/").rpartition("/")[2]
    return escape_control(last.encode("utf-8", "replace").decode())[-_MAX_NAME_LENGTH:] or "image"

"""The images and boxes of a request, read from its body with bounded memory.

    multipart/form-data               field `images`, a file each; field `boxes`, JSON, none or one for each image in their order
    image/*, application/octet-stream one image; its boxes and its name are parameters of the query

A file name is a label of the results: no path of the file system is ever built from it, and no URL is opened.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers

from posescope.core.text_escaping import escape_control
from posescope.serving.form import FormPart, parse_form
from posescope.serving.refusals import RequestRefusedError

__all__ = ["BOXES_FORMAT", "Upload", "UploadedImage", "check_body_size", "clean_name", "parse_upload", "read_body"]

BOXES_FORMAT = (
    "[[x, y, w, h], ...] or [[x, y, w, h, score], ...] in px with the upper left corner of the image at (0, 0), or null"
)
_MAX_BOXES_BYTES = 2**20
_MAX_NAME_LENGTH = 255
_MULTIPART = "multipart/form-data"


@dataclass(frozen=True)
class Upload:
    """A request as it was received.

    Attributes:
        content_type: the header.
        body: the whole body.
        name: name of the image in the query, for a body that is one image.
        boxes: JSON of its boxes in the query.
    """

    content_type: str
    body: bytes
    name: str | None = None
    boxes: str | None = None


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


async def read_body(stream: AsyncIterator[bytes], max_bytes: int) -> bytes:
    """Return a body, and refuse it as soon as it exceeds the limit: a header need not state its size.

    Args:
        stream: pieces of the body.
        max_bytes: maximum size.

    Raises:
        RequestRefusedError: if it is too large (413).
    """
    pieces, received = [], 0
    async for piece in stream:
        received += len(piece)
        if received > max_bytes:
            raise _too_large(max_bytes)
        pieces.append(piece)
    return b"".join(pieces)


def parse_upload(upload: Upload, max_images: int) -> list[UploadedImage]:
    """Return the images of a request, at least one.

    Args:
        upload: the request.
        max_images: maximum number of images.

    Raises:
        RequestRefusedError: if the content type is another one (415), the form is malformed (400), or the request has no image,
            too many, or boxes for another number of images (422).
    """
    kind = upload.content_type.partition(";")[0].strip().lower()
    if kind == _MULTIPART:
        if upload.name is not None or upload.boxes is not None:
            raise RequestRefusedError(422, "Expected boxes and names in the form, found file_name or boxes in the query.")
        # One part of each kind more than allowed is parsed, so that the message can state the limit.
        return _images_of(parse_form(upload.content_type, upload.body, 2 * max_images + 2), max_images)
    if not kind.startswith("image/") and kind != "application/octet-stream":
        found = escape_control(kind[:60]) or "none"
        raise RequestRefusedError(415, f"Expected Content-Type {_MULTIPART}, image/* or application/octet-stream, found {found}.")
    if not upload.body:
        raise RequestRefusedError(422, "Expected an image in the body, found an empty body.")
    boxes = None if upload.boxes is None else _parse_boxes(upload.boxes)
    return [UploadedImage(clean_name(upload.name), upload.body, boxes)]


def _too_large(max_bytes: int) -> RequestRefusedError:
    return RequestRefusedError(413, f"Expected a body of at most {max_bytes:,} bytes (option --max-body-mb of the server).")


def _images_of(parts: Sequence[FormPart], max_images: int) -> list[UploadedImage]:
    unknown = sorted({part.name for part in parts} - {"images", "boxes"})
    if unknown:
        raise RequestRefusedError(422, f"Expected the fields images and boxes, found {escape_control(unknown[0][:60])}.")
    files = [(part.file_name, part.content) for part in parts if part.name == "images"]
    texts = [part for part in parts if part.name == "boxes"]
    if any(name is None for name, _ in files) or any(part.file_name is not None for part in texts):
        raise RequestRefusedError(422, "Expected images as files (with a file name) and boxes as text, found the reverse.")
    if not 1 <= len(files) <= max_images:
        raise RequestRefusedError(422, f"Expected 1 to {max_images} files in the field images, found {len(files)}.")
    if texts and len(texts) != len(files):
        raise RequestRefusedError(
            422, f"Expected the field boxes once for each of {len(files)} images, or not at all, found it {len(texts)} times."
        )
    boxes = [_parse_boxes(part.content.decode("utf-8", "replace")) for part in texts] or [None] * len(files)
    return [UploadedImage(clean_name(name), raw, own) for (name, raw), own in zip(files, boxes, strict=True)]


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

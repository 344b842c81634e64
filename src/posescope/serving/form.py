"""The parts of a form (multipart/form-data) that is in memory. Nothing is written to disk."""

from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from posescope.core.text_escaping import escape_control
from posescope.serving.refusals import RequestRefusedError

__all__ = ["FormPart", "parse_form"]


@dataclass(frozen=True)
class FormPart:
    """A field of a form.

    Attributes:
        name: name of the field.
        file_name: name of the file; None: the field is text.
        content: bytes of the file or of the text.
    """

    name: str
    file_name: str | None
    content: bytes


def parse_form(content_type: str, body: bytes, max_parts: int) -> list[FormPart]:
    """Return the parts of a form, in order.

    Args:
        content_type: the header with the boundary.
        body: the whole form.
        max_parts: maximum number of parts.

    Raises:
        RequestRefusedError: if the form is malformed, incomplete or has too many parts (400).
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise RequestRefusedError(400, "Expected a boundary in the Content-Type of the form, found none.")
    collected = _Collector(max_parts)
    try:
        parser = MultipartParser(boundary, collected.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise _malformed(str(error)) from error
    if not collected.is_complete:
        raise _malformed("it ends before its last boundary")
    return collected.parts


def _malformed(reason: str) -> RequestRefusedError:
    return RequestRefusedError(400, f"Expected a valid form, found: {escape_control(reason[:200])}.")


class _Collector:
    """Receives what the parser finds. Attributes: parts; is_complete, whether the last boundary was found."""

    def __init__(self, max_parts: int) -> None:
        self.parts: list[FormPart] = []
        self.is_complete = False
        self._max_parts = max_parts
        self._header = self._value = self._disposition = b""
        self._content: list[bytes] = []

    def callbacks(self) -> dict[str, object]:
        """Return the callbacks of the parser by name."""
        names = ("part_begin", "header_field", "header_value", "header_end", "part_data", "part_end", "end")
        return {f"on_{name}": getattr(self, f"_{name}") for name in names}

    def _part_begin(self) -> None:
        if len(self.parts) >= self._max_parts:
            raise RequestRefusedError(400, f"Expected a form of at most {self._max_parts} parts.")
        self._header = self._value = self._disposition = b""
        self._content = []

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def _part_end(self) -> None:
        options = parse_options_header(self._disposition)[1]
        if b"name" not in options:
            raise _malformed("a part without a name")
        file_name = options[b"filename"].decode("utf-8", "replace") if b"filename" in options else None
        self.parts.append(FormPart(options[b"name"].decode("utf-8", "replace"), file_name, b"".join(self._content)))

    def _end(self) -> None:
        self.is_complete = True

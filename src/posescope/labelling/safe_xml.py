"""Read XML of unknown origin: a document type, and with it every entity, is refused before anything is expanded."""

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from posescope.core.errors import DataError
from posescope.labelling.label_set import LabelError

__all__ = ["MAX_XML_BYTES", "parse_xml", "read_xml"]

MAX_XML_BYTES = 1024**3
_MAX_DEPTH = 32  # CVAT's files have 7 levels


def read_xml(path: Path, max_bytes: int = MAX_XML_BYTES) -> Element:
    """Return the root element of a file.

    Args:
        path: the file.
        max_bytes: maximum size of the file.

    Raises:
        DataError: if the file is missing, too large, or not XML; if it has a document type, or is nested too deeply.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise LabelError(f"{path}: expected at most {max_bytes:,} bytes of XML. Export the task in parts.")
        return parse_xml(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error


def parse_xml(content: bytes, place: str) -> Element:
    """Return the root element of a document.

    Args:
        content: the document.
        place: its name, for errors.

    Raises:
        LabelError: as `read_xml`.
    """
    builder, depth = TreeBuilder(), 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise LabelError(f"{place}: expected at most {_MAX_DEPTH} levels of XML, found more. It is no export of CVAT.")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*_: object) -> None:
        raise LabelError(
            f"{place}: expected XML without a document type, found <!DOCTYPE>. Remove it: entities are not expanded."
        )

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the others: an encoding that does not exist
        raise LabelError(f"{place}: not XML that can be read ({error}). Export it again.") from error
    return builder.close()

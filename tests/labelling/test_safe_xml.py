"""XML of unknown origin: entities are refused before they are expanded."""

from pathlib import Path

import pytest

from posescope.core.errors import DataError
from posescope.labelling.label_set import LabelError
from posescope.labelling.safe_xml import parse_xml, read_xml

LAUGHS = '<!DOCTYPE a [<!ENTITY l "lol">' + "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)
).replace("&l0;", "&l;") + "]><a>&l9;</a>"  # fmt: skip


def test_elements_attributes_and_text_are_read() -> None:
    root = parse_xml(b'<a x="1"><b>two</b></a>', "here")
    assert (root.tag, root.get("x"), root.findtext("b")) == ("a", "1", "two")


@pytest.mark.parametrize("text", [LAUGHS, "<a>&undefined;</a>", "<a></b>", "", "<?xml version='1.0' encoding='no-such'?><a/>"])
def test_entities_and_damaged_documents_are_refused(text: str) -> None:
    with pytest.raises(LabelError):
        parse_xml(text.encode(), "here")


def test_large_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<a/>")
    assert read_xml(tmp_path / "a.xml", max_bytes=4).tag == "a"
    with pytest.raises(LabelError):
        read_xml(tmp_path / "a.xml", max_bytes=3)
    with pytest.raises(DataError):
        read_xml(tmp_path / "b.xml")

"""What a server says of a file, and the note that keeps it beside a part."""

import logging
from email.message import Message
from pathlib import Path

import pytest

from posescope.data.download.resume_info import PartNote, note_of, read_note, start_of_answer, total_of_answer, write_note


def headers(**values):
    message = Message()
    for name, value in values.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("values", "start", "total"),
    [
        ({}, None, None),
        ({"Content_Length": "12"}, None, 12),
        ({"Content_Length": "7", "Content_Range": "bytes 5-11/12"}, 5, 12),
        ({"Content_Length": "7", "Content_Range": "bytes 5-11/*"}, 5, None),
        ({"Content_Range": "bytes */12"}, None, 12),
        ({"Content_Length": "many"}, None, None),
    ],
)
def test_what_the_headers_say(values, start, total):
    assert (start_of_answer(headers(**values)), total_of_answer(headers(**values))) == (start, total)


def test_notes_differ_only_where_both_say_something():
    note = PartNote("u", '"one"', "yesterday", 10)
    assert not note.differs(PartNote("u", None, None, None))
    assert not note.differs(PartNote("v", '"one"', "yesterday", 10))
    assert note.differs(PartNote("u", '"two"', "yesterday", 10))
    assert note.differs(PartNote("u", None, "today", 10))
    assert note.differs(PartNote("u", None, None, 11))


def test_the_part_lies_where_it_should():
    assert note_of(Path("a/b.zip.part")) == Path("a/b.zip.part.json")


def test_a_note_comes_back_as_it_was_written(tmp_path):
    note = PartNote("http://host/a.zip", '"one"', None, 10)
    write_note(tmp_path / "a.zip.part", note)
    assert read_note(tmp_path / "a.zip.part") == note
    assert read_note(tmp_path / "b.zip.part") is None


NUMBER_FOR_ADDRESS = b'{"url": 1, "etag": null, "last_modified": null, "size_bytes": 2}'
UNREADABLE = [b"", b"{}", b"[1]", b"null", b'{"url": ', b"\xff\xfe", NUMBER_FOR_ADDRESS]


@pytest.mark.parametrize("raw", UNREADABLE)
def test_a_note_that_cannot_be_read_counts_as_none(tmp_path, caplog, raw):
    caplog.set_level(logging.WARNING)
    note_of(tmp_path / "a.zip.part").write_bytes(raw)
    assert read_note(tmp_path / "a.zip.part") is None
    assert "a.zip.part.json: cannot be read" in caplog.text

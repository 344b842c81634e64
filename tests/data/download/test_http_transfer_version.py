"""File versions in posescope.data.download.http_transfer: read from headers, compared, and stored beside the partial file."""

import logging
from dataclasses import asdict
from email.message import Message
from pathlib import Path

import pytest

from posescope.core.files import write_json
from posescope.data.download.http_transfer import FileVersion, read_version, version_path


@pytest.mark.parametrize(
    ("fields", "total"),
    [
        ({}, None),
        ({"Content-Length": "12"}, 12),
        ({"Content-Length": "7", "Content-Range": "bytes 5-11/12"}, 12),
        ({"Content-Length": "7", "Content-Range": "bytes 5-11/*"}, None),
        ({"Content-Range": "bytes */12"}, 12),
        ({"Content-Length": "many"}, None),
    ],
)
def test_total_size_is_read_from_the_range_before_the_length(fields, total):
    message = Message()
    for name, value in {"ETag": '"one"', **fields}.items():
        message[name] = value
    assert FileVersion.from_headers("u", message) == FileVersion("u", '"one"', None, total)


def test_versions_are_compared_by_fields_that_both_contain():
    version = FileVersion("u", '"one"', "yesterday", 10)
    assert not version.differs_from(FileVersion("u", None, None, None))
    assert not version.differs_from(FileVersion("v", '"one"', "yesterday", 10))
    assert version.differs_from(FileVersion("u", '"two"', "yesterday", 10))
    assert version.differs_from(FileVersion("u", None, "today", 10))
    assert version.differs_from(FileVersion("u", None, None, 11))


def test_version_file_round_trip(tmp_path):
    version = FileVersion("http://host/a.zip", '"one"', None, 10)
    write_json(version_path(tmp_path / "a.zip.part"), asdict(version))
    assert (tmp_path / "a.zip.part.json").is_file()
    assert read_version(tmp_path / "a.zip.part") == version
    assert read_version(tmp_path / "b.zip.part") is None


NUMBER_AS_URL = b'{"url": 1, "etag": null, "last_modified": null, "size_bytes": 2}'


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b"null", b'{"url": ', b"\xff\xfe", NUMBER_AS_URL])
def test_invalid_version_counts_as_missing(tmp_path, caplog, raw):
    caplog.set_level(logging.WARNING)
    path: Path = version_path(tmp_path / "a.zip.part")
    path.write_bytes(raw)
    assert read_version(tmp_path / "a.zip.part") is None
    assert "a.zip.part.json" in caplog.text

"""Tests of posescope.data.download.options."""

import pytest
from pydantic import ValidationError

from posescope.data.download.options import ArchiveOptions, DownloadOptions


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": "ftp://host/a.zip"}, "http"),
        ({"url": "file:///etc/passwd"}, "http"),
        ({"url": "a.zip"}, "http"),
        ({"url": "http://"}, "http"),
        ({"url": "http://me:secret@host/a.zip"}, "password"),
        ({"members": "/etc/*"}, "below"),
        ({"members": "../*"}, "below"),
        ({"members": "a\\*"}, "below"),
        ({"members": ""}, "at least 1 character"),
        ({"sha256": "abc"}, "match pattern"),
        ({"md5": "0" * 64}, "match pattern"),
        ({"size_bytes": 0}, "greater than 0"),
        ({"checksum": "0"}, "Extra inputs"),
    ],
)
def test_invalid_options_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        ArchiveOptions.model_validate({"url": "http://host/a.zip", "members": "a/*", **change})


@pytest.mark.parametrize("name", ["../a", "a/b", ".hidden", "", "a\\b"])
def test_archive_names_that_are_no_file_names_are_refused(name):
    with pytest.raises(ValidationError):
        DownloadOptions.model_validate({"archives": {name: None}})


def test_mirror_keeps_path_and_query():
    options = DownloadOptions.model_validate(
        {"archives": {"a": {"url": "http://host/x/a.zip?key=1", "members": "a/*"}}, "mirror": "https://mirror:8080/coco"}
    )
    assert options.wanted()["a"].url == "https://mirror:8080/coco/x/a.zip?key=1"


def test_description_of_dry_run_mentions_the_run_record():
    assert "nothing is written but the record of the run" in str(DownloadOptions.model_fields["dry_run"].description)

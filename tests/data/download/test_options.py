"""Validation of the download options."""

import pytest
from pydantic import ValidationError

from posescope.data.download.options import ArchiveOptions, DownloadOptions


@pytest.mark.parametrize(
    ("change", "complaint"),
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
def test_wrong_options_are_refused(change, complaint):
    with pytest.raises(ValidationError, match=complaint):
        ArchiveOptions.model_validate({"url": "http://host/a.zip", "members": "a/*", **change})


@pytest.mark.parametrize("name", ["../a", "a/b", ".hidden", "", "a\\b"])
def test_names_of_archives_are_names_of_files(name):
    with pytest.raises(ValidationError):
        DownloadOptions.model_validate({"archives": {name: None}})


def test_a_mirror_keeps_path_and_query():
    options = DownloadOptions.model_validate(
        {"archives": {"a": {"url": "http://host/x/a.zip?key=1", "members": "a/*"}}, "mirror": "https://mirror:8080/coco"}
    )
    assert options.wanted()["a"].url == "https://mirror:8080/coco/x/a.zip?key=1"


def test_the_description_of_a_dry_run_promises_no_more_than_it_keeps():
    assert "nothing is written but the record of the run" in str(DownloadOptions.model_fields["dry_run"].description)

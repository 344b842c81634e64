"""Tests of posescope.core.paths."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from posescope.core.paths import LocalFile, LocalPath, expand_home, find_path_error, is_address
from posescope.core.plugins import Options


class PathOptions(Options):
    """Options of a component with path fields."""

    text: LocalPath = "here"
    file: LocalFile = Path("there")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")


@pytest.mark.parametrize(
    "text",
    [
        "data", "/abs/data", "./a: b", "runs [2]", "run #2", "a=b", "it's", 'say "x"', "50%d", "$HOME/x", "*?", "{x}", "a/b:c",
        "Größe 日本", "a\\b", "2024-11-29", "007", "null", "..", "./~", "x~1",
    ],
)  # fmt: skip
def test_local_path_is_unchanged(text: str) -> None:
    assert find_path_error(text) is None
    assert expand_home(text) == text
    assert PathOptions(text=text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "s3://bucket/x", "file:///tmp/x", "gs://b", "http://h/x", "file:x", "local:x", "hdfs+ssh://h", "S3://b", "a: b",
        "a:b", "c:", "${raw_dir}", "x/${y}", "~unknown_user/x", "a\nb", "a\0b", "\udcff",
    ],
)  # fmt: skip
def test_ambiguous_path_is_refused(text: str) -> None:
    assert find_path_error(text, windows=False)
    with pytest.raises(ValidationError):
        PathOptions(text=text)


@pytest.mark.parametrize("text", ["C:\\data\\x", "c:/data", "D:"])
def test_drive_letter_is_not_a_scheme(text: str) -> None:
    assert find_path_error(text, windows=True) is None
    assert "Windows" in str(find_path_error(text, windows=False))


def test_url_converted_to_a_path_is_refused() -> None:
    with pytest.raises(ValidationError, match="file"):
        PathOptions.model_validate({"file": "s3://bucket/net.onnx"})


def test_home_folder_is_expanded() -> None:
    assert expand_home("~") == "/home/user"
    assert expand_home("~/a b") == "/home/user/a b"
    assert PathOptions(text="~/x").text == "/home/user/x"
    assert PathOptions.model_validate({"file": "~/net.onnx"}).file == Path("/home/user/net.onnx")


@given(st.text(max_size=12))
def test_accepted_path_has_neither_tilde_nor_scheme(text: str) -> None:
    if find_path_error(text, windows=False) is None:
        path = expand_home(text)
        assert not re.match(r"~|[A-Za-z][A-Za-z0-9+.-]*:", path)
        assert "\0" not in path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://b/x", True),
        ("memory://x", True),
        ("/data", False),
        ("data/x", False),
        ("C:\\x", False),
        ("a:b", False),
        ("", False),
    ],
)
def test_addresses(text: str, expected: bool) -> None:
    assert is_address(text) is expected

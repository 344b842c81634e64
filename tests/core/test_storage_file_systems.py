"""Tests of posescope.core.storage_file_systems: addresses, options from the environment, whole files on a local disk."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest

from posescope.core.errors import OptionsError
from posescope.core.paths import STORAGE_OPTIONS_VARIABLE
from posescope.core.storage_file_systems import (
    open_file_system,
    protocol_of,
    storage_options,
    version_of,
    writing_whole,
)  # fmt: skip


def test_protocol() -> None:
    assert protocol_of("S3://bucket") == "s3"
    with pytest.raises(OptionsError):
        protocol_of("bucket/x")


def test_options_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STORAGE_OPTIONS_VARIABLE, raising=False)
    assert storage_options("s3") == {}
    monkeypatch.setenv(STORAGE_OPTIONS_VARIABLE, json.dumps({"s3": {"key": "a"}}))
    assert storage_options("s3") == {"key": "a"}
    assert storage_options("gs") == {}


@pytest.mark.parametrize("text", ["{secret", "[1]", '{"s3": "secret"}'])
def test_malformed_options_are_not_repeated(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORAGE_OPTIONS_VARIABLE, text)
    with pytest.raises(OptionsError) as caught:
        storage_options("s3")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_one_object_per_process_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_file_system("memory://bucket/x")
    assert open_file_system("memory://other") is first
    monkeypatch.setenv(STORAGE_OPTIONS_VARIABLE, json.dumps({"memory": {"skip_instance_cache": True}}))
    second = open_file_system("memory://bucket/x")
    assert second is not first
    assert open_file_system("memory://bucket/x") is second
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert open_file_system("memory://bucket/x") is not second


@pytest.mark.parametrize("address", ["xyz://b/x", "gs://b/x"])
def test_unknown_or_missing_protocols(address: str) -> None:
    if address.startswith("gs"):
        try:
            fsspec.get_filesystem_class("gs")
        except ImportError:
            pass
        else:
            pytest.skip("gcsfs is installed")
    with pytest.raises(OptionsError):
        open_file_system(address)


def test_a_file_appears_whole(tmp_path: Path) -> None:
    file_system = open_file_system(f"file://{tmp_path}")
    path = tmp_path / "a/b.txt"
    with writing_whole(file_system, str(path)) as target:
        Path(target).write_text("1")
        assert not path.exists()
    with pytest.raises(ZeroDivisionError), writing_whole(file_system, str(path)):
        raise ZeroDivisionError
    with writing_whole(file_system, str(path)) as target:
        Path(target).write_text("2")
    with pytest.raises(FileExistsError), writing_whole(file_system, str(path), is_new=True) as target:
        Path(target).write_text("3")
    assert [each.name for each in path.parent.iterdir()] == ["b.txt"]
    assert path.read_text() == "2"


def test_version() -> None:
    assert version_of({"ETag": '"ab"', "size": 1}) == "ab"
    assert version_of({"size": 1, "mtime": 2.5}) == "1-2.5"
    assert version_of({"size": 1, "created": datetime.fromtimestamp(3.5, UTC)}) == "1-3.5"

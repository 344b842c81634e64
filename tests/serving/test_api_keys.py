"""Tests of the API keys."""

from pathlib import Path

import pytest

from posescope.core.errors import OptionsError
from posescope.serving.api_keys import API_KEY_VARIABLE, ApiKeys, read_api_keys

FIRST, SECOND = "first-key-0123456789", "second-key-0123456789"


def test_only_its_own_keys_are_known() -> None:
    keys = ApiKeys([FIRST, SECOND])
    assert [keys.knows(key) for key in (FIRST, SECOND, FIRST[:-1], FIRST + "x", "", None, "\ud800", "ä")] == [True, True] + [
        False
    ] * 6


@pytest.mark.parametrize("keys", [[], ["short"], ["with a space 0123456789"], ["ä" * 20], ["x" * 513], ["line\nfeed-0123456789"]])
def test_unsafe_keys_are_refused(keys: list[str]) -> None:
    with pytest.raises(OptionsError):
        ApiKeys(keys)


def test_error_does_not_show_the_key() -> None:
    with pytest.raises(OptionsError) as caught:
        ApiKeys(["secret!"])
    assert "secret!" not in str(caught.value)


def test_keys_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(API_KEY_VARIABLE, SECOND)
    (tmp_path / "keys").write_text(f"# of the first client\n{FIRST}\n\n")
    keys = read_api_keys(tmp_path / "keys")
    assert keys is not None
    assert (keys.knows(FIRST), keys.knows(SECOND), keys.knows("# of the first client")) == (True, False, False)


def test_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(API_KEY_VARIABLE, raising=False)
    assert read_api_keys(None) is None
    monkeypatch.setenv(API_KEY_VARIABLE, FIRST + "\n")
    keys = read_api_keys(None)
    assert keys is not None
    assert keys.knows(FIRST)
    monkeypatch.setenv(API_KEY_VARIABLE, "")  # an empty variable must not open the server
    with pytest.raises(OptionsError):
        read_api_keys(None)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe" * 20])
def test_file_without_keys_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "keys").write_bytes(content)
    with pytest.raises(OptionsError):
        read_api_keys(tmp_path / "keys")

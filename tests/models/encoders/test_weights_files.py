"""Tests of posescope.models.encoders.weights_files."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from posescope.core.errors import DataError
from posescope.core.files import sha256_of
from posescope.models.encoders.weights_files import default_cache_dir, read_weights, sha256_of_tensors

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(3)}


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_pth_file_is_converted_once(tmp_path: Path) -> None:
    source, cache = tmp_path / "net.pth", tmp_path / "cache"
    torch.save(TENSORS, source)
    for _ in range(2):
        found, sha256 = read_weights(source, cache)
        assert sha256 == sha256_of(source)
        assert {name: value.tolist() for name, value in found.items()} == {"a.weight": [[0, 1, 2], [3, 4, 5]], "steps": 3}
    (converted,) = cache.iterdir()
    assert converted.name == f"net-{sha256[:16]}.safetensors"
    before = converted.stat().st_mtime_ns
    read_weights(source, cache)
    assert converted.stat().st_mtime_ns == before


def test_safetensors_file_is_read_as_it_is(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "net.safetensors")
    found, sha256 = read_weights(tmp_path / "net.safetensors", tmp_path / "cache")
    assert torch.equal(found["a.weight"], TENSORS["a.weight"])
    assert sha256 == sha256_of(tmp_path / "net.safetensors")
    assert not (tmp_path / "cache").exists()


def test_objects_are_refused_and_not_created(tmp_path: Path) -> None:
    torch.save({"a": Harmful(tmp_path / "written")}, tmp_path / "bad.pth")
    with pytest.raises(DataError, match=r"bad\.pth"):
        read_weights(tmp_path / "bad.pth", tmp_path / "cache")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.pth", "cache"]
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("content", [{"state_dict": {"a": torch.zeros(1)}}, [torch.zeros(1)], {"a": 1}])
def test_anything_but_tensors_by_name_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "bad.pth")
    with pytest.raises(DataError, match="tensors by name"):
        read_weights(tmp_path / "bad.pth", tmp_path)


@pytest.mark.parametrize("name", ["absent.pth", "text.pth", "text.safetensors"])
def test_missing_and_damaged_files_are_refused(tmp_path: Path, name: str) -> None:
    if name.startswith("text"):
        (tmp_path / name).write_text("no weights")
    with pytest.raises(DataError, match=name):
        read_weights(tmp_path / name, tmp_path)


def test_default_cache_is_in_the_cache_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "posescope" / "weights"


def test_checksum_of_tensors_depends_on_names_and_values() -> None:
    same = {name: value.clone() for name, value in TENSORS.items()}
    assert sha256_of_tensors(same) == sha256_of_tensors(TENSORS)
    assert sha256_of_tensors({**same, "steps": torch.tensor(4)}) != sha256_of_tensors(TENSORS)

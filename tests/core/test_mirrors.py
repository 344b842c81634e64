"""Mirrors on the memory file system of fsspec, which lives in this process."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from posescope.core.errors import DataError, OptionsError
from posescope.core.files import atomic_folder, atomic_write, write_json
from posescope.core.mirrors import (
    OF_NO_MODEL,
    ensure_mirror,
    fetch,
    fetch_address,
    fetch_file,
    fetch_version,
    find_size,
    is_stored,
    limit_copies,
    list_names,
    local_path_of,
    open_mirror,
    opened_mirrors,
    place_of,
    publish,
    publish_changed,
    remote_of,
    remove,
    remove_local,
)
from posescope.core.remote_folder import RemoteFolder

ADDRESS = "memory://bucket/run"


@pytest.fixture
def files() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture
def mirror(files: fsspec.AbstractFileSystem, tmp_path: Path) -> RemoteFolder:
    return open_mirror(ADDRESS, tmp_path / "first")


@pytest.fixture
def other(mirror: RemoteFolder, tmp_path: Path) -> RemoteFolder:
    """The mirror of another machine."""
    return open_mirror(ADDRESS, tmp_path / "second")


def names(files: fsspec.AbstractFileSystem) -> list[str]:
    return sorted(name.removeprefix("/bucket/run/") for name in files.find("/bucket/run"))


def test_paths_of_a_mirror_lead_to_its_address(mirror: RemoteFolder, tmp_path: Path) -> None:
    assert mirror.root == tmp_path / "first/memory/bucket/run"
    assert remote_of(mirror.root / "a/b.json") == mirror
    assert place_of(mirror.root / "a/b.json") == "memory://bucket/run/a/b.json"
    assert place_of(mirror.root) == ADDRESS
    assert remote_of(tmp_path) is None
    assert place_of(tmp_path / "a") == str(tmp_path / "a")


def test_an_address_is_a_local_path_to_all_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSESCOPE_CACHE_DIR", str(tmp_path))
    assert local_path_of(ADDRESS) == str(tmp_path / "memory/bucket/run")
    assert local_path_of("data/run") == "data/run"


def test_a_folder_without_permission_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="POSESCOPE_CACHE_DIR"):
        open_mirror(ADDRESS, tmp_path / "file")


def test_written_files_are_objects_and_temporary_ones_are_not(mirror: RemoteFolder, files: fsspec.AbstractFileSystem) -> None:
    write_json(mirror.root / "a/b.json", {"x": 1})
    with atomic_folder(mirror.root / "model") as folder:
        write_json(folder / "model.json", {})  # in a folder that has no name yet
        assert names(files) == ["a/b.json"]
        (folder / "weights").write_bytes(b"123")
    assert names(files) == ["a/b.json", "model/model.json", "model/weights"]
    assert files.cat("/bucket/run/model/weights") == b"123"


def test_a_replaced_folder_loses_its_former_objects(mirror: RemoteFolder, files: fsspec.AbstractFileSystem) -> None:
    for name in ("old", "new"):
        with atomic_folder(mirror.root / "table") as folder:
            (folder / name).write_text(name)
            write_json(folder / "result.json", {"name": name})
    assert names(files) == ["table/new", "table/result.json"]


def test_a_replaced_folder_keeps_its_hidden_objects(mirror: RemoteFolder, files: fsspec.AbstractFileSystem) -> None:
    for name in (".dvc/cache", ".gitkeep", "table/.notes.json", "table/old"):
        files.pipe_file(f"/bucket/run/{name}", b"1")
    with atomic_folder(mirror.root) as folder:
        (folder / "table").mkdir()
    assert names(files) == [".dvc/cache", ".gitkeep", "table/.notes.json"]


def test_what_was_removed_before_its_upload_is_an_error(mirror: RemoteFolder, files: fsspec.AbstractFileSystem) -> None:
    write_json(mirror.root / "table/a.json", {})
    with pytest.raises(DataError, match="gone"):
        publish(mirror.root / "gone")
    remove_local(mirror.root / "table")
    with pytest.raises(DataError, match="table"):
        publish(mirror.root / "table")
    assert names(files) == ["table/a.json"]


def test_json_files_complete_a_folder(mirror: RemoteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    upload = RemoteFolder._upload

    def note(remote: RemoteFolder, path: Path) -> None:
        order.append(path.name)
        upload(remote, path)

    monkeypatch.setattr(RemoteFolder, "_upload", note)
    with atomic_folder(mirror.root / "model") as folder:
        (folder / "a.json").write_text("{}")
        (folder / "weights").write_text("")
    assert order == ["weights", "a.json"]


def test_a_result_is_completed_after_its_plots_and_removed_before_them(
    mirror: RemoteFolder, files: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write() -> None:
        with atomic_folder(mirror.root / "result") as folder:
            for name in ("a.json", "b.plotly.json", "parts/c.json", "table.csv"):
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text("{}")

    def fail(_: RemoteFolder, path: Path) -> None:
        raise DataError(f"{path.name}: the process was killed")

    write()
    upload, delete = RemoteFolder._upload, RemoteFolder._delete_objects
    monkeypatch.setattr(RemoteFolder, "_upload", lambda *of: fail(*of) if of[1].name == "b.plotly.json" else upload(*of))
    with pytest.raises(DataError):
        write()
    assert "result/a.json" not in names(files), "a plot is missing, so the result is not complete"
    monkeypatch.setattr(RemoteFolder, "_upload", upload)
    write()
    removed: list[set[str]] = []
    monkeypatch.setattr(RemoteFolder, "_delete_objects", lambda *of: (removed.append(set(of[1])), delete(*of)))
    remove(mirror.root / "result")
    assert removed == [{"result/a.json"}, {"result/b.plotly.json", "result/parts/c.json"}, {"result/table.csv"}]


def test_another_machine_fetches_what_was_written(mirror: RemoteFolder, other: RemoteFolder) -> None:
    write_json(mirror.root / "a/b.json", {"x": 1})
    fetch(other.root / "a/b.json")
    assert (other.root / "a/b.json").read_bytes() == (mirror.root / "a/b.json").read_bytes()
    write_json(mirror.root / "a/b.json", {"x": 2})
    write_json(mirror.root / "a/c.json", {})
    fetch(other.root / "a")
    assert (other.root / "a/b.json").read_bytes() == (mirror.root / "a/b.json").read_bytes()
    assert list_names(other.root / "a") == {"b.json", "c.json"}


def test_equal_copies_are_not_downloaded_again(mirror: RemoteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(mirror.root / "a/b.json", {"x": 1})
    monkeypatch.setattr(RemoteFolder, "_download", lambda _, name: pytest.fail(f"downloaded {name}"))
    fetch(mirror.root / "a")


def test_a_file_that_is_no_object_does_not_exist(mirror: RemoteFolder, other: RemoteFolder) -> None:
    write_json(mirror.root / "a/b.json", {"x": 1})
    (mirror.root / "a/killed.json").write_text("{}")  # renamed, and killed before the upload
    fetch(other.root / "a")
    remove(other.root / "a/b.json")
    fetch(mirror.root / "a")
    assert list_names(mirror.root / "a") == set()


def test_the_temporary_note_of_another_process_is_no_file_of_the_folder(mirror: RemoteFolder) -> None:
    write_json(mirror.root / "a/b.json", {})
    temporary = mirror.root / ".remote/a/.b.json.123.456.tmp"  # renamed in a moment
    temporary.write_text("{}")
    fetch(mirror.root / "a")
    assert temporary.exists()


def test_temporary_names_hold_the_machine(mirror: RemoteFolder, other: RemoteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(mirror.root / "a/b.json", {"x": 1})
    renamed: list[str] = []
    replace = os.replace

    def note(source: Path, target: Path) -> None:
        renamed.append(f"{source} {target}")
        replace(source, target)

    monkeypatch.setattr(os, "replace", note)
    monkeypatch.setattr("posescope.core.paths._MACHINE", 4321, raising=False)
    fetch(other.root / "a/b.json")
    remove_local(other.root / "a")
    assert len(renamed) == 3, "the file, its note and the removed folder"
    assert [name for name in renamed if f".04321{os.getpid()}." not in name] == []


def test_removed_folders_are_gone_on_both_sides(mirror: RemoteFolder, files: fsspec.AbstractFileSystem) -> None:
    for name in ("x/1.json", "x/y/2.npy", "xy.json"):
        write_json(mirror.root / name, {})
    remove(mirror.root / "x")
    assert names(files) == ["xy.json"]
    assert not (mirror.root / "x").exists()
    remove(mirror.root / "x")


def test_local_files_are_removed_as_ever(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "c").write_text("")
    for name in ("a", "c", "absent"):
        remove(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def write_shard(mirror: RemoteFolder, name: str, size_bytes: int = 1000) -> Path:
    path = mirror.root / "crops" / f"{name}.npy"
    with atomic_write(path) as temporary:
        temporary.write_bytes(name.encode().ljust(size_bytes))
    return path


def test_shards_are_fetched_when_they_are_read(mirror: RemoteFolder, other: RemoteFolder) -> None:
    written = write_shard(mirror, "shard-00000")
    write_json(mirror.root / "crops/shard-00000.json", {})
    path = other.root / "crops/shard-00000.npy"
    fetch(path.parent)
    assert not path.exists()
    assert is_stored(path)
    assert find_size(path) == 1000
    assert list_names(path.parent) == {"shard-00000.npy", "shard-00000.json"}
    fetch_file(path)
    assert path.read_bytes() == written.read_bytes()


def test_a_shard_of_another_version_is_not_read(mirror: RemoteFolder, other: RemoteFolder) -> None:
    write_shard(mirror, "shard-00000")
    path = other.root / "crops/shard-00000.npy"
    fetch_file(path)
    written = write_shard(mirror, "shard-00000", 2000)
    fetch(path.parent)
    assert not path.exists()
    fetch_file(path)
    assert path.read_bytes() == written.read_bytes()


def test_a_missing_shard_is_an_error_that_names_it(mirror: RemoteFolder, files: fsspec.AbstractFileSystem) -> None:
    write_shard(mirror, "shard-00000").unlink()
    files.rm("/bucket/run/crops/shard-00000.npy")
    with pytest.raises(DataError, match=r"memory://bucket/run/crops/shard-00000\.npy"):
        fetch_file(mirror.root / "crops/shard-00000.npy")
    assert not is_stored(mirror.root / "crops/shard-00000.npy")


def test_local_shards_are_bounded_and_the_oldest_goes(files: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    mirror = open_mirror(ADDRESS, tmp_path, cache_gb=2.5e-6)  # two of 1,000 bytes
    first, second = write_shard(mirror, "shard-00000"), write_shard(mirror, "shard-00001")
    time.sleep(0.02)  # times of files have a resolution of some milliseconds
    fetch_file(first)
    time.sleep(0.02)
    third = write_shard(mirror, "shard-00002")
    assert [path.exists() for path in (first, second, third)] == [True, False, True]
    assert len(names(files)) == 3
    fetch_file(second)
    assert [path.exists() for path in (first, second, third)] == [False, True, True]
    assert find_size(first) == 1000


def test_the_bound_keeps_a_shard_that_is_not_uploaded_yet(files: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    mirror = open_mirror(ADDRESS, tmp_path, cache_gb=1.5e-6)  # one of 1,000 bytes
    first = write_shard(mirror, "shard-00000")
    first.write_bytes(b"written anew")  # another process uploads it next
    second, third = write_shard(mirror, "shard-00001"), write_shard(mirror, "shard-00002")
    assert [path.exists() for path in (first, second, third)] == [True, False, True]
    assert first.read_bytes() == b"written anew"


def test_only_changed_files_are_published_again(mirror: RemoteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(mirror.root / "a/b.json", {})
    (mirror.root / "a/by_pandas.csv").write_text("x\n")
    uploaded: list[str] = []
    upload = RemoteFolder._upload
    monkeypatch.setattr(RemoteFolder, "_upload", lambda remote, path: (uploaded.append(path.name), upload(remote, path)))
    publish_changed(mirror.root / "a")
    publish_changed(mirror.root / "a/by_pandas.csv")
    assert uploaded == ["by_pandas.csv"]


def test_the_newest_whole_version_is_fetched(mirror: RemoteFolder, other: RemoteFolder, files: fsspec.AbstractFileSystem) -> None:
    for version in ("2026-01", "2026-02"):
        write_json(mirror.root / f"model/{version}/model/model.json", {"version": version})
    files.pipe_file("/bucket/run/model/2026-03/model/weights", b"1")  # killed before model.json
    (other.root / "model/2026-04/model").mkdir(parents=True)  # killed before any upload
    fetch_version(other.root / "model", "model")
    assert (other.root / "model/2026-02/model/model.json").is_file()
    assert not (other.root / "model/2026-04").exists()
    assert not (other.root / "model/2026-01").exists()
    fetch_version(other.root / "model", "model", "2026-01")
    assert (other.root / "model/2026-01/model/model.json").is_file()


def test_an_address_of_a_file_or_folder_is_fetched(mirror: RemoteFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_json(mirror.root / "a/b.json", {"x": 1})
    write_json(mirror.root / "06_models/checkpoints/1.json", {})
    monkeypatch.setenv("POSESCOPE_CACHE_DIR", str(tmp_path / "third"))
    assert fetch_address(f"{ADDRESS}/a/b.json").read_bytes() == (mirror.root / "a/b.json").read_bytes()
    folder = fetch_address(f"{ADDRESS}/")
    assert (folder / "a/b.json").is_file()
    assert not (folder / "06_models/checkpoints/1.json").exists()
    with pytest.raises(DataError, match="memory://bucket/none"):
        fetch_address("memory://bucket/none")


def test_of_an_address_only_the_files_of_models_are_fetched(
    mirror: RemoteFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = ["06_models/model/v/model/model.json", "07_model_output/features/values.json", "05_model_input/a.json"]
    for name in names[1:]:
        write_json(mirror.root / name, {})
    monkeypatch.setenv("POSESCOPE_CACHE_DIR", str(tmp_path / "third"))
    folder = fetch_address(ADDRESS, OF_NO_MODEL)  # a data_dir without a model is no wrong address
    assert not any((folder / name).exists() for name in names)
    write_json(mirror.root / names[0], {})
    assert [(fetch_address(ADDRESS, OF_NO_MODEL) / name).exists() for name in names] == [True, False, False]
    assert all((fetch_address(ADDRESS) / name).exists() for name in names)


def test_a_folder_that_is_replaced_as_a_whole_stays_a_mirror(mirror: RemoteFolder, files: fsspec.AbstractFileSystem) -> None:
    with atomic_folder(mirror.root) as folder:
        (folder / "image.jpg").write_bytes(b"1")
    assert names(files) == ["image.jpg"]
    assert (mirror.root / ".remote.json").is_file()


def test_another_process_finds_a_mirror_that_was_prepared(mirror: RemoteFolder, tmp_path: Path) -> None:
    moved = RemoteFolder(ADDRESS, tmp_path / "worker" / "run", mirror.cache_gb)
    ensure_mirror(moved)
    assert remote_of(moved.root / "a.json") == moved
    ensure_mirror(moved)


def test_the_limit_of_copies_applies_to_all_open_mirrors(mirror: RemoteFolder) -> None:
    assert mirror in opened_mirrors()
    limit_copies(3.0)
    found = remote_of(mirror.root)
    assert found is not None
    assert found.cache_gb == 3.0


def test_objects_whose_names_lead_out_of_the_folder_are_left_out(
    files: fsspec.AbstractFileSystem, mirror: RemoteFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files.pipe_file("/bucket/run/a.txt", b"inside")
    files.store["/bucket/run/../../../../outside.txt"] = files.store["/bucket/run/a.txt"]
    mirror.fetch(mirror.root)
    assert (mirror.root / "a.txt").read_bytes() == b"inside"
    assert list(tmp_path.rglob("outside.txt")) == []
    assert "outside.txt" in caplog.text
    with pytest.raises(DataError, match=r"\.\."):
        fetch_file(mirror.root / "../../outside.txt")


def test_addresses_have_one_spelling(tmp_path: Path) -> None:
    assert open_mirror("MEMORY://bucket/run/", tmp_path).root == open_mirror("memory://bucket/run", tmp_path).root
    for address in ("memory://bucket/../x", "s3://bucket//x", "memory://bucket/./x", "s3://bucket/x?versionId=1", "s3:///x"):
        with pytest.raises(OptionsError):
            open_mirror(address, tmp_path)


def test_a_name_too_long_for_the_disk_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="POSESCOPE_CACHE_DIR"):
        open_mirror("memory://bucket/" + "\u6f22" * 100, tmp_path)


def test_an_address_without_objects_is_an_error_though_it_had_some(
    files: fsspec.AbstractFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSESCOPE_CACHE_DIR", str(tmp_path))
    files.pipe_file("/bucket/run/folder/a.txt", b"inside")
    assert (fetch_address(ADDRESS) / "folder" / "a.txt").is_file()
    files.store.clear()
    with pytest.raises(DataError):
        fetch_address(ADDRESS)

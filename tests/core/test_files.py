"""Tests of posescope.core.files: atomic writing, JSON, locks and fingerprints."""

import gzip
import hashlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import time
import tracemalloc
from threading import Thread

import pytest

from posescope.core.errors import DataError
from posescope.core.files import (
    atomic_folder,
    atomic_write,
    fingerprint,
    locked,
    read_json,
    sha256_of,
    write_json,
)


class HaltError(Exception):
    pass


def test_file_appears_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "deep" / "er" / "table.csv"
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        # NumPy and OpenCV select the format by the suffix.
        assert (temporary.parent, temporary.suffix) == (path.parent, ".csv")
    assert path.read_text() == "new"
    assert [file.name for file in path.parent.iterdir()] == ["table.csv"]


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write_half():
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise HaltError

    with pytest.raises(HaltError):
        write_half()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_new_folder_replaces_the_old_one(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "stale").touch()
    with atomic_folder(path) as temporary:
        (temporary / "fresh").touch()
        assert [file.name for file in path.iterdir()] == ["stale"]
    assert [file.name for file in path.iterdir()] == ["fresh"]
    assert [folder.name for folder in tmp_path.iterdir()] == ["model"]


def test_failed_folder_keeps_the_old_one(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").touch()

    def write_half():
        with atomic_folder(path) as temporary:
            (temporary / "half").touch()
            raise HaltError

    with pytest.raises(HaltError):
        write_half()
    assert [file.name for file in path.iterdir()] == ["old"]
    assert [folder.name for folder in tmp_path.iterdir()] == ["model"]


def test_temporary_folder_of_a_killed_writer_is_removed(tmp_path):
    path = tmp_path / "model"
    killed = multiprocessing.get_context("fork").Process(target=_write_and_die, args=(path,))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    (left,) = (folder.name for folder in tmp_path.iterdir())
    assert re.fullmatch(rf"\.model\.\d{{5}}{killed.pid}\.tmp", left), "five digits stand for the machine"
    other = tmp_path / left.replace("model", "model2")  # of another target
    other.mkdir()
    with atomic_folder(path) as temporary:
        (temporary / "fresh").touch()
    assert {folder.name for folder in tmp_path.iterdir()} == {"model", other.name}


def test_writer_killed_while_it_removes_the_old_folder_leaves_no_part_of_it(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "model.json").touch()
    (path / "uncertainty.json").touch()
    killed = multiprocessing.get_context("fork").Process(target=_replace_and_die, args=(path,))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert [file.name for file in path.iterdir()] == ["fresh"]
    assert len(list(tmp_path.iterdir())) == 2, "the old folder, with another name"
    with atomic_folder(path) as temporary:
        (temporary / "fresher").touch()
    assert [folder.name for folder in tmp_path.iterdir()] == ["model"]


def test_temporary_folder_of_a_running_writer_is_kept(tmp_path):
    path = tmp_path / "model"
    with atomic_folder(path) as first:
        (first / "from the first").touch()
        moved = first.rename(tmp_path / ".model.1.tmp")  # as another process would call it
        with atomic_folder(path) as second:
            (second / "from the second").touch()
        assert [file.name for file in moved.iterdir()] == ["from the first"]
        moved.rename(first)
    assert [file.name for file in path.iterdir()] == ["from the first"]


def _replace_and_die(path):
    """Be killed as soon as one file of an older folder has been removed."""

    def remove_one(folder, ignore_errors=False):
        files = sorted(folder.iterdir()) if folder.exists() else []
        if files:
            files[-1].unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    shutil.rmtree = remove_one
    with atomic_folder(path) as temporary:
        (temporary / "fresh").touch()


def _write_and_die(path):
    with atomic_folder(path) as temporary:
        (temporary / "half").touch()
        os.kill(os.getpid(), signal.SIGKILL)


def test_json_round_trip_sorted_and_with_a_last_newline(tmp_path):
    path = tmp_path / "a.json"
    content = {"b": [1, 2.5, None], "a": "ü"}
    write_json(path, content)
    assert read_json(path) == content
    text = path.read_text()
    assert text.endswith("}\n")
    assert text.index('"a"') < text.index('"b"')


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_nan_is_refused_in_json(tmp_path, number):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"loss": number})
    assert list(tmp_path.iterdir()) == []


def test_missing_json_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"gone\.json: there is no such file") as caught:
        read_json(tmp_path / "gone.json")
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.parametrize("raw", [b"", b"{'a': 1}", b'{"a": \xff}'])
def test_invalid_json_file_is_an_error(tmp_path, raw):
    path = tmp_path / "broken.json"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"broken\.json: not a JSON file") as caught:
        read_json(path)
    assert caught.value.__cause__ is not None


ODD_JSON = {
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "many digits": b"[" + b"9" * 5000 + b"]",
    "repeated key": b'{"id": 1, "b": {"id": 2, "id": 2}}',
    "cut UTF-16": "[1]".encode("utf-16")[:-1],
    "Latin-1": '["é"]'.encode("latin-1"),
    "two documents": b"{} {}",
    "only a BOM": b"\xef\xbb\xbf",
}
# Left to readers that check each record.
ODD_VALUES = {
    "NaN": b"[NaN]", "-Infinity": b"[-Infinity]", "overflow": b"[1e999]", "unpaired surrogate": b'{"a": "\\uD800"}',
    "half a pair as key": b'{"\\udc00": 1}', "half a pair in bytes": b'["\xed\xa0\x80"]',
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("raw", ODD_JSON.values(), ids=ODD_JSON)
def test_malformed_json_is_an_error(tmp_path, raw, strict, suffix):
    path = tmp_path / f"odd{suffix}"
    path.write_bytes(gzip.compress(raw) if suffix.endswith("gz") else raw)
    with pytest.raises(DataError, match=r"odd\.json(\.gz)?: not a JSON file") as caught:
        read_json(path, strict=strict)
    assert len(str(caught.value)) < 600
    assert caught.value.__cause__ is not None


def test_repeated_key_in_a_large_object_is_found_fast(tmp_path):
    path = tmp_path / "wide.json"
    path.write_text("{" + "".join(f'"{number}":0,' for number in range(100_000)) + '"99999":1}')
    started = time.process_time()
    with pytest.raises(DataError, match="'99999'"):
        read_json(path)
    assert time.process_time() - started < 10, "it took minutes where each key was counted among all"


@pytest.mark.parametrize("raw", ODD_VALUES.values(), ids=ODD_VALUES)
def test_invalid_values_are_refused_in_strict_mode_only(tmp_path, raw):
    path = tmp_path / "odd.json"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"odd\.json: not a JSON file"):
        read_json(path)
    assert len(read_json(path, strict=False)) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
def test_json_of_every_encoding_is_read(tmp_path, encoding):
    content = {"name": "größe 図", "pair": "\U0001f600", "value": [1, 2.5, None]}
    for ascii_only in (True, False):
        (tmp_path / "a.json").write_bytes(json.dumps(content, ensure_ascii=ascii_only).encode(encoding))
        assert read_json(tmp_path / "a.json") == content


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_oversized_gzip_is_refused_before_it_is_expanded(tmp_path, suffix):
    path, raw = tmp_path / f"bomb{suffix}", b"[" + b" " * 30_000_000 + b"]"
    path.write_bytes(gzip.compress(raw) if suffix.endswith("gz") else raw)
    assert read_json(path, max_bytes=len(raw)) == []
    tracemalloc.start()
    with pytest.raises(DataError, match=r"bomb\.json.* than 1,000,000 bytes"):
        read_json(path, max_bytes=1_000_000)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 20_000_000


@pytest.mark.parametrize("size", [0, 3, 1_000_000])
def test_sha256_is_the_standard_one(tmp_path, size):
    path = tmp_path / "bytes"
    path.write_bytes(b"x" * size)
    assert sha256_of(path) == hashlib.sha256(b"x" * size).hexdigest()


def test_fingerprint_is_independent_of_key_order():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1, "b": [1, 2]}) != fingerprint({"a": 1, "b": [2, 1]})
    # sha256 of the two characters {} begins with 44136fa355b3678a.
    assert fingerprint({}) == "44136fa355b3678a"


def test_locked_folder_is_exclusive_and_unchanged(tmp_path):
    folder, order = tmp_path / "new", []

    def wait():
        with locked(folder):
            order.append("second")

    with locked(folder):
        waiting = Thread(target=wait)
        waiting.start()
        waiting.join(timeout=0.2)
        order.append("first")
        assert waiting.is_alive()
    waiting.join(timeout=10)
    assert order == ["first", "second"]
    assert list(folder.iterdir()) == []


def test_lock_ends_with_its_block(tmp_path):
    with pytest.raises(HaltError), locked(tmp_path):
        raise HaltError
    with locked(tmp_path):
        pass

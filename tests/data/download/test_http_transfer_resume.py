"""Resumption of partial files in posescope.data.download.http_transfer, only with the rest of the same version."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import pytest

from posescope.core.files import write_json
from posescope.data.download.http_transfer import DownloadError, FileVersion, RemoteFile, fetch_file, version_path
from posescope.data.download.options import TransferOptions

CONTENT = random.Random(0).randbytes(100_000)
OTHER = random.Random(1).randbytes(90_000)
PATH = "/zips/file.zip"
FAST = TransferOptions(retry_wait_s=0, retries=3, timeout_s=5, min_free_bytes=0)
ONCE = FAST.model_copy(update={"retries": 0})


@pytest.fixture
def part(tmp_path):
    return tmp_path / "made" / "file.zip.part"


def remote(url, size=None, is_checked=False):
    return RemoteFile(url, size, is_checked)


def write_version(part, version):
    write_json(version_path(part), asdict(version))


def fetch_part(server, part, answer, count=30_000):
    """Write a partial file of the first `count` bytes by a broken connection, and return the address."""
    url = server.put(PATH, CONTENT)
    server.answers.append(answer(cut_after=count))
    with pytest.raises(DownloadError, match="ended"):
        fetch_file(remote(url), part, ONCE)
    assert part.read_bytes() == CONTENT[:count]
    server.log.clear()
    return url


def test_broken_connection_is_resumed(server, part, answer, caplog):
    url = server.put(PATH, CONTENT)
    server.answers.extend([answer(cut_after=30_000), answer(cut_after=50_000)])
    assert fetch_file(remote(url, len(CONTENT)), part, FAST) == 100_000
    assert part.read_bytes() == CONTENT
    assert [(request.range, request.if_range, request.sent) for request in server.log] == [
        (None, None, 30_000),
        ("bytes=30000-", '"one"', 50_000),
        ("bytes=80000-", '"one"', 20_000),
    ]
    assert "the connection ended after 30.0 kB of 100.0 kB; retry 1 of 3" in caplog.text


def test_later_call_requests_only_the_missing_bytes(server, part, answer):
    url = fetch_part(server, part, answer)
    assert fetch_file(remote(url), part, ONCE) == 70_000
    assert part.read_bytes() == CONTENT
    assert [(request.range, request.sent) for request in server.log] == [("bytes=30000-", 70_000)]


def test_complete_part_needs_no_request(server, part):
    url = server.put(PATH, CONTENT)
    fetch_file(remote(url), part, ONCE)
    server.log.clear()
    assert fetch_file(remote(url), part, ONCE) == 0
    assert server.log == []


def test_breaks_with_progress_are_not_limited(server, part, answer):
    url = server.put(PATH, CONTENT)
    server.answers.extend([answer(cut_after=10_000)] * 9)
    assert fetch_file(remote(url), part, FAST) == 100_000
    assert part.read_bytes() == CONTENT
    assert server.sent == 100_000


def test_breaks_without_progress_are_limited(server, part, answer):
    url = server.put(PATH, CONTENT)
    server.supports_ranges = False
    server.answers.extend([answer(cut_after=10_000)] * 20)
    with pytest.raises(DownloadError, match=r"10\.0 kB"):
        fetch_file(remote(url), part, FAST)
    assert len(server.log) == 4, "the first attempt and 3 retries"


def test_timeout_counts_as_a_break(server, part, answer):
    url = server.put(PATH, CONTENT)
    server.answers.append(answer(stall_s=0.5))
    assert fetch_file(remote(url), part, FAST.model_copy(update={"timeout_s": 0.1})) == 100_000
    assert len(server.log) == 2


def test_changed_file_is_downloaded_from_the_start(server, part, answer, caplog):
    url = fetch_part(server, part, answer)
    server.put(PATH, OTHER, etag='"two"', last_modified=None)
    assert fetch_file(remote(url), part, ONCE) == 90_000
    assert part.read_bytes() == OTHER
    assert [(request.if_range, request.status) for request in server.log] == [('"one"', 200)]
    assert json.loads(version_path(part).read_text())["etag"] == '"two"'
    assert "discards 30.0 kB" in caplog.text


def test_server_that_ignores_if_range_is_detected(server, part, answer):
    url = fetch_part(server, part, answer)
    server.put(PATH, OTHER, etag='"two"')
    server.supports_if_range = False
    assert fetch_file(remote(url), part, FAST) == 90_000
    assert part.read_bytes() == OTHER
    assert [request.status for request in server.log] == [206, 200]


def test_server_without_ranges_starts_over(server, part, answer):
    url = fetch_part(server, part, answer)
    server.supports_ranges = False
    assert fetch_file(remote(url), part, ONCE) == 100_000
    assert part.read_bytes() == CONTENT
    assert [(request.range, request.status) for request in server.log] == [("bytes=30000-", 200)]


def test_shortened_file_is_downloaded_from_the_start(server, part, answer):
    url = fetch_part(server, part, answer)
    server.put(PATH, OTHER[:20_000])  # the ETag is the same, so that the server answers 416
    assert fetch_file(remote(url), part, FAST) == 20_000
    assert part.read_bytes() == OTHER[:20_000]
    assert [request.status for request in server.log] == [416, 200]


def test_status_416_at_the_end_completes_the_file(server, part):
    url = server.put(PATH, CONTENT)
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    write_version(part, FileVersion(url, '"one"', None, None))
    assert fetch_file(remote(url), part, ONCE) == 0
    assert part.read_bytes() == CONTENT
    assert [request.status for request in server.log] == [416]


def test_weak_etag_is_not_used_to_resume(server, part, answer):
    url = server.put(PATH, CONTENT, etag='W/"one"')
    server.answers.append(answer(cut_after=30_000))
    fetch_file(remote(url), part, FAST)
    assert server.log[1].if_range == "Wed, 21 Oct 2015 07:28:00 GMT"
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize(("is_checked", "ranges"), [(False, [None, None]), (True, [None, "bytes=30000-"])])
def test_part_without_validators_is_resumed_only_with_a_checksum(server, part, answer, is_checked, ranges):
    url = server.put(PATH, CONTENT, etag=None, last_modified=None)
    server.answers.append(answer(cut_after=30_000))
    fetch_file(remote(url, None, is_checked), part, FAST)
    assert part.read_bytes() == CONTENT
    assert [(request.range, request.if_range) for request in server.log] == [(expected, None) for expected in ranges]


def test_part_of_another_or_unknown_address_starts_over(server, part, answer):
    fetch_part(server, part, answer)
    other = server.put("/elsewhere/file.zip", OTHER)
    fetch_file(remote(other), part, ONCE)
    assert part.read_bytes() == OTHER
    version_path(part).unlink()
    fetch_file(remote(server.url + PATH), part, ONCE)
    assert part.read_bytes() == CONTENT
    assert [request.range for request in server.log] == [None, None]


def test_part_that_is_too_long_starts_over(server, part):
    url = server.put(PATH, CONTENT)
    part.parent.mkdir()
    part.write_bytes(CONTENT + b"more")
    write_version(part, FileVersion(url, '"one"', None, 100_000))
    fetch_file(remote(url), part, ONCE)
    assert part.read_bytes() == CONTENT


def test_known_size_detects_a_break_if_the_server_sends_no_length(server, part, answer):
    url = server.put(PATH, CONTENT)
    server.sends_length = False
    server.answers.append(answer(cut_after=30_000))
    assert fetch_file(remote(url, len(CONTENT)), part, FAST) == 100_000
    assert part.read_bytes() == CONTENT
    assert [(request.range, request.sent) for request in server.log] == [(None, 30_000), ("bytes=30000-", 70_000)]


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b'{"url": '])
def test_part_with_an_invalid_version_starts_over(server, part, answer, caplog, raw):
    url = fetch_part(server, part, answer)
    version_path(part).write_bytes(raw)
    assert fetch_file(remote(url), part, ONCE) == 100_000
    assert part.read_bytes() == CONTENT
    assert "file.zip.part.json" in caplog.text
    assert "discards 30.0 kB" in caplog.text


@pytest.mark.parametrize("size", [100_000, None])
def test_another_mirror_resumes_if_a_checksum_is_compared(server, part, answer, size):
    fetch_part(server, part, answer)
    other = server.put("/mirror/file.zip", CONTENT, etag='"of the mirror"', last_modified=None)
    server.answers.append(answer(cut_after=20_000))
    assert fetch_file(remote(other, size, is_checked=True), part, FAST) == 70_000
    assert part.read_bytes() == CONTENT
    assert [(request.range, request.if_range) for request in server.log] == [
        ("bytes=30000-", None),
        ("bytes=50000-", '"of the mirror"'),
    ]
    assert json.loads(version_path(part).read_text()) == {
        "url": other, "etag": '"of the mirror"', "last_modified": None, "size_bytes": 100_000,
    }  # fmt: skip


@pytest.mark.parametrize(("size", "ranges"), [(90_000, [None]), (None, ["bytes=30000-", None])])
def test_another_mirror_with_another_size_starts_over(server, part, answer, size, ranges):
    fetch_part(server, part, answer)
    other = server.put("/mirror/file.zip", OTHER)
    assert fetch_file(remote(other, size, is_checked=True), part, FAST) == 90_000
    assert part.read_bytes() == OTHER
    assert [request.range for request in server.log] == ranges


def test_file_of_another_size_keeps_the_part(server, part, answer):
    fetch_part(server, part, answer)
    other = server.put("/mirror/file.zip", b"<html>please log in</html>")
    server.supports_ranges = False
    with pytest.raises(DownloadError, match="100000"):
        fetch_file(remote(other, 100_000, is_checked=True), part, FAST)
    assert part.read_bytes() == CONTENT[:30_000]


def test_killed_transfer_is_resumed(server, part):
    """After kill -9, no byte is transferred twice, although the process could not clean up."""
    url = server.put(PATH, CONTENT)
    server.pause_s = 0.05
    call = (
        "from pathlib import Path; from posescope.data.download.http_transfer import *; "
        "from posescope.data.download.options import TransferOptions; "
        f"fetch_file(RemoteFile({url!r}, None, False), Path({str(part)!r}), TransferOptions(min_free_bytes=0))"
    )
    process = subprocess.Popen([sys.executable, "-c", call], env={**os.environ, "no_proxy": "*"})
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size >= 20_000) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    present = part.stat().st_size
    assert 20_000 <= present < 100_000
    assert part.read_bytes() == CONTENT[:present]
    server.pause_s = 0
    server.log.clear()
    assert fetch_file(remote(url), part, ONCE) == 100_000 - present
    assert part.read_bytes() == CONTENT
    assert [(request.range, request.sent) for request in server.log] == [(f"bytes={present}-", 100_000 - present)]

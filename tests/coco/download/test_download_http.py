"""One file over HTTP, from a server on this machine that breaks off, forgets, changes and refuses."""

import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import namedtuple
from email.message import Message
from pathlib import Path
from urllib.error import URLError

import pytest

from posescope.coco.download import http_file
from posescope.coco.download.disk import DiskSpaceError
from posescope.coco.download.http_file import DownloadError, RemoteFile, TransferOptions, fetch_file
from posescope.coco.download.part_note import PartNote, note_of, start_of_answer, total_of_answer, write_note
from posescope.errors import DataError

CONTENT = random.Random(0).randbytes(100_000)
OTHER = random.Random(1).randbytes(90_000)
PATH = "/zips/file.zip"
FAST = TransferOptions(retry_wait_s=0, retries=3, timeout_s=5, min_free_bytes=0, chunk_bytes=4096)
ONCE = FAST.model_copy(update={"retries": 0})


@pytest.fixture
def part(tmp_path):
    return tmp_path / "made" / "file.zip.part"


def remote(url, size=None, is_checked=False):
    return RemoteFile(url, size, is_checked)


def half_fetched(server, part, answer, count=30_000):
    """A part of the first `count` bytes, as a broken connection leaves it."""
    url = server.put(PATH, CONTENT)
    server.answers.append(answer(cut_after=count))
    with pytest.raises(DownloadError, match=r"the connection ended after 30\.0 kB of 100\.0 kB"):
        fetch_file(remote(url), part, ONCE)
    assert part.read_bytes() == CONTENT[:count]
    server.log.clear()
    return url


def test_a_whole_file_in_one_request(server, part):
    url = server.put(PATH, CONTENT)
    assert fetch_file(remote(url, len(CONTENT)), part, FAST) == 100_000
    assert part.read_bytes() == CONTENT
    assert [(asked.path, asked.range, asked.sent) for asked in server.log] == [(PATH, None, 100_000)]
    assert json.loads(note_of(part).read_text()) == {
        "url": url, "etag": '"one"', "last_modified": "Wed, 21 Oct 2015 07:28:00 GMT", "size_bytes": 100_000,
    }  # fmt: skip
    assert {path.name for path in part.parent.iterdir()} == {"file.zip.part", "file.zip.part.json"}


def test_a_broken_connection_goes_on_where_it_was(server, part, answer, caplog):
    url = server.put(PATH, CONTENT)
    server.answers.extend([answer(cut_after=30_000), answer(cut_after=50_000)])
    assert fetch_file(remote(url, len(CONTENT)), part, FAST) == 100_000
    assert part.read_bytes() == CONTENT
    assert [(asked.range, asked.if_range, asked.sent) for asked in server.log] == [
        (None, None, 30_000),
        ("bytes=30000-", '"one"', 50_000),
        ("bytes=80000-", '"one"', 20_000),
    ]
    assert "the connection ended after 30.0 kB of 100.0 kB; retry 1 of 3" in caplog.text


def test_a_later_call_asks_only_for_what_is_missing(server, part, answer):
    url = half_fetched(server, part, answer)
    assert fetch_file(remote(url), part, ONCE) == 70_000
    assert part.read_bytes() == CONTENT
    assert [(asked.range, asked.sent) for asked in server.log] == [("bytes=30000-", 70_000)]


def test_a_whole_part_asks_nobody(server, part):
    url = server.put(PATH, CONTENT)
    fetch_file(remote(url), part, ONCE)
    server.log.clear()
    assert fetch_file(remote(url), part, ONCE) == 0
    assert server.log == []


def test_many_breaks_are_borne_as_long_as_each_brings_something_new(server, part, answer):
    url = server.put(PATH, CONTENT)
    server.answers.extend([answer(cut_after=10_000)] * 9)
    assert fetch_file(remote(url), part, FAST) == 100_000
    assert part.read_bytes() == CONTENT
    assert server.sent == 100_000


def test_breaks_that_bring_nothing_new_end_it(server, part, answer):
    url = server.put(PATH, CONTENT)
    server.knows_ranges = False
    server.answers.extend([answer(cut_after=10_000)] * 20)
    with pytest.raises(DownloadError, match=r"10\.0 kB are kept in .*file\.zip\.part\. Give the same command again"):
        fetch_file(remote(url), part, FAST)
    assert len(server.log) == 4, "the first try and 3 retries"


def test_silence_counts_as_a_break(server, part, answer):
    url = server.put(PATH, CONTENT)
    server.answers.append(answer(stall_s=0.5))
    assert fetch_file(remote(url), part, FAST.model_copy(update={"timeout_s": 0.1})) == 100_000
    assert len(server.log) == 2


def test_a_file_that_changed_is_fetched_anew(server, part, answer, caplog):
    url = half_fetched(server, part, answer)
    server.put(PATH, OTHER, etag='"two"', last_modified=None)
    assert fetch_file(remote(url), part, ONCE) == 90_000
    assert part.read_bytes() == OTHER
    assert [(asked.if_range, asked.status) for asked in server.log] == [('"one"', 200)]
    assert json.loads(note_of(part).read_text())["etag"] == '"two"'
    assert "starts anew, 30.0 kB are dropped" in caplog.text


def test_a_server_that_overlooks_if_range_is_found_out(server, part, answer):
    url = half_fetched(server, part, answer)
    server.put(PATH, OTHER, etag='"two"')
    server.knows_if_range = False
    assert fetch_file(remote(url), part, FAST) == 90_000
    assert part.read_bytes() == OTHER
    assert [asked.status for asked in server.log] == [206, 200]


def test_a_server_that_overlooks_ranges_starts_anew(server, part, answer):
    url = half_fetched(server, part, answer)
    server.knows_ranges = False
    assert fetch_file(remote(url), part, ONCE) == 100_000
    assert part.read_bytes() == CONTENT
    assert [(asked.range, asked.status) for asked in server.log] == [("bytes=30000-", 200)]


def test_a_file_that_became_shorter_is_fetched_anew(server, part, answer):
    url = half_fetched(server, part, answer)
    server.put(PATH, OTHER[:20_000])  # the same ETag: a bad server; so it answers 416
    assert fetch_file(remote(url), part, FAST) == 20_000
    assert part.read_bytes() == OTHER[:20_000]
    assert [asked.status for asked in server.log] == [416, 200]


def test_nothing_behind_the_end_means_that_all_is_there(server, part):
    url = server.put(PATH, CONTENT)
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    write_note(part, PartNote(url, '"one"', None, None))
    assert fetch_file(remote(url), part, ONCE) == 0
    assert part.read_bytes() == CONTENT
    assert [asked.status for asked in server.log] == [416]


def test_a_weak_etag_does_not_vouch_for_bytes(server, part, answer):
    url = server.put(PATH, CONTENT, etag='W/"one"')
    server.answers.append(answer(cut_after=30_000))
    fetch_file(remote(url), part, FAST)
    assert server.log[1].if_range == "Wed, 21 Oct 2015 07:28:00 GMT"
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize(("is_checked", "ranges"), [(False, [None, None]), (True, [None, "bytes=30000-"])])
def test_without_etag_and_date_only_a_checksum_makes_going_on_safe(server, part, answer, is_checked, ranges):
    url = server.put(PATH, CONTENT, etag=None, last_modified=None)
    server.answers.append(answer(cut_after=30_000))
    fetch_file(remote(url, None, is_checked), part, FAST)
    assert part.read_bytes() == CONTENT
    assert [(asked.range, asked.if_range) for asked in server.log] == [(which, None) for which in ranges]


def test_a_part_of_another_address_or_of_nothing_known_is_dropped(server, part, answer):
    half_fetched(server, part, answer)
    other = server.put("/elsewhere/file.zip", OTHER)
    fetch_file(remote(other), part, ONCE)
    assert part.read_bytes() == OTHER
    note_of(part).unlink()
    fetch_file(remote(server.url + PATH), part, ONCE)
    assert part.read_bytes() == CONTENT
    assert [asked.range for asked in server.log] == [None, None]


def test_a_part_that_is_too_long_is_dropped(server, part):
    url = server.put(PATH, CONTENT)
    part.parent.mkdir()
    part.write_bytes(CONTENT + b"more")
    write_note(part, PartNote(url, '"one"', None, 100_000))
    fetch_file(remote(url), part, ONCE)
    assert part.read_bytes() == CONTENT


def test_a_server_that_does_not_say_the_size(server, part):
    url = server.put(PATH, CONTENT)
    server.says_length = False
    assert fetch_file(remote(url), part, ONCE) == 100_000
    assert part.read_bytes() == CONTENT


def test_passing_faults_are_tried_again(server, part, answer, caplog):
    url = server.put(PATH, CONTENT)
    server.answers.extend([answer(status=503), answer(status=500), answer(status=429)])
    assert fetch_file(remote(url), part, FAST) == 100_000
    assert [asked.status for asked in server.log] == [503, 500, 429, 200]
    assert "the server answers 503 Service Unavailable; retry 1 of 3" in caplog.text


def test_a_lasting_fault_of_the_server_ends_it(server, part, answer):
    url = server.put(PATH, CONTENT)
    server.answers.extend([answer(status=500)] * 9)
    with pytest.raises(DownloadError, match=r"answers 500 Internal Server Error\. Given up after 4 tries"):
        fetch_file(remote(url), part, FAST)
    assert len(server.log) == 4


def test_the_wait_doubles_up_to_a_minute(server, part, answer, monkeypatch):
    waits = []
    monkeypatch.setattr(http_file.time, "sleep", waits.append)
    monkeypatch.setattr(http_file, "_opener", broken_opener(OSError("no route")))
    with pytest.raises(DownloadError, match="no route"):
        fetch_file(remote(server.url), part, TransferOptions(retries=8))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def broken_opener(error):
    class Opener:
        def open(self, *arguments, **more):
            raise error

    return Opener


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_told_at_once(server, part, answer, status):
    url = server.put(PATH, CONTENT)
    server.answers.append(answer(status=status))
    with pytest.raises(DownloadError, match=rf"file\.zip: the server answers {status} .*download\.mirror=ADDRESS"):
        fetch_file(remote(url), part, FAST)
    assert len(server.log) == 1
    assert not part.exists()


def test_an_unknown_host_is_told_at_once(part, monkeypatch):
    def nobody(*arguments, **more):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with pytest.raises(DownloadError, match=r"http://nowhere\.invalid/f\.zip: this host cannot be found .*Is there a network"):
        fetch_file(remote("http://nowhere.invalid/f.zip"), part, FAST)


def test_a_host_that_cannot_be_found_just_now_is_tried_again(part, monkeypatch):
    error = URLError(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    monkeypatch.setattr(http_file, "_opener", broken_opener(error))
    with pytest.raises(DownloadError, match=r"Temporary failure in name resolution\)\. Given up after 4 tries"):
        fetch_file(remote("http://host/f.zip"), part, FAST)


def test_a_wrong_certificate_is_told_at_once(part, monkeypatch):
    error = ssl.SSLCertVerificationError()
    error.verify_message = "Hostname mismatch"
    monkeypatch.setattr(http_file, "_opener", broken_opener(URLError(error)))
    with pytest.raises(DownloadError, match=r"certificate is not accepted \(Hostname mismatch\)"):
        fetch_file(remote("https://host/f.zip"), part, FAST)


def test_an_answer_without_a_file_is_refused(server, part, answer):
    server.answers.append(answer(status=204))
    with pytest.raises(DownloadError, match="expected the answer 200, or 206 to a range, found 204"):
        fetch_file(remote(server.put(PATH, CONTENT)), part, FAST)


def test_a_port_where_nobody_listens(part, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(DownloadError, match=r"no connection \(.*refused\)\. Given up after 4 tries"):
        fetch_file(remote(f"http://127.0.0.1:{port}/f.zip"), part, FAST)


def test_a_redirection_is_followed(server, part, answer):
    server.put(PATH, CONTENT)
    server.answers.append(answer(status=302, location=server.url + PATH))
    assert fetch_file(remote(server.url + "/moved.zip"), part, ONCE) == 100_000


@pytest.mark.parametrize("scheme", ["file", "ftp"])
def test_a_redirection_to_anything_but_http_is_refused(server, part, answer, tmp_path, scheme):
    (tmp_path / "secret").write_text("of this machine")
    server.answers.append(answer(status=302, location=f"{scheme}://{tmp_path / 'secret'}"))
    with pytest.raises(DownloadError):
        fetch_file(remote(server.url + "/moved.zip"), part, ONCE)
    assert not part.exists()


def test_a_file_of_another_size_is_refused_before_it_comes(server, part):
    url = server.put(PATH, CONTENT)
    with pytest.raises(DownloadError, match="expected a file of 99999 bytes, the server has 100000"):
        fetch_file(remote(url, 99_999), part, FAST)
    assert not part.exists()


def test_a_disk_that_is_too_small_for_a_size_that_only_the_server_knew(server, part, monkeypatch):
    url = server.put(PATH, CONTENT)
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(0, 0, 100_500))
    with pytest.raises(
        DiskSpaceError, match=r"100\.0 kB are needed here and 1\.0 kB are to stay free .* only 100\.5 kB are free"
    ):
        fetch_file(remote(url), part, FAST.model_copy(update={"min_free_bytes": 1000}))
    assert not part.exists()
    assert fetch_file(remote(url), part, FAST.model_copy(update={"min_free_bytes": 500})) == 100_000


def test_a_part_that_cannot_be_written_is_no_fault_of_the_network(server, part):
    url = server.put(PATH, CONTENT)
    part.parent.write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"made: cannot be written \(.*File exists"):
        fetch_file(remote(url), part, FAST)
    assert server.log == []


def test_killed_in_the_middle_and_run_again(server, part):
    """kill -9: nothing can be tidied up, and still not a byte comes twice."""
    url = server.put(PATH, CONTENT)
    server.pause_s = 0.05
    call = (
        "from pathlib import Path; from posescope.coco.download.http_file import *; "
        f"fetch_file(RemoteFile({url!r}, None, False), Path({str(part)!r}), TransferOptions(min_free_bytes=0))"
    )
    process = subprocess.Popen([sys.executable, "-c", call], env={**os.environ, "no_proxy": "*"})
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size >= 20_000) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    here = part.stat().st_size
    assert 20_000 <= here < 100_000
    assert part.read_bytes() == CONTENT[:here]
    server.pause_s = 0
    server.log.clear()
    assert fetch_file(remote(url), part, ONCE) == 100_000 - here
    assert part.read_bytes() == CONTENT
    assert [(asked.range, asked.sent) for asked in server.log] == [(f"bytes={here}-", 100_000 - here)]


def headers(**values):
    message = Message()
    for name, value in values.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("values", "start", "total"),
    [
        ({}, None, None),
        ({"Content_Length": "12"}, None, 12),
        ({"Content_Length": "7", "Content_Range": "bytes 5-11/12"}, 5, 12),
        ({"Content_Length": "7", "Content_Range": "bytes 5-11/*"}, 5, None),
        ({"Content_Range": "bytes */12"}, None, 12),
        ({"Content_Length": "many"}, None, None),
    ],
)
def test_what_the_headers_say(values, start, total):
    assert (start_of_answer(headers(**values)), total_of_answer(headers(**values))) == (start, total)


def test_notes_differ_only_where_both_say_something():
    note = PartNote("u", '"one"', "yesterday", 10)
    assert not note.differs(PartNote("u", None, None, None))
    assert not note.differs(PartNote("v", '"one"', "yesterday", 10))
    assert note.differs(PartNote("u", '"two"', "yesterday", 10))
    assert note.differs(PartNote("u", None, "today", 10))
    assert note.differs(PartNote("u", None, None, 11))


def test_the_part_lies_where_it_should():
    assert note_of(Path("a/b.zip.part")) == Path("a/b.zip.part.json")

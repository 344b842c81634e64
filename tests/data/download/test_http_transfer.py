"""Tests of posescope.data.download.http_transfer: retries, redirections and refusals."""

import json
import random
import socket
import ssl
from collections import namedtuple
from urllib.error import URLError

import pytest

from posescope.core.errors import DataError
from posescope.data.download import http_transfer
from posescope.data.download.http_transfer import DownloadError, RemoteFile, fetch_file, version_path
from posescope.data.download.local_files import DiskSpaceError
from posescope.data.download.options import TransferOptions

CONTENT = random.Random(0).randbytes(100_000)
PATH = "/zips/file.zip"
FAST = TransferOptions(retry_wait_s=0, retries=3, timeout_s=5, min_free_bytes=0)
ONCE = FAST.model_copy(update={"retries": 0})


@pytest.fixture
def part(tmp_path):
    return tmp_path / "made" / "file.zip.part"


def remote(url, size=None, is_checked=False):
    return RemoteFile(url, size, is_checked)


def test_whole_file_in_one_request(server, part):
    url = server.put(PATH, CONTENT)
    assert fetch_file(remote(url, len(CONTENT)), part, FAST) == 100_000
    assert part.read_bytes() == CONTENT
    assert [(request.path, request.range, request.sent) for request in server.log] == [(PATH, None, 100_000)]
    assert json.loads(version_path(part).read_text()) == {
        "url": url, "etag": '"one"', "last_modified": "Wed, 21 Oct 2015 07:28:00 GMT", "size_bytes": 100_000,
    }  # fmt: skip
    assert {path.name for path in part.parent.iterdir()} == {"file.zip.part", "file.zip.part.json"}


def test_server_that_does_not_state_the_size(server, part):
    url = server.put(PATH, CONTENT)
    server.sends_length = False
    assert fetch_file(remote(url), part, ONCE) == 100_000
    assert part.read_bytes() == CONTENT


def test_temporary_faults_are_retried(server, part, answer, caplog):
    url = server.put(PATH, CONTENT)
    server.answers.extend([answer(status=503), answer(status=500), answer(status=429)])
    assert fetch_file(remote(url), part, FAST) == 100_000
    assert [request.status for request in server.log] == [503, 500, 429, 200]
    assert "the server answers 503 Service Unavailable; retry 1 of 3" in caplog.text


def test_permanent_fault_of_the_server_is_an_error(server, part, answer):
    url = server.put(PATH, CONTENT)
    server.answers.extend([answer(status=500)] * 9)
    with pytest.raises(DownloadError, match="500"):
        fetch_file(remote(url), part, FAST)
    assert len(server.log) == 4


def test_wait_doubles_up_to_a_minute(server, part, answer, monkeypatch):
    waits = []
    monkeypatch.setattr(http_transfer.time, "sleep", waits.append)
    monkeypatch.setattr(http_transfer, "make_opener", broken_opener(OSError("no route")))
    with pytest.raises(DownloadError, match="no route"):
        fetch_file(remote(server.url), part, TransferOptions(retries=8))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def broken_opener(error):
    class Opener:
        def open(self, *arguments, **more):
            raise error

    return Opener


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_refusal_is_not_retried(server, part, answer, status):
    url = server.put(PATH, CONTENT)
    server.answers.append(answer(status=status))
    with pytest.raises(DownloadError, match=str(status)):
        fetch_file(remote(url), part, FAST)
    assert len(server.log) == 1
    assert not part.exists()


def test_unknown_host_is_not_retried(part, monkeypatch):
    def raise_unknown_host(*arguments, **more):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "getaddrinfo", raise_unknown_host)
    with pytest.raises(DownloadError, match="host"):
        fetch_file(remote("http://nowhere.invalid/f.zip"), part, FAST)


def test_temporary_failure_of_name_resolution_is_retried(part, monkeypatch):
    error = URLError(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    monkeypatch.setattr(http_transfer, "make_opener", broken_opener(error))
    with pytest.raises(DownloadError, match="Temporary"):
        fetch_file(remote("http://host/f.zip"), part, FAST)


def test_invalid_certificate_is_not_retried(part, monkeypatch):
    error = ssl.SSLCertVerificationError()
    error.verify_message = "Hostname mismatch"
    monkeypatch.setattr(http_transfer, "make_opener", broken_opener(URLError(error)))
    with pytest.raises(DownloadError, match="certificate"):
        fetch_file(remote("https://host/f.zip"), part, FAST)


def test_answer_without_content_is_refused(server, part, answer):
    server.answers.append(answer(status=204))
    with pytest.raises(DownloadError, match="204"):
        fetch_file(remote(server.put(PATH, CONTENT)), part, FAST)


def test_closed_port_is_retried(part, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(DownloadError, match="refused"):
        fetch_file(remote(f"http://127.0.0.1:{port}/f.zip"), part, FAST)


def test_redirection_is_followed(server, part, answer):
    server.put(PATH, CONTENT)
    server.answers.append(answer(status=302, location=server.url + PATH))
    assert fetch_file(remote(server.url + "/moved.zip"), part, ONCE) == 100_000


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirection_to_other_schemes_is_refused(server, part, answer, tmp_path, monkeypatch, scheme, status):
    monkeypatch.setenv("ftp_proxy", server.url)  # not even through a proxy
    (tmp_path / "secret").write_text("of this machine")
    target = f"{scheme}://{tmp_path / 'secret'}"
    server.answers.append(answer(status=status, location=target))
    with pytest.raises(DownloadError, match="redirect"):
        fetch_file(remote(server.url + "/moved.zip"), part, FAST)
    assert len(server.log) == 1
    assert not part.exists()


def test_file_of_another_size_is_refused_before_its_content(server, part):
    url = server.put(PATH, CONTENT)
    with pytest.raises(DownloadError, match="99999"):
        fetch_file(remote(url, 99_999), part, FAST)
    assert not part.exists()


def test_disk_too_small_for_the_size_stated_by_the_server(server, part, monkeypatch):
    url = server.put(PATH, CONTENT)
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(0, 0, 100_500))
    with pytest.raises(DiskSpaceError, match="min_free_bytes"):
        fetch_file(remote(url), part, FAST.model_copy(update={"min_free_bytes": 1000}))
    assert not part.exists()
    assert fetch_file(remote(url), part, FAST.model_copy(update={"min_free_bytes": 500})) == 100_000


def test_unwritable_partial_file_is_a_data_error(server, part):
    url = server.put(PATH, CONTENT)
    part.parent.write_text("a file where a folder should be")
    with pytest.raises(DataError, match="written"):
        fetch_file(remote(url), part, FAST)
    assert server.log == []

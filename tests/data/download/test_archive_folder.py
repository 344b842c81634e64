"""Tests of posescope.data.download.archive_folder: only archives that the program downloaded are removed."""

import json

import pytest

from posescope.core.errors import DataError
from posescope.data.download.archive_folder import ArchiveFolder
from posescope.data.download.http_transfer import DownloadError

VAL = {f"val2017/{number}.jpg": bytes([number]) * 5000 for number in range(1, 6)}
FILES = {*VAL, "annotations/person_keypoints_val2017.json"}
RECORDS = {"archives/annotations.json", "archives/val2017.json"}


def test_next_run_removes_the_archives_of_a_killed_run(root, archives, monkeypatch, files_in, options_of, run):
    with monkeypatch.context() as patch:
        patch.setattr(ArchiveFolder, "discard_part", lambda *arguments: None)
        run(root, options_of(archives))
    assert "archives/val2017.zip.part" in files_in(root)
    run(root, options_of(archives))
    assert files_in(root) == FILES | RECORDS


def test_archives_are_kept_on_request(server, root, archives, files_in, options_of, run):
    run(root, options_of(archives, keep_archives=True))
    kept_archives = {"archives/annotations.zip", "archives/val2017.zip"}
    assert files_in(root) == FILES | RECORDS | kept_archives
    server.log.clear()
    more_members = {**archives, "annotations": {**archives["annotations"], "members": "annotations/*.json"}}
    fetched = run(root, options_of(more_members))
    assert [(archive.state, len(archive.record.members), archive.files_written) for archive in fetched] == [
        ("unpacked", 2, 1),
        ("present", 5, 0),
    ]
    assert server.log == []
    assert kept_archives < files_in(root), "a kept archive is not removed later"


def test_archive_of_the_user_is_used_and_kept(server, root, archives, options_of, run):
    (root / "archives").mkdir(parents=True)
    provided = root / "archives" / "val2017.zip"
    provided.write_bytes(server.files["/zips/val2017.zip"].content)
    fetched = run(root, options_of(archives))
    assert [archive.state for archive in fetched] == ["downloaded", "unpacked"]
    assert [request.path for request in server.log] == ["/zips/annotations.zip"]
    assert provided.is_file()
    assert json.loads((root / "archives" / "val2017.json").read_text())["url"] is None


def test_invalid_archive_of_the_user_is_reported_and_kept(root, archives, options_of, run):
    (root / "archives").mkdir(parents=True)
    provided = root / "archives" / "val2017.zip"
    provided.write_bytes(b"something else")
    with pytest.raises(DataError, match="SHA-256"):
        run(root, options_of(archives))
    assert provided.read_bytes() == b"something else"


@pytest.fixture
def interrupted(root, archives, server, answer, options_of, run):
    """Run a download that is interrupted within val2017."""
    server.answers.extend([answer(), answer(cut_after=10_000)])
    with pytest.raises(DownloadError, match="resume"):
        run(root, options_of(archives, retries=0))
    server.log.clear()


@pytest.mark.parametrize("has_part", [False, True])
@pytest.mark.usefixtures("interrupted")
def test_archive_of_the_user_replaces_a_partial_one(server, root, archives, has_part, files_in, options_of, run):
    if not has_part:
        (root / "archives" / "val2017.zip.part").unlink()  # the file with its version is kept
    provided = root / "archives" / "val2017.zip"
    provided.write_bytes(server.files["/zips/val2017.zip"].content)
    assert [archive.state for archive in run(root, options_of(archives))] == ["present", "unpacked"]
    assert server.log == []
    assert files_in(root) == FILES | RECORDS | {"archives/val2017.zip"}
    assert json.loads((root / "archives" / "val2017.json").read_text())["url"] is None


def kill_before_unpacking(start, monkeypatch):
    """Interrupt a run when its first archive is complete."""

    def interrupt(*arguments, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("posescope.data.download.archives.unpack", interrupt)
        with pytest.raises(KeyboardInterrupt):
            start()


def test_archive_of_the_user_beside_a_downloaded_one_is_used_and_kept(
    root, archives, make_zip, monkeypatch, files_in, options_of, run
):
    plain = {"val2017": {key: archives["val2017"][key] for key in ("url", "members")}}
    kill_before_unpacking(lambda: run(root, options_of(plain)), monkeypatch)
    assert files_in(root) == {"archives/val2017.zip.part", "archives/val2017.zip.part.json"}
    (root / "archives" / "val2017.zip").write_bytes(make_zip({**VAL, "val2017/6.jpg": b"of the user"}, 0))
    assert [len(archive.record.members) for archive in run(root, options_of(plain))] == [6]
    assert files_in(root) == {*VAL, "val2017/6.jpg", "archives/val2017.json", "archives/val2017.zip"}


def test_record_contains_the_url_of_the_download(root, archives, monkeypatch, options_of, run):
    kill_before_unpacking(lambda: run(root, options_of(archives)), monkeypatch)
    other = {name: {**archive, "url": "http://nowhere.invalid/a.zip"} for name, archive in archives.items()}
    run(root, options_of({"annotations": other["annotations"]}))
    record = json.loads((root / "archives" / "annotations.json").read_text())
    assert record["url"] == archives["annotations"]["url"]


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b'{"url": ', b"\xff"])
def test_invalid_record_counts_as_not_finished(root, archives, caplog, raw, options_of, run):
    run(root, options_of(archives))
    record = root / "archives" / "val2017.json"
    content = record.read_bytes()
    record.write_bytes(raw)
    assert [(archive.state, archive.files_written) for archive in run(root, options_of(archives))] == [
        ("present", 0),
        ("downloaded", 0),
    ]
    assert "val2017.json" in caplog.text
    assert record.read_bytes() == content

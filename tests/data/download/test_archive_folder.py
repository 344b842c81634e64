"""Whose an archive is, and what an earlier run left beside it: nothing of somebody else's is removed."""

import json

import pytest

from posescope.core.errors import DataError
from posescope.data.download.archive_folder import ArchiveFolder
from posescope.data.download.http_transfer import DownloadError

VAL = {f"val2017/{number}.jpg": bytes([number]) * 5000 for number in range(1, 6)}
NOTES = {"annotations/person_keypoints_val2017.json": b"{}", "annotations/captions_val2017.json": b"[]"}
FILES = {*VAL, "annotations/person_keypoints_val2017.json"}
RECORDS = {"archives/annotations.json", "archives/val2017.json"}


def test_killed_before_tidying_up_it_tidies_up(root, archives, monkeypatch, files_in, options_of, run):
    with monkeypatch.context() as patch:
        patch.setattr(ArchiveFolder, "tidy", lambda *arguments, **more: None)
        run(root, options_of(archives))
    assert "archives/val2017.zip" in files_in(root)
    run(root, options_of(archives))
    assert files_in(root) == FILES | RECORDS


def test_archives_are_kept_where_that_is_wanted(server, root, archives, files_in, options_of, run):
    run(root, options_of(archives, keep_archives=True))
    kept = {"archives/annotations.zip", "archives/val2017.zip"}
    assert files_in(root) == FILES | RECORDS | kept
    server.log.clear()
    wider = {**archives, "annotations": {**archives["annotations"], "members": "annotations/*.json"}}
    fetched = run(root, options_of(wider))
    assert [(one.state, one.files, one.files_written) for one in fetched] == [("unpacked", 2, 1), ("was there", 5, 0)]
    assert server.log == []
    assert kept < files_in(root), "what was kept once stays"


def test_an_archive_that_somebody_put_there_is_taken_and_left(server, root, archives, options_of, run):
    (root / "archives").mkdir(parents=True)
    mine = root / "archives" / "val2017.zip"
    mine.write_bytes(server.files["/zips/val2017.zip"].content)
    fetched = run(root, options_of(archives))
    assert [one.state for one in fetched] == ["fetched", "unpacked"]
    assert [asked.path for asked in server.log] == ["/zips/annotations.zip"]
    assert mine.is_file()
    assert json.loads((root / "archives" / "val2017.json").read_text())["url"] is None


def test_a_wrong_archive_that_somebody_put_there_is_named_and_left(root, archives, options_of, run):
    (root / "archives").mkdir(parents=True)
    mine = root / "archives" / "val2017.zip"
    mine.write_bytes(b"something else")
    with pytest.raises(
        DataError, match=r"val2017\.zip: this archive lay there already, .*size 14, expected \d+; SHA-256 .*; MD5 "
    ):
        run(root, options_of(archives))
    assert mine.read_bytes() == b"something else"


@pytest.fixture
def broken_off(root, archives, server, answer, options_of, run):
    """A run has ended in the middle of val2017."""
    server.answers.extend([answer(), answer(cut_after=10_000)])
    with pytest.raises(DownloadError, match="Give the same command again"):
        run(root, options_of(archives, retries=0))
    server.log.clear()


def kill_before_unpacking(run_it, monkeypatch):
    """Let a run be killed when its first archive is there."""

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("posescope.data.download.archives.unpack", killed)
        with pytest.raises(KeyboardInterrupt):
            run_it()


@pytest.mark.parametrize("is_part_left", [False, True])
@pytest.mark.usefixtures("broken_off")
def test_an_archive_put_in_place_of_a_half_fetched_one_is_left(server, root, archives, is_part_left, files_in, options_of, run):
    if not is_part_left:
        (root / "archives" / "val2017.zip.part").unlink()  # and its note is forgotten
    mine = root / "archives" / "val2017.zip"
    mine.write_bytes(server.files["/zips/val2017.zip"].content)
    assert [one.state for one in run(root, options_of(archives))] == ["was there", "unpacked"]
    assert server.log == []
    assert files_in(root) == FILES | RECORDS | {"archives/val2017.zip"}
    assert json.loads((root / "archives" / "val2017.json").read_text())["url"] is None


def test_an_archive_put_in_place_of_a_fetched_one_is_left(root, archives, make_zip, monkeypatch, files_in, options_of, run):
    plain = {"val2017": {key: archives["val2017"][key] for key in ("url", "members")}}
    kill_before_unpacking(lambda: run(root, options_of(plain)), monkeypatch)
    assert files_in(root) == {"archives/val2017.zip", "archives/val2017.zip.origin"}
    mine = root / "archives" / "val2017.zip"
    mine.write_bytes(make_zip({**VAL, "val2017/6.jpg": b"mine"}, 0))
    assert [one.files for one in run(root, options_of(plain))] == [6]
    assert files_in(root) == {*VAL, "val2017/6.jpg", "archives/val2017.json", "archives/val2017.zip"}


def test_an_archive_put_there_after_all_was_done_is_left(root, archives, make_zip, monkeypatch, files_in, options_of, run):
    with monkeypatch.context() as patch:
        patch.setattr(ArchiveFolder, "tidy", lambda *arguments, **more: None)
        run(root, options_of(archives))
    mine = root / "archives" / "val2017.zip"
    mine.write_bytes(mine.read_bytes()[::-1])  # of the same size
    run(root, options_of(archives))
    assert files_in(root) == FILES | RECORDS | {"archives/val2017.zip"}


def test_the_address_is_recorded_that_an_archive_came_from(root, archives, monkeypatch, options_of, run):
    kill_before_unpacking(lambda: run(root, options_of(archives)), monkeypatch)
    other = {name: {**archive, "url": "http://nowhere.invalid/a.zip"} for name, archive in archives.items()}
    run(root, options_of({"annotations": other["annotations"]}))
    record = json.loads((root / "archives" / "annotations.json").read_text())
    assert record["url"] == archives["annotations"]["url"]


def test_killed_between_the_note_and_the_name_it_goes_on(server, root, archives, monkeypatch, files_in, options_of, run):
    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            run(root, options_of(archives))
    assert "archives/annotations.zip.part" in files_in(root)
    server.log.clear()
    run(root, options_of(archives))
    assert [asked.path for asked in server.log] == ["/zips/val2017.zip"]
    assert files_in(root) == FILES | RECORDS


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b'{"url": ', b"\xff"])
def test_a_record_that_cannot_be_read_counts_as_not_finished(root, archives, caplog, raw, options_of, run):
    run(root, options_of(archives))
    record = root / "archives" / "val2017.json"
    whole = record.read_bytes()
    record.write_bytes(raw)
    assert [(one.state, one.files_written) for one in run(root, options_of(archives))] == [("was there", 0), ("fetched", 0)]
    assert "val2017.json: cannot be read" in caplog.text
    assert "the archive counts as not finished" in caplog.text
    assert record.read_bytes() == whole


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]"])
def test_an_archive_whose_note_cannot_be_read_is_left(root, archives, monkeypatch, caplog, raw, files_in, options_of, run):
    kill_before_unpacking(lambda: run(root, options_of(archives)), monkeypatch)
    (root / "archives" / "annotations.zip.origin").write_bytes(raw)
    run(root, options_of(archives))
    assert files_in(root) == FILES | RECORDS | {"archives/annotations.zip"}
    assert "the archive counts as put there by somebody" in caplog.text

"""From addresses to a data set's folder: plan, archives, records."""

import errno
import hashlib
import json
import logging
import os
import re
from collections import namedtuple
from pathlib import Path

import pytest
from pydantic import ValidationError

from posescope.coco.download.archive_folder import ArchiveFolder
from posescope.coco.download.archives import ArchiveOptions, DownloadOptions
from posescope.coco.download.disk import DiskSpaceError, free_bytes, in_words, write_fault
from posescope.coco.download.fetching import download_archives
from posescope.coco.download.http_file import DownloadError
from posescope.coco.download.plan import make_plan
from posescope.coco.download.unzip import ArchiveError
from posescope.errors import DataError

VAL = {f"val2017/{number}.jpg": bytes([number]) * 5000 for number in range(1, 6)}
NOTES = {"annotations/person_keypoints_val2017.json": b"{}", "annotations/captions_val2017.json": b"[]"}
USAGE = namedtuple("Usage", "total used free")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "coco"


@pytest.fixture
def archives(server, make_zip):
    """Two archives on the server, with all that is known of them."""
    found = {}
    for name, files, members in (
        ("annotations", NOTES, "annotations/person_keypoints_*.json"),
        ("val2017", VAL, "val2017/*.jpg"),
    ):
        content = make_zip(files, 0)
        url = server.put(f"/zips/{name}.zip", content)
        found[name] = {
            "url": url, "members": members, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
            "md5": hashlib.md5(content).hexdigest(),
        }  # fmt: skip
    return found


def options_of(archives, **more):
    return DownloadOptions.model_validate({"archives": archives, "retry_wait_s": 0, "min_free_bytes": 0, **more})


def run(root, options):
    return download_archives(make_plan(root, options, is_generated=False), options)


def files_in(root):
    """Everything but the lock."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and path.name != ".lock"}


FILES = {*VAL, "annotations/person_keypoints_val2017.json"}
RECORDS = {"archives/annotations.json", "archives/val2017.json"}


def test_all_is_fetched_checked_unpacked_and_tidied_up(server, root, archives, caplog):
    caplog.set_level(logging.INFO)
    fetched = run(root, options_of(archives))
    assert files_in(root) == FILES | RECORDS
    assert {name: (root / name).read_bytes() for name in VAL} == VAL
    assert [(one.name, one.state, one.files, one.files_written) for one in fetched] == [
        ("annotations", "fetched", 1, 1),
        ("val2017", "fetched", 5, 5),
    ]
    assert [one.fetched_bytes for one in fetched] == [archive["size_bytes"] for archive in archives.values()]
    record = json.loads((root / "archives" / "val2017.json").read_text())
    assert record["checksums"] == {key: archives["val2017"][key] for key in ("size_bytes", "sha256", "md5")}
    assert record["url"] == archives["val2017"]["url"]
    assert set(record["members"]) == set(VAL)
    assert "there is now" in caplog.text


def test_a_second_run_does_nothing(server, root, archives):
    run(root, options_of(archives))
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.jp*g")}
    server.log.clear()
    fetched = run(root, options_of(archives))
    assert [(one.state, one.fetched_bytes, one.files, one.files_written) for one in fetched] == [
        ("was there", 0, 1, 0),
        ("was there", 0, 5, 0),
    ]
    assert fetched[1].sha256 == archives["val2017"]["sha256"]
    assert server.log == []
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.jp*g")} == before


def test_a_file_that_went_missing_is_fetched_again_and_only_it_is_written(server, root, archives):
    run(root, options_of(archives))
    (root / "val2017" / "3.jpg").write_bytes(b"cut")
    server.log.clear()
    first, second = run(root, options_of(archives))
    assert (first.state, second.state, second.files_written) == ("was there", "fetched", 1)
    assert len(server.log) == 1
    assert (root / "val2017" / "3.jpg").read_bytes() == VAL["val2017/3.jpg"]


def test_an_interrupted_run_goes_on(server, root, archives, answer):
    options = options_of(archives, retries=0)
    server.answers.extend([answer(), answer(cut_after=10_000)])
    with pytest.raises(DownloadError, match="Give the same command again"):
        run(root, options)
    assert files_in(root) == {
        "annotations/person_keypoints_val2017.json", "archives/annotations.json",
        "archives/val2017.zip.part", "archives/val2017.zip.part.json",
    }  # fmt: skip
    server.log.clear()
    plan = make_plan(root, options, is_generated=False)
    assert [(item.state, item.here_bytes) for item in plan.archives] == [("finished", 0), ("part", 10_000)]
    fetched = download_archives(plan, options)
    assert fetched[1].fetched_bytes == archives["val2017"]["size_bytes"] - 10_000
    assert server.log[0].range == "bytes=10000-"
    assert files_in(root) == FILES | RECORDS


def test_killed_before_unpacking_it_goes_on_without_fetching(server, root, archives, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("posescope.coco.download.fetching.unpack", killed)
        with pytest.raises(KeyboardInterrupt):
            run(root, options_of(archives))
    assert "archives/annotations.zip" in files_in(root)
    server.log.clear()
    fetched = run(root, options_of(archives))
    assert (fetched[0].state, fetched[0].fetched_bytes) == ("unpacked", 0)
    assert [asked.path for asked in server.log] == ["/zips/val2017.zip"]
    assert files_in(root) == FILES | RECORDS


def test_killed_before_tidying_up_it_tidies_up(root, archives, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ArchiveFolder, "tidy", lambda *arguments, **more: None)
        run(root, options_of(archives))
    assert "archives/val2017.zip" in files_in(root)
    run(root, options_of(archives))
    assert files_in(root) == FILES | RECORDS


def test_archives_are_kept_where_that_is_wanted(server, root, archives):
    run(root, options_of(archives, keep_archives=True))
    kept = {"archives/annotations.zip", "archives/val2017.zip"}
    assert files_in(root) == FILES | RECORDS | kept
    server.log.clear()
    wider = {**archives, "annotations": {**archives["annotations"], "members": "annotations/*.json"}}
    fetched = run(root, options_of(wider))
    assert [(one.state, one.files, one.files_written) for one in fetched] == [("unpacked", 2, 1), ("was there", 5, 0)]
    assert server.log == []
    assert kept < files_in(root), "what was kept once stays"


def test_an_archive_that_somebody_put_there_is_taken_and_left(server, root, archives):
    (root / "archives").mkdir(parents=True)
    mine = root / "archives" / "val2017.zip"
    mine.write_bytes(server.files["/zips/val2017.zip"].content)
    fetched = run(root, options_of(archives))
    assert [one.state for one in fetched] == ["fetched", "unpacked"]
    assert [asked.path for asked in server.log] == ["/zips/annotations.zip"]
    assert mine.is_file()
    assert json.loads((root / "archives" / "val2017.json").read_text())["url"] is None


def test_a_wrong_archive_that_somebody_put_there_is_named_and_left(root, archives):
    (root / "archives").mkdir(parents=True)
    mine = root / "archives" / "val2017.zip"
    mine.write_bytes(b"something else")
    with pytest.raises(
        DataError, match=r"val2017\.zip: this archive lay there already, .*size 14, expected \d+; SHA-256 .*; MD5 "
    ):
        run(root, options_of(archives))
    assert mine.read_bytes() == b"something else"


@pytest.mark.parametrize(("known", "named"), [("sha256", "SHA-256"), ("md5", "MD5")])
def test_a_wrong_checksum_removes_the_archive_and_says_so(server, root, archives, known, named):
    wrong = {"url": archives["val2017"]["url"], "members": "val2017/*.jpg", known: "0" * (64 if known == "sha256" else 32)}
    found = archives["val2017"][known]
    with pytest.raises(DownloadError, match=rf"{named} {found}, expected 0+\. It was removed"):
        run(root, options_of({"val2017": wrong}))
    assert files_in(root) == set()


def test_without_any_checksum_the_archive_still_must_be_one(server, root):
    url = server.put("/login", b"<html>please log in</html>")
    with pytest.raises(ArchiveError, match="not a whole zip archive"):
        run(root, options_of({"val2017": {"url": url, "members": "val2017/*.jpg"}}))


def test_without_any_checksum_a_whole_archive_is_taken_and_its_checksums_are_recorded(root, archives):
    plain = {name: {key: archive[key] for key in ("url", "members")} for name, archive in archives.items()}
    plan = make_plan(root, options_of(plain), is_generated=False)
    assert "size not known" in plan.describe()
    assert "and what is not known yet" in plan.describe()
    fetched = run(root, options_of(plain))
    assert [one.sha256 for one in fetched] == [archive["sha256"] for archive in archives.values()]


def test_other_checksums_in_the_parameters_make_a_finished_archive_unfinished(root, archives):
    run(root, options_of(archives))
    other = {**archives, "val2017": {**archives["val2017"], "sha256": "0" * 64}}
    plan = make_plan(root, options_of(other), is_generated=False)
    assert [item.state for item in plan.archives] == ["finished", "absent"]


def test_a_mirror_takes_the_place_of_scheme_and_host(server, root, archives):
    moved = {
        name: {**archive, "url": archive["url"].replace(server.url, "https://nowhere.invalid")}
        for name, archive in archives.items()
    }
    for path in list(server.files):
        server.files["/coco" + path] = server.files.pop(path)
    fetched = run(root, options_of(moved, mirror=server.url + "/coco/"))
    assert [one.url for one in fetched] == [f"{server.url}/coco/zips/{name}.zip" for name in archives]


def test_null_leaves_an_archive_out(server, root, archives):
    fetched = run(root, options_of({**archives, "val2017": None}))
    assert [one.name for one in fetched] == ["annotations"]
    with pytest.raises(DataError, match=r"download\.archives: expected at least one archive"):
        run(root, options_of({"val2017": None}))


def test_a_dry_run_tells_and_touches_nothing(server, root, archives, caplog):
    caplog.set_level(logging.INFO)
    fetched = run(root, options_of(archives, dry_run=True))
    assert [one.state for one in fetched] == ["not fetched", "not fetched"]
    assert server.log == []
    assert not root.exists()
    for told in (archives["val2017"]["url"], str(root), "val2017/*.jpg", "to come", "are free", "nothing is written"):
        assert told in caplog.text
    run(root, options_of(archives))
    before = files_in(root)
    assert [one.state for one in run(root, options_of(archives, dry_run=True))] == ["was there", "was there"]
    assert files_in(root) == before


def test_a_disk_that_is_too_small_is_told_before_anything_comes(server, root, archives, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("shutil.disk_usage", lambda path: USAGE(0, 0, 40_000))
    with pytest.raises(DiskSpaceError, match=r"are needed here .* but only 40\.0 kB are free\. Make room, .*raw_dir=FOLDER"):
        run(root, options_of(archives))
    assert server.log == []
    assert not root.exists()
    assert "NOT ENOUGH" in caplog.text
    run(root, options_of(archives, dry_run=True))  # tells it too, and is no error


def test_the_need_for_room_is_that_of_the_worst_moment(root):
    archives = {
        "small": {"url": "http://host/small.zip", "members": "small/*", "size_bytes": 100, "unpacked_bytes": 150},
        "large": {"url": "http://host/large.zip", "members": "large/*", "size_bytes": 1000, "unpacked_bytes": 1100},
    }
    assert make_plan(root, options_of(archives), is_generated=False).peak_bytes == 150 + 1000 + 1100
    assert make_plan(root, options_of(archives, keep_archives=True), is_generated=False).peak_bytes == 100 + 150 + 1000 + 1100
    (root / "large").mkdir(parents=True)
    (root / "large" / "1").write_bytes(b"0" * 300)
    (root / "archives").mkdir()
    (root / "archives" / "large.zip.part").write_bytes(b"0" * 400)
    plan = make_plan(root, options_of(archives), is_generated=False)
    assert plan.peak_bytes == 150 + (1000 - 400) + (1100 - 300)
    assert re.search(r"large +1\.0 kB +400 bytes are there, the rest is to come", plan.describe())


def test_two_runs_at_a_time_are_kept_apart(root, archives):
    options = options_of(archives)
    plan = make_plan(root, options, is_generated=False)
    with ArchiveFolder(root).locked(), pytest.raises(DataError, match="another run is downloading into this folder"):
        download_archives(plan, options)
    download_archives(plan, options)


@pytest.mark.parametrize("marked", [False, True])
def test_the_folder_of_the_sample_is_left_alone(root, archives, marked):
    if marked:
        root.mkdir()
        (root / "sample.json").write_text("{}")
    with pytest.raises(DataError, match=r"folder of the generated sample.*--env coco"):
        make_plan(root, options_of(archives), is_generated=not marked)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"url": "ftp://host/a.zip"}, "begins with http"),
        ({"url": "file:///etc/passwd"}, "begins with http"),
        ({"url": "a.zip"}, "begins with http"),
        ({"url": "http://"}, "begins with http"),
        ({"url": "http://me:secret@host/a.zip"}, "without a user's name or password"),
        ({"members": "/etc/*"}, "pattern of paths below"),
        ({"members": "../*"}, "pattern of paths below"),
        ({"members": "a\\*"}, "pattern of paths below"),
        ({"members": ""}, "at least 1 character"),
        ({"sha256": "abc"}, "match pattern"),
        ({"md5": "0" * 64}, "match pattern"),
        ({"size_bytes": 0}, "greater than 0"),
        ({"checksum": "0"}, "Extra inputs"),
    ],
)
def test_wrong_options_are_refused(change, complaint):
    with pytest.raises(ValidationError, match=complaint):
        ArchiveOptions.model_validate({"url": "http://host/a.zip", "members": "a/*", **change})


@pytest.mark.parametrize("name", ["../a", "a/b", ".hidden", "", "a\\b"])
def test_names_of_archives_are_names_of_files(name):
    with pytest.raises(ValidationError):
        DownloadOptions.model_validate({"archives": {name: None}})


def test_a_mirror_keeps_path_and_query():
    options = DownloadOptions.model_validate(
        {"archives": {"a": {"url": "http://host/x/a.zip?key=1", "members": "a/*"}}, "mirror": "https://mirror:8080/coco"}
    )
    assert options.wanted()["a"].url == "https://mirror:8080/coco/x/a.zip?key=1"


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (815_585_330, "815.6 MB"), (19_336_861_798, "19.3 GB")],
)
def test_bytes_in_words(count, words):
    assert in_words(count) == words


def test_free_room_of_a_folder_that_is_not_there_yet(tmp_path):
    assert free_bytes(tmp_path / "a" / "b") > 0
    assert free_bytes(Path("relative")) > 0


def test_a_full_disk_is_told_apart_from_other_faults():
    assert isinstance(write_fault(Path("a"), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))), DiskSpaceError)
    assert not isinstance(write_fault(Path("a"), OSError(errno.EACCES, "denied")), DiskSpaceError)

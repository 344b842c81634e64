"""Tests of posescope.data.download.archives: archives are downloaded, verified, unpacked and recorded."""

import json
import logging

import pytest

from posescope.core.errors import DataError
from posescope.data.download.archive_folder import ArchiveFolder
from posescope.data.download.archives import download_archives
from posescope.data.download.http_transfer import DownloadError
from posescope.data.download.plan import make_plan
from posescope.data.download.unpacking import ArchiveError

VAL = {f"val2017/{number}.jpg": bytes([number]) * 5000 for number in range(1, 6)}
NOTES = {"annotations/person_keypoints_val2017.json": b"{}", "annotations/captions_val2017.json": b"[]"}
FILES = {*VAL, "annotations/person_keypoints_val2017.json"}
RECORDS = {"archives/annotations.json", "archives/val2017.json"}


def test_archives_are_downloaded_verified_unpacked_and_removed(server, root, archives, caplog, files_in, options_of, run):
    caplog.set_level(logging.INFO)
    fetched = run(root, options_of(archives))
    assert files_in(root) == FILES | RECORDS
    assert {name: (root / name).read_bytes() for name in VAL} == VAL
    assert [(archive.name, archive.state, len(archive.record.members), archive.files_written) for archive in fetched] == [
        ("annotations", "downloaded", 1, 1),
        ("val2017", "downloaded", 5, 5),
    ]
    assert [archive.fetched_bytes for archive in fetched] == [archive["size_bytes"] for archive in archives.values()]
    record = json.loads((root / "archives" / "val2017.json").read_text())
    assert record["checksums"] == {key: archives["val2017"][key] for key in ("size_bytes", "sha256", "md5")}
    assert record["url"] == archives["val2017"]["url"]
    assert set(record["members"]) == set(VAL)
    assert "Archives in" in caplog.text


def test_second_run_downloads_nothing(server, root, archives, options_of, run):
    run(root, options_of(archives))
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.jp*g")}
    server.log.clear()
    fetched = run(root, options_of(archives))
    assert [
        (archive.state, archive.fetched_bytes, len(archive.record.members), archive.files_written) for archive in fetched
    ] == [
        ("present", 0, 1, 0),
        ("present", 0, 5, 0),
    ]
    assert fetched[1].record.checksums.sha256 == archives["val2017"]["sha256"]
    assert server.log == []
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.jp*g")} == before


def test_damaged_file_is_downloaded_and_only_it_is_written(server, root, archives, options_of, run):
    run(root, options_of(archives))
    (root / "val2017" / "3.jpg").write_bytes(b"truncated")
    server.log.clear()
    first, second = run(root, options_of(archives))
    assert (first.state, second.state, second.files_written) == ("present", "downloaded", 1)
    assert len(server.log) == 1
    assert (root / "val2017" / "3.jpg").read_bytes() == VAL["val2017/3.jpg"]


def test_interrupted_run_resumes(server, root, archives, answer, files_in, options_of, run):
    options = options_of(archives, retries=0)
    server.answers.extend([answer(), answer(cut_after=10_000)])
    with pytest.raises(DownloadError, match="resume"):
        run(root, options)
    assert files_in(root) == {
        "annotations/person_keypoints_val2017.json", "archives/annotations.json",
        "archives/val2017.zip.part", "archives/val2017.zip.part.json",
    }  # fmt: skip
    server.log.clear()
    plan = make_plan(root, options, is_generated=False)
    assert [item.fetch_bytes for item in plan.archives] == [0, archives["val2017"]["size_bytes"] - 10_000]
    fetched = download_archives(plan, options)
    assert fetched[1].fetched_bytes == archives["val2017"]["size_bytes"] - 10_000
    assert server.log[0].range == "bytes=10000-"
    assert files_in(root) == FILES | RECORDS


def test_run_killed_before_unpacking_downloads_nothing_again(server, root, archives, monkeypatch, files_in, options_of, run):
    def interrupt(*arguments, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("posescope.data.download.archives.unpack", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(root, options_of(archives))
    assert "archives/annotations.zip.part" in files_in(root)
    server.log.clear()
    fetched = run(root, options_of(archives))
    assert (fetched[0].state, fetched[0].fetched_bytes) == ("unpacked", 0)
    assert [request.path for request in server.log] == ["/zips/val2017.zip"]
    assert files_in(root) == FILES | RECORDS


@pytest.mark.parametrize(("algorithm", "name"), [("sha256", "SHA-256"), ("md5", "MD5")])
def test_archive_with_another_checksum_is_removed(server, root, archives, algorithm, name, files_in, options_of, run):
    wrong = {
        "url": archives["val2017"]["url"],
        "members": "val2017/*.jpg",
        algorithm: "0" * (64 if algorithm == "sha256" else 32),
    }
    with pytest.raises(DownloadError, match=name):
        run(root, options_of({"val2017": wrong}))
    assert files_in(root) == set()


def test_file_that_is_no_archive_is_refused_without_checksum(server, root, options_of, run):
    url = server.put("/login", b"<html>please log in</html>")
    with pytest.raises(ArchiveError, match="zip"):
        run(root, options_of({"val2017": {"url": url, "members": "val2017/*.jpg"}}))


def test_archive_without_checksum_is_accepted_and_its_checksum_recorded(root, archives, options_of, run):
    plain = {name: {key: archive[key] for key in ("url", "members")} for name, archive in archives.items()}
    plan = make_plan(root, options_of(plain), is_generated=False)
    assert "size unknown" in plan.describe()
    assert "unknown size" in plan.describe()
    fetched = run(root, options_of(plain))
    assert [archive.record.checksums.sha256 for archive in fetched] == [archive["sha256"] for archive in archives.values()]


def test_mirror_replaces_scheme_and_host(server, root, archives, options_of, run):
    moved = {
        name: {**archive, "url": archive["url"].replace(server.url, "https://nowhere.invalid")}
        for name, archive in archives.items()
    }
    for path in list(server.files):
        server.files["/coco" + path] = server.files.pop(path)
    fetched = run(root, options_of(moved, mirror=server.url + "/coco/"))
    assert [archive.record.url for archive in fetched] == [f"{server.url}/coco/zips/{name}.zip" for name in archives]


def test_archive_set_to_null_is_omitted(server, root, archives, options_of, run):
    fetched = run(root, options_of({**archives, "val2017": None}))
    assert [archive.name for archive in fetched] == ["annotations"]
    with pytest.raises(DataError, match=r"download\.archives"):
        run(root, options_of({"val2017": None}))


def test_second_simultaneous_run_is_refused(root, archives, options_of):
    options = options_of(archives)
    plan = make_plan(root, options, is_generated=False)
    with ArchiveFolder(root).locked(), pytest.raises(DataError, match="another"):
        download_archives(plan, options)
    download_archives(plan, options)

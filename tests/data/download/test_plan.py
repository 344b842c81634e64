"""Tests of posescope.data.download.plan: the plan of a download and the check of the free space."""

import errno
import logging
import os
import re
from collections import namedtuple
from pathlib import Path

import pytest

from posescope.core.errors import DataError
from posescope.core.mirrors import open_mirror
from posescope.data.download.local_files import DiskSpaceError, format_bytes, free_bytes, write_error
from posescope.data.download.plan import make_plan

VAL = {f"val2017/{number}.jpg": bytes([number]) * 5000 for number in range(1, 6)}
NOTES = {"annotations/person_keypoints_val2017.json": b"{}", "annotations/captions_val2017.json": b"[]"}
USAGE = namedtuple("Usage", "total used free")


def test_archive_with_another_checksum_is_not_finished(root, archives, options_of, run):
    run(root, options_of(archives))
    other = {**archives, "val2017": {**archives["val2017"], "sha256": "0" * 64}}
    plan = make_plan(root, options_of(other), is_generated=False)
    assert [item.record is not None for item in plan.archives] == [True, False]


def test_dry_run_logs_the_plan_and_changes_nothing(server, root, archives, caplog, files_in, options_of, run):
    caplog.set_level(logging.INFO)
    fetched = run(root, options_of(archives, dry_run=True))
    assert [archive.state for archive in fetched] == ["not downloaded", "not downloaded"]
    assert server.log == []
    assert not root.exists()
    messages = (archives["val2017"]["url"], str(root), "val2017/*.jpg", "to be downloaded", "free")
    for message in (*messages, "nothing is written but the record of the run"):
        assert message in caplog.text
    run(root, options_of(archives))
    before = files_in(root)
    assert [archive.state for archive in run(root, options_of(archives, dry_run=True))] == ["present", "present"]
    assert files_in(root) == before


def test_too_little_free_space_is_reported_before_the_download(server, root, archives, monkeypatch, caplog, options_of, run):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("shutil.disk_usage", lambda path: USAGE(0, 0, 40_000))
    with pytest.raises(DiskSpaceError, match="raw_dir"):
        run(root, options_of(archives))
    assert server.log == []
    assert not root.exists()
    assert "NOT ENOUGH" in caplog.text
    run(root, options_of(archives, dry_run=True))  # a dry run logs the lack of space and raises no error


def test_required_space_is_the_peak_of_the_download(root, options_of):
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
    assert re.search(r"large +1\.0 kB +400 bytes exist", plan.describe())


def test_object_store_is_refused(tmp_path, archives, options_of):
    root = open_mirror("memory://bucket/coco", tmp_path / "cache").root
    with pytest.raises(DataError, match="memory://bucket/coco"):
        make_plan(root, options_of(archives), is_generated=False)


@pytest.mark.parametrize("marked", [False, True])
def test_folder_of_the_sample_is_refused(root, archives, marked, options_of):
    if marked:
        root.mkdir()
        (root / "sample.json").write_text("{}")
    with pytest.raises(DataError, match="sample"):
        make_plan(root, options_of(archives), is_generated=not marked)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (815_585_330, "815.6 MB"), (19_336_861_798, "19.3 GB")],
)
def test_bytes_are_formatted_with_a_decimal_unit(count, text):
    assert format_bytes(count) == text


def test_free_space_of_a_missing_folder(tmp_path):
    assert free_bytes(tmp_path / "a" / "b") > 0
    assert free_bytes(Path("relative")) > 0


def test_full_disk_raises_a_disk_space_error():
    assert isinstance(write_error(Path("a"), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))), DiskSpaceError)
    assert not isinstance(write_error(Path("a"), OSError(errno.EACCES, "denied")), DiskSpaceError)

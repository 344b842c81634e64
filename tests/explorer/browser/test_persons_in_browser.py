"""The tab Persons in a browser: map, filters, selection, groups, export, and one person."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.explorer.browser.watched_page import MapPoint, OpenPage, WatchedPage

from posescope.data.coco.reader import read_coco
from posescope.explorer.opened_run import OpenedRun, open_run

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.slow

FIRST_VIEW_S = 30  # of a busy machine; benchmarks/explorer.py measures it


@pytest.fixture(scope="module")
def opened(finished_run: Path) -> OpenedRun:
    return open_run(finished_run)


@pytest.fixture
def page(open_page: OpenPage, explorer_url: str) -> WatchedPage:
    """The page with its map, at 1280 px."""
    found = open_page(explorer_url)
    found.wait_for_map()
    return found


def expect_passing(page: WatchedPage, opened: OpenedRun, passing: Any) -> None:
    """Wait until these persons pass the filters, in words and on the map."""
    count = int(np.sum(passing))
    expect(page.page.get_by_text(f"{count} of {len(opened)} persons pass the filters.")).to_be_visible()
    page.wait_for_map(count)
    assert {one.person for one in page.points()} == set(opened.person_ids[passing].tolist())


def around(points: list[MapPoint]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a box around points."""
    across, down = [one.x for one in points], [one.y for one in points]
    return min(across) - 3, min(down) - 3, max(across) + 3, max(down) + 3


def left_part(page: WatchedPage) -> list[MapPoint]:
    """Return the points left of the widest gap in the middle of the map."""
    points = sorted(page.points(), key=lambda one: one.x)
    places = range(len(points) // 4, 3 * len(points) // 4)
    cut = max(places, key=lambda place: points[place].x - points[place - 1].x)
    return points[:cut]


def test_first_view(open_page: OpenPage, explorer_url: str, opened: OpenedRun) -> None:
    start = time.monotonic()
    page = open_page(explorer_url)
    page.wait_for_map(len(opened))
    assert time.monotonic() - start < FIRST_VIEW_S
    expect_passing(page, opened, np.ones(len(opened), dtype=np.bool_))
    policy = page.page.request.get(explorer_url).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy


def test_range_filter_by_keys_number_and_mouse(page: WatchedPage, opened: OpenedRun) -> None:
    errors = opened.persons["error"].to_numpy(dtype=np.float64)
    lowest = page.page.get_by_role("slider", name="Error % of the crop, lowest")
    lowest.focus()
    for _ in range(3):
        lowest.press("PageUp")
    expect(lowest).not_to_have_attribute("aria-valuenow", str(lowest.get_attribute("aria-valuemin")))
    passing = errors >= float(lowest.get_attribute("aria-valuenow"))
    assert 0 < passing.sum() < len(opened)
    expect_passing(page, opened, passing)
    expect(page.page.get_by_role("img", name=f"Histogram of Error: {passing.sum()} persons")).to_be_visible()

    middle = round(float(np.median(errors)))
    number = page.page.get_by_role("spinbutton", name="Error % of the crop, lowest")
    number.fill(str(middle))
    number.press("Enter")
    expect(lowest).to_have_attribute("aria-valuenow", str(middle))
    expect_passing(page, opened, errors >= middle)

    highest = page.page.get_by_role("slider", name="Error % of the crop, highest")
    box = highest.bounding_box()
    page.draw([(box["x"] + 8, box["y"] + 8), (box["x"] - 40, box["y"] + 8)])
    expect(highest).not_to_have_attribute("aria-valuenow", str(highest.get_attribute("aria-valuemax")))
    expect_passing(page, opened, (errors >= middle) & (errors <= float(highest.get_attribute("aria-valuenow"))))

    page.page.get_by_role("button", name="Reset the filters").click()
    expect_passing(page, opened, np.ones(len(opened), dtype=np.bool_))
    expect(page.page.get_by_role("slider", name="Error % of the crop, lowest")).to_have_attribute(
        "aria-valuenow", str(lowest.get_attribute("aria-valuemin"))
    )


def test_filter_by_label(page: WatchedPage, opened: OpenedRun) -> None:
    splits = opened.persons["split"]
    page.page.get_by_role("checkbox", name=re.compile("^val ")).check()
    expect_passing(page, opened, (splits == "val").to_numpy())
    train = int((splits == "train").sum())
    expect(page.page.get_by_role("checkbox", name=f"train 0 of {train}")).to_be_visible()
    page.page.get_by_role("button", name="Reset the filters").click()
    expect_passing(page, opened, np.ones(len(opened), dtype=np.bool_))
    expect(page.page.get_by_role("checkbox", name=re.compile("^val "))).not_to_be_checked()


def test_search_by_file_name(page: WatchedPage, opened: OpenedRun) -> None:
    name = str(opened.persons["file_name"].iloc[-1])
    page.page.get_by_role("searchbox", name="File name").fill(name)
    passing = (opened.persons["file_name"] == name).to_numpy()
    expect_passing(page, opened, passing)
    expect(page.page.locator("#persons-gallery").get_by_role("button")).to_have_count(int(passing.sum()))


def test_colour_by_cluster(page: WatchedPage, opened: OpenedRun) -> None:
    page.choose("Colour", "Cluster")
    names = [one.name for one in opened.about.clusters]
    legend = page.page.locator("#persons-map .legendtext")
    expect(legend).to_have_text([name for name in names if (opened.persons["cluster_name"] == name).any()])
    page.wait_for_map(len(opened))


def test_click_on_a_point_opens_its_person(page: WatchedPage) -> None:
    point = page.lonely_point()
    page.click_point(point)
    expect(page.page.get_by_role("heading", name=f"Person {point.person}", exact=True)).to_be_in_viewport()
    page.page.wait_for_function("() => document.querySelector('.crop img').naturalWidth > 0")


def test_heatmaps_are_computed_on_demand(page: WatchedPage, opened: OpenedRun) -> None:
    person = int(opened.person_ids[opened.persons["error"].argmax()])
    page.page.get_by_role("button", name=f"Person {person}, error").click()
    expect(page.page.get_by_role("heading", name=f"Person {person}", exact=True)).to_be_visible()
    page.page.get_by_role("button", name="Compute the heatmaps").click()
    joints = opened.about.skeleton.joints
    pictures = page.page.get_by_role("img", name=re.compile("^Heatmap of "))
    expect(pictures).to_have_count(len(joints))
    assert [one.split(",")[0] for one in page.page.locator("#persons-heatmaps figcaption").all_inner_texts()] == [
        joint.replace("_", " ") for joint in joints
    ]


@pytest.mark.parametrize("tool", ["Lasso Select", "Box Select"])
def test_persons_inside_an_outline_are_selected(page: WatchedPage, tool: str) -> None:
    inside = left_part(page)
    left, top, right, bottom = around(inside)
    page.page.get_by_role("button", name=tool).click()
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    page.draw(corners if tool == "Lasso Select" else [corners[0], corners[2]])
    expect(page.page.get_by_text(f"{len(inside)} persons selected")).to_be_visible()
    page.wait_for_marks({one.person for one in inside})
    page.page.get_by_role("button", name="Clear the selection").click()
    expect(page.page.get_by_text("No person is selected.")).to_be_visible()
    page.wait_for_marks(set())


def test_failing_group_opens_by_address(open_page: OpenPage, explorer_url: str, opened: OpenedRun) -> None:
    page = open_page(f"{explorer_url}?slice=slice-1")
    page.wait_for_map()
    expect(page.page.get_by_text("7 persons selected")).to_be_visible()
    page.wait_for_marks(set(opened.person_ids[opened.rows_in_slice("slice-1")].tolist()))
    expect(page.page.locator("#persons-gallery").get_by_role("button")).to_have_count(7)


def test_failing_group_opens_by_click(page: WatchedPage, opened: OpenedRun) -> None:
    page.page.get_by_role("button", name=re.compile("^persons of the planted group")).click()
    page.wait_for_marks(set(opened.person_ids[opened.rows_in_slice("slice-1")].tolist()))


def test_unknown_group_gives_a_sentence(open_page: OpenPage, explorer_url: str) -> None:
    page = open_page(f"{explorer_url}?slice=no-such-group")
    page.wait_for_map()
    expect(page.page.get_by_role("alert").filter(has_text="no-such-group")).to_be_visible()


def test_group_is_pressed_only_while_it_is_selected(open_page: OpenPage, explorer_url: str, opened: OpenedRun) -> None:
    page = open_page(f"{explorer_url}?slice=slice-1")
    pressed = page.page.locator('button.group[aria-pressed="true"]')
    pressed.wait_for()
    page.page.get_by_role("button", name="Clear the selection").click()
    pressed.wait_for(state="detached")
    page.page.get_by_role("button", name=re.compile("^persons of the planted group")).click()
    page.wait_for_marks(set(opened.person_ids[opened.rows_in_slice("slice-1")].tolist()))
    pressed.wait_for()


def test_layers_of_the_picture_of_a_person(open_page: OpenPage, explorer_url: str) -> None:
    page = open_page(explorer_url)
    page.page.locator("button.thumb").first.click()
    picture = page.page.locator("#persons-picture img")
    picture.wait_for()
    seen = {picture.get_attribute("src")}
    for layer in ("prediction", "annotation"):
        page.page.get_by_label(layer, exact=True).click()
        page.page.wait_for_function(
            "(known) => !known.includes(document.querySelector('#persons-picture img').src)", arg=list(seen)
        )
        seen.add(picture.get_attribute("src"))
    assert len(seen) == 3


def test_exported_selection_is_read_by_the_project(
    page: WatchedPage, opened: OpenedRun, finished_run: Path, tmp_path: Path
) -> None:
    page.page.get_by_role("button", name="Select all that pass the filters").click()
    (tmp_path / "annotations").mkdir()
    for split in ("train2017", "val2017"):
        with page.page.expect_download() as download:
            page.page.get_by_role("button", name=re.compile(f"^Download .* of {split} ")).click()
        assert download.value.suggested_filename == f"selected_{split}.json"
        shutil.copy(download.value.path(), tmp_path / "annotations" / f"person_keypoints_{split}.json")
        (tmp_path / split).symlink_to(finished_run.parent / "raw" / split)
    found = read_coco(tmp_path)
    assert found.issues.empty
    exported = set(zip(found.persons["source_split"], found.persons["annotation_id"], strict=True))
    assert exported == set(zip(opened.persons["source_split"], opened.persons["annotation_id"], strict=True))


def test_export_has_the_selected_persons_only(open_page: OpenPage, explorer_url: str, opened: OpenedRun) -> None:
    page = open_page(f"{explorer_url}?slice=slice-1")
    exported: set[int] = set()
    buttons = page.page.get_by_role("button", name=re.compile("^Download .* of "))
    buttons.first.wait_for()
    for button in buttons.all():
        with page.page.expect_download() as download:
            button.click()
        records = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))["annotations"]
        exported |= {record["posescope"]["person_id"] for record in records}
    assert exported == set(opened.person_ids[opened.rows_in_slice("slice-1")].tolist())

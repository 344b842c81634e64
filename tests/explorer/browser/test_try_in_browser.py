"""The tab Try it in a browser: a photograph by drop and by choice, boxes, and files that are refused."""

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.explorer.browser.watched_page import OpenPage, WatchedPage

from posescope.explorer.opened_run import OpenedRun, open_run
from posescope.explorer.tried_photograph import PhotographTrial
from posescope.explorer.uploads import UploadLimits, read_upload

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.slow

SIDES = ("Left", "Top", "Width", "Height")
_DROP = """([target, content, name, type]) => {
  const transfer = new DataTransfer(), bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  transfer.items.add(new File([bytes], name, {type}));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true}));
  }
}"""
# Where the pixels of the photograph are in the window.
_PLACE = """([x, y]) => {
  const graph = document.querySelector("#try-photograph .js-plotly-plot"), {xaxis, yaxis} = graph._fullLayout;
  const box = graph.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.l2p(x), box.top + yaxis._offset + yaxis.l2p(y)];
}"""
_STAR = """() => {
  const trace = document.querySelector("#try-map .js-plotly-plot")._fullData.at(-1);
  return [trace.x[0], trace.y[0]];
}"""


@pytest.fixture(scope="module")
def opened(finished_run: Path) -> OpenedRun:
    return open_run(finished_run)


@pytest.fixture(scope="module")
def photograph(finished_run: Path) -> Path:
    """A photograph of the data."""
    return min((finished_run.parent / "raw" / "val2017").glob("*.jpg"))


@pytest.fixture
def page(open_page: OpenPage, explorer_url: str) -> WatchedPage:
    found = open_page(f"{explorer_url}?tab=try")
    expect(drop_zone(found)).to_be_visible()
    return found


def drop_zone(page: WatchedPage) -> Any:
    return page.page.get_by_role("button", name="Drop a photograph here, or choose one")


def drop(page: WatchedPage, content: bytes, name: str, kind: str) -> None:
    """Drop a file on the button, as a browser does."""
    target = drop_zone(page).element_handle()
    page.page.evaluate(_DROP, [target, base64.b64encode(content).decode(), name, kind])


def show(page: WatchedPage, photograph: Path) -> None:
    """Choose a photograph and wait for its results."""
    with page.page.expect_file_chooser() as chooser:
        drop_zone(page).click()
    chooser.value.set_files(photograph)
    expect(page.page.get_by_role("heading", name="How unusual")).to_be_visible()


def box_of(page: WatchedPage) -> list[float]:
    return [float(page.page.get_by_role("spinbutton", name=f"{side}, px").input_value()) for side in SIDES]


def crop_of(page: WatchedPage) -> str:
    return str(page.page.get_by_role("img", name="Crop of the person with the predicted skeleton").get_attribute("src"))


def test_dropped_photograph_is_placed_where_the_engine_places_it(page: WatchedPage, opened: OpenedRun, photograph: Path) -> None:
    content = photograph.read_bytes()
    drop(page, content, photograph.name, "image/jpeg")
    expect(page.page.get_by_role("heading", name="How unusual")).to_be_visible()
    joints = opened.about.skeleton.joints
    expect(page.page.locator("#try-results").get_by_role("row")).to_have_count(len(joints) + 1)
    image, trial = read_upload(content, UploadLimits()), PhotographTrial(opened)
    tried = trial.try_photograph(image, tuple(trial.find_persons(image).boxes[0].tolist()))
    page.page.wait_for_function(f"() => document.querySelector('#try-map .js-plotly-plot') && ({_STAR})()")
    assert page.page.evaluate(_STAR) == pytest.approx(list(tried.place.map_position), rel=1e-3)
    assert box_of(page) == [0, 0, image.shape[1], image.shape[0]]


def test_box_in_numbers(page: WatchedPage, photograph: Path) -> None:
    show(page, photograph)
    before = crop_of(page)
    for side, value in zip(SIDES, (10, 12, 80, 90), strict=True):
        page.page.get_by_role("spinbutton", name=f"{side}, px").fill(str(value))
    page.page.get_by_role("button", name="Use this box").click()
    page.page.wait_for_function("(last) => document.querySelector('#try-crop img').src !== last", arg=before)
    assert box_of(page) == [10, 12, 80, 90]
    page.page.get_by_role("spinbutton", name="Width, px").fill("")
    page.page.get_by_role("button", name="Use this box").click()
    expect(page.page.get_by_role("alert").filter(has_text="four numbers")).to_be_visible()


def test_drawn_box(page: WatchedPage, photograph: Path) -> None:
    show(page, photograph)
    before = crop_of(page)
    page.page.locator("#try-photograph .main-svg").first.scroll_into_view_if_needed()
    page.page.wait_for_function("() => document.querySelector('#try-photograph .js-plotly-plot').layout.dragmode === 'drawrect'")
    corners = [page.page.evaluate(_PLACE, corner) for corner in ([30, 40], [110, 120])]
    page.draw(corners)
    page.page.wait_for_function("(last) => document.querySelector('#try-crop img').src !== last", arg=before)
    assert box_of(page) == pytest.approx([30, 40, 80, 80], abs=2)


def test_pixels_behind_a_joint(page: WatchedPage, opened: OpenedRun, photograph: Path) -> None:
    pytest.importorskip("captum")
    show(page, photograph)
    joint = opened.about.skeleton.joints[0].replace("_", " ")
    page.choose("Joint", joint)
    expect(page.page.get_by_role("img", name=f"Attribution map of the {joint}")).to_be_visible()


def test_nearest_person_opens_in_the_tab_persons(page: WatchedPage, photograph: Path) -> None:
    show(page, photograph)
    button = page.page.get_by_role("button", name="Open person").first
    person = str(button.get_attribute("aria-label")).removeprefix("Open person ")
    button.click()
    expect(page.page.get_by_role("heading", name=f"Person {person}", exact=True)).to_be_visible()


def test_refused_files_give_a_sentence_and_the_next_one_is_shown(page: WatchedPage, photograph: Path) -> None:
    alert = page.page.get_by_role("alert").filter(has_text="Photograph: ")
    drop(page, photograph.read_bytes()[:600], "half.jpg", "image/jpeg")
    expect(alert).to_be_visible()
    drop(page, b"joint,x,y", "table.jpg", "image/jpeg")
    expect(alert).to_contain_text("expected")
    drop(page, b"joint,x,y", "table.csv", "text/csv")
    expect(alert).to_contain_text("found text/csv in table.csv")
    drop(page, bytes(UploadLimits().max_bytes + 1), "large.jpg", "image/jpeg")
    expect(alert).to_contain_text("at most 25 MB")
    noise = np.zeros((8000, 8000), np.uint8)
    drop(page, cv2.imencode(".png", noise)[1].tobytes(), "many_pixels.png", "image/png")
    expect(alert).to_contain_text("40 megapixels")
    show(page, photograph)
    expect(alert).to_be_hidden()

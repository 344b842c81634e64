"""The tab Latent space in a browser: sliders, kept components, patches, and the person."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.explorer.browser.watched_page import OpenPage, WatchedPage

from posescope.explorer.opened_run import OpenedRun, open_run

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.slow

UNCHANGED, MOVED = "The joints are where they are without changes.", re.compile("^The joints moved by")


@pytest.fixture(scope="module")
def opened(finished_run: Path) -> OpenedRun:
    return open_run(finished_run)


@pytest.fixture
def page(open_page: OpenPage, explorer_url: str, opened: OpenedRun) -> WatchedPage:
    """The tab with the first answer, for the first person."""
    found = open_page(f"{explorer_url}?tab=latent")
    number = found.page.get_by_role("spinbutton", name="Person (number)", exact=True)
    number.fill(str(opened.person_ids[0]))
    number.press("Enter")
    expect(nearest(found).first).to_be_visible()
    expect(summary(found)).to_contain_text(UNCHANGED)
    expect(rows(found)).to_have_count(len(opened.about.skeleton.joints))
    return found


def nearest(page: WatchedPage) -> Any:
    return page.page.locator("#latent-panel").get_by_role("button", name=re.compile(r"^Person \d+$"))


def summary(page: WatchedPage) -> Any:
    return page.page.locator("#latent-summary")


def rows(page: WatchedPage) -> Any:
    return page.page.locator("#latent-moved tr")


def moved_px(page: WatchedPage) -> list[float]:
    """Return the distances in the table."""
    return [float(text) for text in page.page.locator("#latent-moved td:nth-child(2)").all_inner_texts()]


def picture(page: WatchedPage, name: str = "Predicted skeleton") -> str:
    return str(page.page.get_by_role("img", name=name, exact=True).get_attribute("src"))


def expect_heatmap(page: WatchedPage, before: str, *, same: bool) -> None:
    """Wait for a heatmap that is the one before, or not. Joints of a network of two epochs may stay where they are."""
    heatmap = page.page.get_by_role("img", name="Heatmap", exact=True)
    (expect(heatmap).to_have_attribute if same else expect(heatmap).not_to_have_attribute)("src", before)


def first_slider(page: WatchedPage) -> Any:
    return page.page.get_by_role("slider", name=re.compile("^component 1[ :]"))


def test_slider_by_keys_moves_joints_and_reset_brings_them_back(page: WatchedPage) -> None:
    before = picture(page)
    assert before.startswith("data:image/jpeg")
    assert moved_px(page) == [0] * rows(page).count()
    first_slider(page).focus()
    first_slider(page).press("End")
    expect(first_slider(page)).to_have_attribute("aria-valuenow", "4")
    expect(summary(page)).to_have_text(MOVED)
    assert max(moved_px(page)) > 0
    assert picture(page) != before
    first_slider(page).press("ArrowLeft")
    expect(first_slider(page)).to_have_attribute("aria-valuenow", "3.9")
    page.page.get_by_role("button", name="Reset", exact=True).click()
    expect(first_slider(page)).to_have_attribute("aria-valuenow", "0")
    expect(summary(page)).to_contain_text(UNCHANGED)
    assert picture(page) == before


def test_slider_by_mouse_moves_joints(page: WatchedPage) -> None:
    before = picture(page)
    first_slider(page).scroll_into_view_if_needed()
    box = first_slider(page).bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.draw([middle, (middle[0] - 60, middle[1]), (middle[0] - 120, middle[1])])
    expect(summary(page)).to_have_text(MOVED)
    assert float(first_slider(page).get_attribute("aria-valuenow")) < -1
    assert picture(page) != before


def test_kept_components(page: WatchedPage) -> None:
    kept, before = page.page.get_by_role("slider", name="Keep the first components only"), picture(page, "Heatmap")
    kept.press("Home")
    expect(page.page.get_by_text(re.compile(r"^The first 0 of \d+ components"))).to_be_visible()
    expect_heatmap(page, before, same=False)
    kept.press("End")
    expect(page.page.get_by_text(re.compile(r"^All \d+ components"))).to_be_visible()
    expect_heatmap(page, before, same=True)


def test_patches(page: WatchedPage, opened: OpenedRun) -> None:
    before = picture(page, "Heatmap")
    bottleneck = page.page.get_by_role("group", name=re.compile("^bottleneck")).first
    bottleneck.get_by_role("radio", name="zero").check()
    expect_heatmap(page, before, same=False)
    zero = picture(page, "Heatmap")
    page.page.get_by_role("spinbutton", name="Other person (number)").fill(str(opened.person_ids[-1]))
    bottleneck.get_by_role("radio", name="other person").check()
    expect_heatmap(page, zero, same=False)
    page.page.get_by_role("button", name="All skip connections: mean").click()
    for group in page.page.get_by_role("group", name=re.compile("^skip connection")).all():
        expect(group.get_by_role("radio", name="mean")).to_be_checked()
    page.page.get_by_role("button", name="Reset", exact=True).click()
    expect(bottleneck.get_by_role("radio", name="own")).to_be_checked()
    expect_heatmap(page, before, same=True)


def test_heatmap_of_one_joint(page: WatchedPage, opened: OpenedRun) -> None:
    joint = opened.about.skeleton.joints[-1].replace("_", " ")
    page.choose("Heatmap of", joint)
    expect(page.page.locator("#latent-moved tr.chosen")).to_contain_text(joint)


def test_nearest_person_and_mean_person(page: WatchedPage, opened: OpenedRun) -> None:
    number = page.page.get_by_role("spinbutton", name="Person (number)", exact=True)
    chosen = str(nearest(page).first.get_attribute("aria-label") or nearest(page).first.locator("img").get_attribute("alt"))
    nearest(page).first.click()
    expect(number).to_have_value(chosen.removeprefix("Person "))
    page.open_tab("Persons")
    expect(page.page.get_by_role("heading", name=chosen, exact=True)).to_be_visible()
    page.open_tab("Latent space")
    page.page.get_by_role("button", name="Mean person").click()
    expect(number).to_have_value("")
    expect(summary(page)).to_contain_text(UNCHANGED)


def test_unknown_person_gives_a_sentence(page: WatchedPage) -> None:
    number = page.page.get_by_role("spinbutton", name="Person (number)", exact=True)
    number.fill("987654")
    number.press("Enter")
    expect(page.page.get_by_role("alert").filter(has_text="987654")).to_be_visible()

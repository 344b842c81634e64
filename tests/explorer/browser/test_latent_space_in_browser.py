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
    type_person(found, str(opened.person_ids[0]))
    expect(changes(found)).to_have_text(f"Person {opened.person_ids[0]} without changes.")
    expect(nearest(found).first).to_be_visible()
    expect(summary(found)).to_contain_text(UNCHANGED)
    expect(rows(found)).to_have_count(len(opened.about.skeleton.joints))
    return found


def person_field(page: WatchedPage) -> Any:
    return page.page.get_by_role("textbox", name="Person (number)", exact=True)


def type_person(page: WatchedPage, text: str) -> None:
    person_field(page).fill(text)
    person_field(page).press("Enter")


def changes(page: WatchedPage) -> Any:
    return page.page.locator("#latent-changes")


def panel_of(page: WatchedPage, number: str) -> Any:
    """The heading of a person in the tab Persons, which may be hidden."""
    return page.page.locator("#persons-detail").get_by_text(re.compile(rf"^Person {number}\b"))


def tile_number(tile: Any) -> str:
    """The number of the person of a tile."""
    return str(tile.locator("img").get_attribute("alt")).removeprefix("Person ")


def nearest(page: WatchedPage) -> Any:
    return page.page.locator("#latent-panel").get_by_role("button", name=re.compile(r"^Person \d+$"))


def summary(page: WatchedPage) -> Any:
    return page.page.locator("#latent-summary")


def rows(page: WatchedPage) -> Any:
    return page.page.locator("#latent-moved tbody tr")


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
    count = page.page.get_by_role("textbox", name="Number of components")
    kept, before = page.page.get_by_role("slider", name="Keep the first components only"), picture(page, "Heatmap")
    kept.press("Home")
    expect(page.page.get_by_text(re.compile("^No component is kept"))).to_be_visible()
    expect(count).to_have_value("0")
    expect_heatmap(page, before, same=False)
    count.fill("3")
    count.press("Enter")
    expect(page.page.get_by_text(re.compile(r"^The first 3 of \d+ components"))).to_be_visible()
    expect(kept).to_have_attribute("aria-valuenow", "3")
    expect(changes(page)).to_contain_text("with first 3 components kept")
    count.fill("three")
    count.press("Enter")
    expect(page.page.get_by_role("alert").filter(has_text="Number of components")).to_be_visible()
    expect(count).to_have_value("3")
    kept.press("End")
    expect(page.page.get_by_text(re.compile(r"^All \d+ components"))).to_be_visible()
    expect_heatmap(page, before, same=True)


def test_patches(page: WatchedPage, opened: OpenedRun) -> None:
    before = picture(page, "Heatmap")
    bottleneck = page.page.get_by_role("group", name=re.compile("^bottleneck")).first
    bottleneck.get_by_role("radio", name="zero").check()
    expect_heatmap(page, before, same=False)
    zero = picture(page, "Heatmap")
    other = page.page.get_by_role("textbox", name="Other person (number)")
    expect(other).to_have_value(str(opened.person_ids[0]))
    page.page.get_by_role("button", name="Other person (number): previous person").click()
    expect(other).to_have_value(str(max(opened.person_ids)))
    expect(page.page.locator(f"img[alt='Person {max(opened.person_ids)}']#latent-other-picture")).to_be_visible()
    bottleneck.get_by_role("radio", name="other person").check()
    expect_heatmap(page, zero, same=False)
    expect(changes(page)).to_contain_text(f": person {max(opened.person_ids)}")
    all_mean = page.page.get_by_role("button", name="All skip connections: mean")
    all_mean.click()
    expect(all_mean).to_have_attribute("aria-pressed", "true")
    expect(changes(page)).to_contain_text("mean")
    for group in page.page.get_by_role("group", name=re.compile("^skip connection")).all():
        expect(group.get_by_role("radio", name="mean")).to_be_checked()
    page.page.get_by_role("button", name="Reset", exact=True).click()
    expect(bottleneck.get_by_role("radio", name="own")).to_be_checked()
    expect_heatmap(page, before, same=True)


def test_heatmap_of_one_joint(page: WatchedPage, opened: OpenedRun) -> None:
    joint = opened.about.skeleton.joints[-1].replace("_", " ")
    page.choose("Heatmap of", joint)
    expect(page.page.locator("#latent-moved tr.chosen")).to_contain_text(joint)


def test_nearest_person_stays_chosen_when_the_tiles_are_drawn_again(open_page: OpenPage, explorer_url: str) -> None:
    page = open_page(explorer_url)
    page.wait_for_map()
    page.page.get_by_role("button", name=re.compile(r"^Person \d+, error")).first.click()
    page.page.locator("#persons-detail").get_by_role("heading", name=re.compile("^Person")).first.wait_for()
    page.open_tab("Latent space")
    for place in (1, 2):
        expect(nearest(page).nth(place)).to_be_visible()
        chosen = tile_number(nearest(page).nth(place))
        nearest(page).nth(place).click()
        expect(changes(page)).to_have_text(f"Person {chosen} without changes.")
        expect(panel_of(page, chosen).first).to_be_attached()
        page.page.wait_for_timeout(1500)  # what is drawn later must choose no other person
        expect(person_field(page)).to_have_value(chosen)
        expect(changes(page)).to_have_text(f"Person {chosen} without changes.")


def test_both_tabs_show_the_same_person(page: WatchedPage, opened: OpenedRun) -> None:
    typed = str(opened.person_ids[3])
    type_person(page, typed)
    page.open_tab("Persons")
    expect(panel_of(page, typed).first).to_be_visible()
    button = page.page.locator("#persons-gallery").get_by_role("button", name=re.compile(r"^Person \d+, error")).last
    chosen = str(button.get_attribute("aria-label")).split(",")[0].removeprefix("Person ")
    button.click()
    expect(panel_of(page, chosen).first).to_be_visible()
    page.open_tab("Latent space")
    expect(person_field(page)).to_have_value(chosen)
    expect(changes(page)).to_have_text(f"Person {chosen} without changes.")
    page.page.get_by_role("button", name="Mean person", exact=True).click()
    expect(person_field(page)).to_have_value("")
    expect(changes(page)).to_have_text("The mean person without changes.")


def test_buttons_step_through_the_persons(page: WatchedPage, opened: OpenedRun) -> None:
    numbers = sorted(int(one) for one in opened.person_ids)
    for step, place in (("next", 1), ("next", 2), ("previous", 1), ("previous", 0), ("previous", -1)):
        page.page.get_by_role("button", name=f"Person (number): {step} person", exact=True).click()
        expect(person_field(page)).to_have_value(str(numbers[place]))
        expect(changes(page)).to_have_text(f"Person {numbers[place]} without changes.")


@pytest.mark.parametrize("text", ["987654", "seven"])
def test_unknown_person_gives_a_sentence_and_moves_nothing(page: WatchedPage, opened: OpenedRun, text: str) -> None:
    place = person_field(page).bounding_box()
    type_person(page, text)
    alert = page.page.get_by_role("alert").filter(has_text=f"found {text}")
    expect(alert).to_be_visible()
    expect(alert).to_contain_text("Person: expected the number of a person of this run, such as ")
    assert "/" not in alert.inner_text()
    assert person_field(page).bounding_box() == place
    expect(person_field(page)).to_have_value(str(opened.person_ids[0]))
    expect(changes(page)).to_have_text(f"Person {opened.person_ids[0]} without changes.")
    page.page.get_by_role("button", name="Close", exact=True).click()
    expect(alert).to_be_hidden()


def test_ends_of_the_component_that_was_moved_last(page: WatchedPage) -> None:
    ends = page.page.locator("#latent-ends")
    first = ends.get_by_role("button").first
    expect(first).to_be_visible()
    before = first.get_attribute("aria-label")
    second = page.page.get_by_role("slider", name=re.compile("^component 2[ :]"))
    second.press("ArrowRight")
    pressed = page.page.get_by_role("button", name="Show persons at both ends of component 2", exact=True)
    expect(pressed).to_have_attribute("aria-pressed", "true")
    expect(ends.get_by_role("group", name=re.compile("^Low end"))).to_be_visible()
    page.page.get_by_role("button", name="Show persons at both ends of component 1", exact=True).click()
    expect(pressed).to_have_attribute("aria-pressed", "false")
    expect(first).to_have_attribute("aria-label", str(before))
    last = ends.get_by_role("group", name=re.compile("^High end")).get_by_role("button").first
    chosen = str(last.get_attribute("title")).removeprefix("person ")
    last.click()
    expect(person_field(page)).to_have_value(chosen)
    expect(changes(page)).to_contain_text(f"Person {chosen} with component 2: +0.1 sd")


def test_results_stay_in_the_window(page: WatchedPage) -> None:
    page.page.get_by_role("button", name="All skip connections: mean").scroll_into_view_if_needed()
    page.page.mouse.wheel(0, 3000)
    page.page.wait_for_function("() => scrollY + innerHeight >= document.documentElement.scrollHeight - 2")
    box = page.page.locator(".latent-results").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 900
    expect(changes(page)).to_be_in_viewport(ratio=1)
    expect(page.page.get_by_role("button", name="Reset", exact=True)).to_be_in_viewport(ratio=1)

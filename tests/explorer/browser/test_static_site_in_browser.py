"""The page without a server, opened from disk."""

import csv
from pathlib import Path
from typing import Any

import pytest
from tests.explorer.browser.small_runs import PLANTED, PLANTED_PERSONS
from tests.explorer.browser.watched_page import OpenPage, WatchedPage

from posescope.explorer.opened_run import OpenedRun, open_run
from posescope.explorer.static_site.export import export_site

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def opened(finished_run: Path) -> OpenedRun:
    return open_run(finished_run)


@pytest.fixture(scope="module")
def address(opened: OpenedRun, tmp_path_factory: pytest.TempPathFactory) -> str:
    return export_site(opened, tmp_path_factory.mktemp("site")).path.as_uri()


@pytest.fixture
def page(open_page: OpenPage, address: str) -> WatchedPage:
    shown = open_page(address)
    shown.wait_for_map()
    return shown


def test_page_loads_nothing_but_itself(browser: Any, address: str, opened: OpenedRun) -> None:
    context = browser.new_context(offline=True)
    shown, requests = context.new_page(), []
    shown.on("request", lambda one: one.url.startswith(("data:", "blob:")) or requests.append(one.url))
    shown.goto(address)
    expect(shown.get_by_text(f"{len(opened)} of {len(opened)} persons pass the filters.")).to_be_visible()
    assert requests == [address]
    shown.evaluate(
        """() => {
          window.refused = [];
          document.addEventListener("securitypolicyviolation", (event) => window.refused.push(event.effectiveDirective));
          fetch("https://example.org").catch(() => {});
          document.body.append(Object.assign(new Image(), {src: "https://example.org/a.png"}));
          document.body.append(Object.assign(document.createElement("script"), {textContent: "window.ran = true"}));
        }"""
    )
    shown.wait_for_function("window.refused.length === 3")
    assert set(shown.evaluate("window.refused")) == {"connect-src", "img-src", "script-src-elem"}
    assert shown.evaluate("window.ran") is None
    context.close()


def test_click_on_a_point_opens_its_person(page: WatchedPage, opened: OpenedRun) -> None:
    assert {one.person for one in page.points()} == set(opened.person_ids.tolist())
    point = page.lonely_point()
    page.click_point(point)
    expect(page.page.get_by_role("heading", name=f"Person {point.person}", exact=True)).to_be_visible()
    drawn = page.page.get_by_role("img", name=f"Person {point.person}: prediction and annotation")
    expect(drawn).to_be_visible()
    assert drawn.locator("image").count() == 1
    similar = page.page.locator("#person-similar button").first
    name = str(similar.get_attribute("aria-label")).partition(",")[0]
    similar.click()
    expect(page.page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def test_address_selects_a_group_whose_ids_are_downloaded(open_page: OpenPage, address: str, opened: OpenedRun) -> None:
    page = open_page(f"{address}#slice={PLANTED}")
    page.wait_for_map()
    members = set(opened.person_ids[opened.rows_in_slice(PLANTED)].tolist())
    expect(page.page.get_by_role("button", name="persons of the planted group")).to_have_attribute("aria-pressed", "true")
    expect(page.page.locator("#persons-gallery button")).to_have_count(PLANTED_PERSONS)
    page.wait_for_marks(members)
    with page.page.expect_download() as download:
        page.page.get_by_role("button", name="Download the ids").click()
    with Path(download.value.path()).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {int(row["person_id"]) for row in rows} == members
    known = opened.persons.set_index("person_id").loc[int(rows[0]["person_id"])]
    assert (rows[0]["source_split"], int(rows[0]["annotation_id"])) == (known["source_split"], known["annotation_id"])
    page.page.get_by_role("button", name="Clear the selection").click()
    expect(page.page.get_by_text("No person is selected")).to_be_visible()


def test_outline_selects_persons_and_stays_selected(page: WatchedPage) -> None:
    points = page.points()
    left, right = min(one.x for one in points) - 8, max(one.x for one in points) + 8
    top, bottom = min(one.y for one in points) - 8, max(one.y for one in points) + 8
    middle = (left + right) / 2
    page.draw([(left, top), (middle, top), (middle, bottom), (left, bottom), (left, top)])
    expected = {one.person for one in points if one.x < middle}
    expect(page.page.get_by_text(f"{len(expected)} selected.")).to_be_visible()
    page.page.wait_for_timeout(500)  # plotly reports the removal of the outline as a selection without persons
    page.wait_for_marks(expected)


def test_filters_count_and_search(page: WatchedPage, opened: OpenedRun) -> None:
    passing, total = page.page.locator("#passing"), len(opened)
    page.page.get_by_role("slider", name="Error, highest value").focus()
    for _ in range(50):
        page.page.keyboard.press("ArrowLeft")
    errors = opened.persons["error"].to_numpy(dtype=float)
    half = int((errors <= (errors.min() + errors.max()) / 2).sum())
    expect(passing).to_have_text(f"{half} of {total} persons pass the filters.")
    page.wait_for_map(half)
    page.page.get_by_role("button", name="Reset the filters").click()
    split = opened.persons["split"].value_counts()
    page.page.get_by_role("checkbox", name=f"{split.index[0]} ").check()
    expect(passing).to_have_text(f"{split.iloc[0]} of {total} persons pass the filters.")
    page.page.get_by_role("button", name="Reset the filters").click()
    name = opened.persons["file_name"].iloc[0]
    page.page.get_by_role("searchbox", name="File name").fill(name.upper())
    expect(passing).to_have_text(f"{(opened.persons['file_name'] == name).sum()} of {total} persons pass the filters.")
    page.page.get_by_label("Another filter").select_option("component_1")
    expect(page.page.get_by_role("group", name=opened.about.components[0].title)).to_be_visible()
    page.page.get_by_label("Colour").select_option("split")
    page.page.wait_for_function("document.querySelector('#map')._fullLayout.showlegend")


def test_slider_shows_the_traversal(page: WatchedPage) -> None:
    page.open_tab("Latent space")
    slider = page.page.get_by_role("slider", name="Offset along the component")
    before = page.page.locator(".heatmap img").first.get_attribute("src")
    slider.focus()
    for _ in range(3):
        page.page.keyboard.press("ArrowRight")
    expect(page.page.get_by_text("+3 standard deviations")).to_be_visible()
    assert slider.get_attribute("aria-valuetext").startswith("+3 standard deviations")
    assert page.page.locator(".heatmap img").first.get_attribute("src") != before
    page.page.get_by_label("Component", exact=True).select_option("1")
    assert page.page.locator(".answer svg image").count() == 1  # the typical person; the mean person has plain ground
    page.page.locator(".answer .thumbs button").first.click()
    expect(page.page.locator("#person-title")).to_be_visible()


def test_page_works_by_keyboard(page: WatchedPage) -> None:
    keyboard, reached = page.page.keyboard, []
    for _ in range(80):
        keyboard.press("Tab")
        reached.append(
            page.page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent")
        )
        if reached[-1].startswith("Person "):
            break
    assert any(text.startswith("persons of the planted group") for text in reached)
    assert "Error, lowest value" in reached
    keyboard.press("Enter")
    expect(page.page.get_by_role("heading", name=reached[-1].partition(",")[0], exact=True)).to_be_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_page_fits_a_narrow_screen(open_page: OpenPage, address: str, dark: bool) -> None:
    page = open_page(address, width=390, height=844, dark=dark, touch=True)
    page.wait_for_map()
    page.page.locator("#persons-gallery button").first.tap()
    expect(page.page.locator("#person-title")).to_be_in_viewport()
    for tab in ("Latent space", "Persons"):
        page.open_tab(tab)
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
    ground = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is not dark


def test_tab_of_the_address_is_open_and_the_map_has_its_size_afterwards(open_page: OpenPage, address: str) -> None:
    page = open_page(f"{address}#tab=latent")
    expect(page.page.get_by_role("heading", name="Mean person")).to_be_visible()
    page.open_tab("Persons")
    page.page.wait_for_function(
        "document.querySelector('#map .main-svg').getBoundingClientRect().width === document.querySelector('#map').clientWidth"
    )

"""The tab Persons in a browser."""

from pathlib import Path

import pytest
from tests.explorer.browser.watched_page import OpenPage

from posescope.explorer.opened_run import OpenedRun, open_run

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def opened(finished_run: Path) -> OpenedRun:
    return open_run(finished_run)


def test_map_shows_all_persons(open_page: OpenPage, explorer_url: str, opened: OpenedRun) -> None:
    page = open_page(explorer_url)
    page.wait_for_map()
    assert {one.person for one in page.points()} == set(opened.person_ids.tolist())
    expect(page.page.get_by_text(f"{len(opened)} of {len(opened)} persons pass the filters.")).to_be_visible()


def test_click_on_a_point_opens_its_person(open_page: OpenPage, explorer_url: str) -> None:
    page = open_page(explorer_url)
    page.wait_for_map()
    point = page.lonely_point()
    page.click_point(point)
    expect(page.page.get_by_role("heading", name=f"Person {point.person}", exact=True)).to_be_visible()

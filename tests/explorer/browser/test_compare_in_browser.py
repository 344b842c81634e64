"""The tab Compare in a browser: headline, the persons that changed, and one of them."""

from pathlib import Path

import numpy as np
import pytest
from tests.explorer.browser.watched_page import OpenPage, WatchedPage

from posescope.explorer.comparison_words import words_of
from posescope.explorer.opened_run import open_run
from posescope.explorer.run_comparison import ERROR, PCK, PairComparison, RunPair

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.slow

GRAPH = "compare-scatter"


@pytest.fixture(scope="module")
def pair(finished_run: Path, other_run: Path) -> RunPair:
    return RunPair(open_run(finished_run), open_run(other_run))


@pytest.fixture(scope="module")
def compared(pair: RunPair) -> PairComparison:
    return pair.compare(PCK)


@pytest.fixture
def page(open_page: OpenPage, explorer_url: str) -> WatchedPage:
    """The tab with its results."""
    found = open_page(f"{explorer_url}?tab=compare")
    expect(found.page.locator("#compare-improved").get_by_role("button")).not_to_have_count(0)
    return found


def test_persons_that_got_better_and_worse(page: WatchedPage, pair: RunPair, compared: PairComparison) -> None:
    assert compared.better > 3
    expect(page.page.locator("#compare-headline")).to_contain_text(f"better on {compared.better}, worse on {compared.worse}")
    page.page.get_by_role("button", name="Select all on which B is better").click()
    better = pair.person_ids[compared.rows[compared.gains > 0]]
    expect(page.page.locator("#compare-selected")).to_contain_text(f"{len(better)} persons selected")
    page.open_tab("Persons")
    page.wait_for_map()
    page.wait_for_marks(set(better.tolist()))


def test_click_on_a_thumbnail_opens_its_person(page: WatchedPage, pair: RunPair, compared: PairComparison) -> None:
    person = pair.person_ids[compared.most_improved(1)[0]]
    page.page.locator("#compare-improved").get_by_role("button").first.click()
    expect(page.page.locator("#compare-person").get_by_role("heading", name=f"Person {person}", exact=True)).to_be_visible()


def test_click_on_a_point_opens_its_person(page: WatchedPage, pair: RunPair, compared: PairComparison) -> None:
    page.choose("Score", words_of(ERROR).title)
    count = int(np.isfinite(pair.compare(ERROR).gains).sum())
    page.page.wait_for_function(
        "(count) => document.querySelector('#compare-scatter .js-plotly-plot')._fullData"
        ".some((one) => one.customdata && one.customdata.length === count)",
        arg=count,
    )
    point = page.lonely_point(GRAPH)
    page.click_point(point, GRAPH)
    expect(page.page.locator("#compare-person").get_by_role("heading", name=f"Person {point.person}", exact=True)).to_be_visible()

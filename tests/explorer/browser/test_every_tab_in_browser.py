"""What holds for every tab in a browser: keyboard, names of controls, narrow windows and fingers, contrast in light and dark."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.explorer.browser.watched_page import OpenPage, WatchedPage

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.slow

TABS = {"Persons": "persons", "Latent space": "latent", "Try it": "try", "Compare": "compare"}  # names in the address by title
# Controls that a user sees and may use. Dash's choices are entered through an unseen input before them.
_CONTROLS = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=slider]")]
  .filter((one) => one.checkVisibility({visibilityProperty: true}) && one.getClientRects().length && !one.disabled
    && !one.classList.contains("dash-dropdown-focus-target") && !(one.type === "radio" && !one.checked))"""
_SET_CONTROLS = f"() => (window.controls = ({_CONTROLS})()).length"
_FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one.closest(".dash-input-container:has(input)") || one);
  const sees = style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2;
  return [window.controls.indexOf(one), sees, one.outerHTML.slice(0, 160)];
}"""
_NAME = "(place) => window.controls[place].outerHTML.slice(0, 160)"
# Controls that a finger misses: smaller than 24 px (WCAG 2.2, target size). The label of a box belongs to it.
_SMALL = f"""() => ({_CONTROLS})().map((one) => one.closest("label") || one).flatMap((one) => {{
  const box = one.getBoundingClientRect();
  return Math.min(box.width, box.height) < 23.9 ? [`${{box.width}} x ${{box.height}}: ${{one.outerHTML.slice(0, 160)}}`] : [];
}})"""
# Texts whose contrast with the colour behind them is below 4.5 (WCAG 2.2, AA; 3 for large ones).
_PALE = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const parse = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => {
    const linear = (one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = colour.slice(0, 3).map((one) => linear(one / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) { return colour; }
    }
    return [255, 255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), pale = new Set();
  let texts = 0;
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), one = walker.currentNode.parentElement;
    if (!text || one.closest("script, style, noscript, .unseen, .hoverlayer, :disabled")) { continue; }
    if (!one.getClientRects().length || !one.checkVisibility({visibilityProperty: true, opacityProperty: true})) { continue; }
    const style = getComputedStyle(one), ink = parse(one.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const [light, dark] = [luminance(ink), luminance(behind(one))].sort((x, y) => y - x);
    const contrast = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    texts += 1;
    if (contrast < (isLarge ? 3 : 4.5)) { pale.add(`${contrast.toFixed(2)}: ${text.slice(0, 40)}`); }
  }
  return [texts, [...pale]];
}"""
_ROLES = ("button", "slider", "spinbutton", "checkbox", "radio", "tab", "searchbox")


def open_ready(open_page: OpenPage, url: str, finished_run: Path, tab: str, **window: Any) -> WatchedPage:
    """Open a tab with all that it shows: a person, an answer, or a photograph."""
    page = open_page(f"{url}?tab={TABS[tab]}", **window)
    if tab == "Persons":
        page.wait_for_map()
        page.page.get_by_role("button", name=re.compile(r"^Person \d+, error")).first.click()
        page.page.get_by_role("button", name="Compute the heatmaps").click()
        page.page.get_by_role("img", name=re.compile("^Heatmap of")).last.wait_for()
    elif tab == "Latent space":
        expect(page.page.locator("#latent-moved tr")).not_to_have_count(0)
        expect(page.page.get_by_role("group", name=re.compile("^bottleneck")).first).to_be_visible()
    elif tab == "Compare":
        page.page.locator("#compare-improved").get_by_role("button").first.click()
        page.page.locator("#compare-person").get_by_role("heading", name=re.compile("^Person ")).wait_for()
    else:
        photograph = min((finished_run.parent / "raw" / "val2017").glob("*.jpg"))
        page.page.locator("#try-upload input[type=file]").set_input_files(photograph)
        expect(page.page.get_by_role("heading", name="How unusual")).to_be_visible()
    return page


def test_tabs_by_keyboard(open_page: OpenPage, explorer_url: str) -> None:
    page = open_page(explorer_url)
    page.wait_for_map()
    page.page.get_by_role("tab", name="Persons").focus()
    titles = list(TABS)
    for title in (*titles[1:], titles[0]):
        page.page.keyboard.press("ArrowRight")
        expect(page.page.get_by_role("tab", name=title)).to_be_focused()
        expect(page.page.get_by_role("tab", name=title)).to_have_attribute("aria-selected", "true")
        expect(page.page.get_by_role("tabpanel", name=title)).to_be_visible()
        expect(page.page.get_by_role("tabpanel")).to_have_count(1)
    page.page.keyboard.press("Tab")
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_role("tab", name=titles[1])).to_have_attribute("aria-selected", "true")


@pytest.mark.parametrize("tab", TABS)
def test_every_control_has_a_name_and_is_reached_by_keyboard(
    open_page: OpenPage, explorer_url: str, finished_run: Path, tab: str
) -> None:
    page = open_ready(open_page, explorer_url, finished_run, tab).page
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    named = [
        (node["role"]["value"], node["name"]["value"].strip()) for node in nodes if not node.get("ignored") and "name" in node
    ]
    controls = [(role, name) for role, name in named if role in _ROLES]
    assert len(controls) > 20
    assert [role for role, name in controls if not name] == []
    assert page.locator("img:not([alt])").count() == 0
    count = page.evaluate(_SET_CONTROLS)
    assert count > 20
    page.get_by_role("tab", name="Persons").focus()
    reached, unseen = {0}, []
    for _ in range(count + 5):
        page.keyboard.press("Tab")
        place, sees, text = page.evaluate(_FOCUSED)
        reached.add(place)
        if place >= 0 and not sees:
            unseen.append(text)
        if place == count - 1:
            break
    assert not unseen, f"the focus cannot be seen: {unseen}"
    assert not [page.evaluate(_NAME, place) for place in set(range(count)) - reached], "not reached by the Tab key"


def test_person_opens_by_keyboard(open_page: OpenPage, explorer_url: str) -> None:
    page = open_page(explorer_url)
    page.wait_for_map()
    page.page.get_by_role("button", name="Next", exact=True).focus()
    for _ in range(2):
        page.page.keyboard.press("Tab")
    name = str(page.page.evaluate("() => document.activeElement.getAttribute('aria-label')"))
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_role("heading", name=name.split(",", maxsplit=1)[0], exact=True)).to_be_visible()


@pytest.mark.parametrize("tab", TABS)
def test_narrow_window_and_fingers(open_page: OpenPage, explorer_url: str, finished_run: Path, tab: str) -> None:
    page = open_ready(open_page, explorer_url, finished_run, tab, width=390, height=844, touch=True).page
    wide, narrow = page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert narrow == 390
    assert wide <= narrow
    assert page.evaluate(_SMALL) == []


def test_tapped_person_comes_into_view_in_a_narrow_window(open_page: OpenPage, explorer_url: str) -> None:
    page = open_page(explorer_url, width=390, height=844, touch=True)
    page.wait_for_map()
    button = page.page.get_by_role("button", name=re.compile(r"^Person \d+, error")).first
    name = str(button.get_attribute("aria-label")).split(",")[0]
    button.tap()
    expect(page.page.get_by_role("heading", name=name, exact=True)).to_be_in_viewport()


@pytest.mark.parametrize("tab", TABS)
def test_texts_can_be_read_in_light_and_dark(open_page: OpenPage, explorer_url: str, finished_run: Path, tab: str) -> None:
    page = open_ready(open_page, explorer_url, finished_run, tab).page
    for scheme, ground in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(18, 22, 28)")):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("body")).to_have_css("background-color", ground)
        texts, pale = page.evaluate(_PALE)
        assert texts > 40
        assert pale == [], scheme

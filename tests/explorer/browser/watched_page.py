"""An open page whose faults are recorded, and what the tests read of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

__all__ = ["MapPoint", "OpenPage", "PageFaults", "WatchedPage"]

_LOCAL = ("data:", "blob:", "about:")
# Persons that are drawn, in px of the window; marks of the selection are traces without hover.
_POINTS = """() => {
  const graph = document.querySelector("#GRAPH .js-plotly-plot");
  if (!graph || !graph._fullData) { return null; }
  const box = graph.getBoundingClientRect(), {xaxis, yaxis} = graph._fullLayout, found = [];
  for (const trace of graph._fullData.filter((one) => one.hoverinfo !== "skip" && one.customdata)) {
    for (let i = 0; i < trace.x.length; i++) {
      const x = box.left + xaxis._offset + xaxis.l2p(trace.x[i]), y = box.top + yaxis._offset + yaxis.l2p(trace.y[i]);
      found.push([trace.customdata[i], x, y]);
    }
  }
  return found;
}"""
# A graph moves while what is above it is filled. Settled: the same place and size for a second.
_SETTLED = """(graph) => new Promise((done) => {
  let last = "", since = performance.now();
  const check = () => {
    const {left, top, width, height} = document.getElementById(graph).getBoundingClientRect();
    const now = `${[left, top, width, height]}`;
    if (now !== last) { [last, since] = [now, performance.now()]; }
    performance.now() - since > 1000 ? done() : requestAnimationFrame(check);
  };
  check();
})"""
_MARKED = """() => {
  const traces = document.querySelector("#persons-map .js-plotly-plot")._fullData;
  const marked = traces.filter((one) => one.name === "Selected").flatMap((one) => Array.from(one.customdata));
  return marked.sort((one, other) => one - other);
}"""
MAP = "persons-map"


@dataclass(frozen=True)
class MapPoint:
    """A drawn person; x and y are px of the window."""

    person: int
    x: float
    y: float

    def distance(self, other: "MapPoint") -> float:
        return float(((self.x - other.x) ** 2 + (self.y - other.y) ** 2) ** 0.5)


@dataclass
class PageFaults:
    """Faults of pages: outside requests, errors of the console and of scripts, responses of errors."""

    found: list[str] = field(default_factory=list)

    def watch(self, page: Any, url: str) -> None:
        """Record the faults of a page from now on, and block all addresses but its own.

        Args:
            page: playwright's page.
            url: address of the page; a file may load files.
        """
        own = urlsplit(url)

        def is_outside(address: str) -> bool:
            asked = urlsplit(address)
            return not address.startswith(_LOCAL) and (asked.scheme, asked.netloc) != (own.scheme, own.netloc)

        def refuse(route: Any) -> None:
            self.found.append(f"request to another address: {route.request.url}")
            route.abort()

        page.route(is_outside, refuse)
        page.on("websocket", lambda one: self.found.append(f"web socket: {one.url}"))
        page.on("console", lambda one: one.type == "error" and self.found.append(f"console: {one.text} ({one.location})"))
        page.on("pageerror", lambda one: self.found.append(f"error of a script: {one}"))
        page.on("response", lambda one: one.status >= 400 and self.found.append(f"response {one.status}: {one.url}"))


class WatchedPage:
    """A page of the explorer.

    Args:
        page: playwright's page, on which tests find what has no method here.
    """

    def __init__(self, page: Any) -> None:
        self.page = page

    def open(self, url: str) -> None:
        """Go to an address."""
        self.page.goto(url)

    def wait_for_map(self, persons: int | None = None) -> None:
        """Wait until the map is drawn and the thumbnails are there.

        Args:
            persons: number of drawn persons to wait for; any by default.
        """
        enough = "> 0" if persons is None else f"=== {persons}"
        self.page.wait_for_function(f"() => (({_points_of(MAP)})() || []).length {enough}")
        self.page.locator("#persons-gallery button").first.wait_for()

    def points(self, graph: str = MAP) -> list[MapPoint]:
        """Return the persons that a graph shows; the map by default."""
        return [MapPoint(int(person), x, y) for person, x, y in self.page.evaluate(_points_of(graph))]

    def wait_for_marks(self, persons: set[int]) -> None:
        """Wait until exactly these persons have a ring on the map."""
        self.page.wait_for_function(f"(wanted) => JSON.stringify(({_MARKED})()) === JSON.stringify(wanted)", arg=sorted(persons))

    def lonely_point(self, graph: str = MAP) -> MapPoint:
        """Return the person that is farthest from its neighbours in a graph, so that a click hits no other one."""
        points = self.points(graph)
        return max(points, key=lambda one: min(one.distance(other) for other in points if other is not one))

    def click_point(self, point: MapPoint, graph: str = MAP) -> None:
        """Wait until a graph no longer moves, point at a person of it, wait for its words, and click."""
        self.page.evaluate(_SETTLED, graph)
        place = next(one for one in self.points(graph) if one.person == point.person)
        self.page.mouse.move(place.x, place.y)
        self.page.locator(f"#{graph} .hovertext").get_by_text(f"person {place.person}").wait_for()
        self.page.mouse.click(place.x, place.y)

    def draw(self, outline: list[tuple[float, float]]) -> None:
        """Press the button of the mouse at the first point of an outline, move along it, and release."""
        mouse = self.page.mouse
        mouse.move(*outline[0])
        mouse.down()
        for x, y in outline[1:]:
            mouse.move(x, y, steps=5)
        mouse.up()

    def choose(self, label: str, option: str) -> None:
        """Choose an option of a list by clicks.

        Args:
            label: label of the list.
            option: beginning of the words of the option.
        """
        self.page.get_by_role("button", name=label).click()
        self.page.get_by_role("option", name=option).first.click()

    def open_tab(self, title: str) -> None:
        """Open a tab by a click."""
        self.page.get_by_role("tab", name=title).click()


def _points_of(graph: str) -> str:
    return _POINTS.replace("GRAPH", graph)


OpenPage = Callable[..., WatchedPage]

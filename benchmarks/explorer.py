"""Speed of the page of the explorer, part by part: `python benchmarks/explorer.py --data <data_dir of a finished run>`.

    slider        one answer of the tab "Latent space" for each position of the sliders: positions of the controls as JSON -> rest
                  of the network, nearest persons, both pictures as JPEG, table. 200 answers of the function that the callback
                  calls, after a first one; the first two components of a person move back and forth, as a drag moves them.
    first_view    from the start of the command `posescope explore` as a process to the map drawn in Chromium: its WebGL canvas
                  has points. The browser has started before, and has nothing in its cache.
    many          the same with 124,040 synthetic persons, the persons of the run repeated, with changed values and their
                  thumbnails; the largest memory of the server; and from a changed filter to the map drawn again.

Expected on two free cores for the network of the default run: an answer at the median within 100 ms, 95 % within 250 ms; a first
view within 3 s; of many persons within 10 s, with less than 2 GB. Times are wall-clock times, medians of the repeats; CPU time,
which depends less on other programs, is measured too, of the server and of all processes of the browser.

Threads wait as those of `posescope explore` do (OMP_WAIT_POLICY).

The last line is JSON. Part `slider`: `slider_median_ms`, `slider_p95_ms`, `slider_cpu_median_ms`, `slider_first_ms` and
`slider_first_cpu_ms` (the first answer, which loads the model) and `answers`. Part `first_view`: `first_view_s`,
`first_view_url_s` (until the address is printed), `first_view_server_cpu_s` and `first_view_browser_cpu_s`. Part `many`: the same
with `many_` in front, `many_persons`, `many_server_mb` (largest resident memory of the server), `many_filter_ms` and
`many_filter_cpu_ms` (of server and browser).
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from posescope.explorer.app.latent_tab import LatentTab
from posescope.explorer.opened_run import OpenedRun, open_run
from posescope.explorer.table_file import ExplorerStore, PersonTable

ANSWERS = 200
OFFSETS = 10
MANY = 124_040
FLAGS = ["--no-sandbox", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
# plotly marks a scene as clean when it has drawn it. Its buffer is kept, so that the points can be read back; a canvas without
# points is empty. Reading takes the browser long, so it is done only then.
DRAWN = """() => {
  const graph = document.querySelector("#persons-map .js-plotly-plot");
  const plots = graph && graph._fullLayout && graph._fullLayout._plots;
  const scene = plots && plots.xy && plots.xy._scene;
  if (!scene || scene.dirty) { return false; }
  const canvas = graph.querySelector(".gl-canvas-context"), gl = canvas.getContext("webgl2") || canvas.getContext("webgl");
  const pixels = new Uint32Array(canvas.width * canvas.height);
  gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(pixels.buffer));
  return pixels.some((value) => value);
}"""
# From a click on the first label of a filter to the frame after the map was drawn with other points.
FILTER = """() => new Promise((done) => {
  const map = document.querySelector("#persons-map .js-plotly-plot");
  const shown = document.getElementById("persons-shown"), before = shown.textContent;
  const start = performance.now();
  const drawn = () => {
    if (shown.textContent === before) { return; }
    map.removeListener("plotly_afterplot", drawn);
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
  };
  map.on("plotly_afterplot", drawn);
  document.querySelector("#persons-cards input[type=checkbox]").click();
})"""


@dataclass
class Settings:
    """How often and in what is measured."""

    answers: int
    repeats: int
    chromium: str


@dataclass
class Memory:
    """Largest resident memory of a process and its children, read again and again until it ends."""

    process: psutil.Process
    largest: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Read until `stop`."""
        while not self._stop.wait(0.05):
            self.largest = max(self.largest, sum(_of(one, lambda one: one.memory_info().rss) for one in _tree(self.process)))

    def stop(self) -> float:
        """Return the largest memory, 10^6 bytes."""
        self._stop.set()
        return self.largest / 1e6


@dataclass
class Opened:
    """A page whose map is drawn."""

    page: Page
    values: dict[str, float]
    server: psutil.Process
    memory: Memory


def measure_slider(data_dir: Path, settings: Settings) -> dict[str, float]:
    """Drag the first two sliders of a person from one end to the other and back."""
    opened = open_run(data_dir)
    tab, person_id = LatentTab(opened), int(opened.person_ids[len(opened) // 2])
    sliders = min(OFFSETS, len(opened.about.components))

    def answer_at(step: int) -> None:
        offsets = [0.0] * sliders
        angle = 2 * np.pi * step / 60
        offsets[0] = round(float(3 * np.sin(angle)), 1)
        offsets[min(1, sliders - 1)] = round(float(2 * np.cos(angle)), 1)
        tab.respond({"person": person_id, "offsets": offsets, "joint": "all"})

    first, first_processor = _timed(lambda: answer_at(0))
    steps = range(1, settings.answers + 1)
    walls, processors = zip(*(_timed(lambda step=step: answer_at(step)) for step in steps), strict=True)
    return {
        "slider_first_ms": 1e3 * first,
        "slider_first_cpu_ms": 1e3 * first_processor,
        "slider_median_ms": 1e3 * float(np.median(walls)),
        "slider_p95_ms": 1e3 * float(np.quantile(walls, 0.95)),
        "slider_cpu_median_ms": 1e3 * float(np.median(processors)),
        "answers": settings.answers,
    }


def measure_first_view(data_dir: Path, settings: Settings) -> dict[str, float]:
    """Start the command and open its page, again and again."""
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=settings.chromium, args=FLAGS)
        for _ in range(settings.repeats):
            with _opened(data_dir, browser) as opened:
                found.append(opened.values)
        browser.close()
    return {f"first_view_{name}": statistics.median(one[name] for one in found) for name in found[0]}


def measure_many(data_dir: Path, settings: Settings) -> dict[str, float]:
    """Open the page of many persons, and change a filter."""
    found, filters, filter_cpu, memory = [], [], [], []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_many(open_run(data_dir), Path(folder), MANY)
        browser = playwright.chromium.launch(executable_path=settings.chromium, args=FLAGS)
        for _ in range(settings.repeats):
            with _opened(Path(folder), browser) as opened:
                found.append(opened.values)
                opened.page.wait_for_timeout(1000)
                for _ in range(5):
                    before = _browser_cpu(opened.server) + _cpu(opened.server)
                    filters.append(opened.page.evaluate(FILTER))
                    opened.page.wait_for_timeout(1000)  # the rest of the page
                    filter_cpu.append(_browser_cpu(opened.server) + _cpu(opened.server) - before)
                memory.append(opened.memory.stop())
        browser.close()
    return {
        "many_persons": MANY,
        **{f"many_{name}": statistics.median(one[name] for one in found) for name in found[0]},
        "many_server_mb": max(memory),
        "many_filter_ms": statistics.median(filters),
        "many_filter_cpu_ms": 1e3 * statistics.median(filter_cpu),
    }


def write_many(opened: OpenedRun, data_dir: Path, count: int) -> None:
    """Write a table of `count` persons: those of a run repeated, with new ids and values that differ by 1 %."""
    rows = np.arange(count) % len(opened)
    rng = np.random.default_rng(0)
    columns = opened.persons.iloc[rows].reset_index(drop=True)
    for name in columns.select_dtypes("float32"):
        values = columns[name].to_numpy()
        columns[name] = values + (0.01 * np.nanstd(values) * rng.normal(size=count)).astype(np.float32)
    columns[["error", "radius"]] = columns[["error", "radius"]].clip(lower=0)
    columns[list(opened.about.scores)] = columns[list(opened.about.scores)].clip(0, 1)
    columns["person_id"] = np.arange(count)
    columns["image_id"] += 1_000_000 * (np.arange(count) // len(opened))
    table = PersonTable(columns, opened.joints_true[rows], opened.joints_predicted[rows], opened.about)
    pictures = opened.thumbnails(np.arange(len(opened)))
    store = ExplorerStore(data_dir / "08_reporting" / "explorer")
    store.write(table, lambda own: [pictures[row] for row in rows[own]])


@contextmanager
def _opened(data_dir: Path, browser: Browser) -> Iterator[Opened]:
    """Start the command, and open its page in a new context of the browser."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    command = [str(Path(sys.executable).with_name("posescope")), "explore", str(data_dir), "--no-browser", "--port", "0"]
    before, start = _browser_cpu(None), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    server = psutil.Process(process.pid)
    memory = Memory(server)
    watcher = threading.Thread(target=memory.watch)
    watcher.start()
    try:
        url = str(process.stdout.readline()).strip() if process.stdout else ""
        announced = time.perf_counter() - start
        page.goto(url, wait_until="commit")
        page.wait_for_function(DRAWN, timeout=120_000, polling=50)
        drawn = time.perf_counter() - start
        values = {
            "s": drawn, "url_s": announced, "server_cpu_s": _cpu(server), "browser_cpu_s": _browser_cpu(server) - before,
        }  # fmt: skip
        yield Opened(page, values, server, memory)
    finally:
        memory.stop()
        watcher.join()
        context.close()
        process.send_signal(signal.SIGINT)
        process.wait(20)


def _tree(process: psutil.Process) -> list[psutil.Process]:
    return [process, *(_of(process, lambda one: one.children(recursive=True)) or [])]


def _cpu(process: psutil.Process) -> float:
    """Return the CPU time of a process and its children, s."""
    return float(sum(_of(one, lambda one: sum(one.cpu_times()[:2])) for one in _tree(process)))


def _browser_cpu(server: psutil.Process | None) -> float:
    """Return the CPU time of all processes that this one has started but the server, s."""
    children = psutil.Process().children(recursive=True)
    others = set() if server is None else set(_tree(server))
    return float(sum(_of(one, lambda one: sum(one.cpu_times()[:2])) for one in children if one not in others))


def _of(process: psutil.Process, read: Callable[[psutil.Process], Any]) -> Any:
    """Return what is read of a process, 0 if it has ended."""
    try:
        return read(process)
    except psutil.NoSuchProcess:
        return 0


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


PARTS = {"slider": measure_slider, "first_view": measure_first_view, "many": measure_many}


def main() -> None:
    """Measure the chosen parts."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # PyTorch is not imported yet
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="parts to measure; all by default")
    parser.add_argument("--data", type=Path, default=Path("data"), help="data_dir of a finished run")
    parser.add_argument("--answers", type=int, default=ANSWERS)
    parser.add_argument("--repeats", type=int, default=5, help="openings of the page")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    settings = Settings(arguments.answers, arguments.repeats, arguments.chromium)
    found: dict[str, float] = {}
    for part in arguments.parts or PARTS:
        found |= PARTS[part](arguments.data, settings)
    for name, value in found.items():
        print(f"{name:28} {value:10.2f}")
    print(json.dumps({name: round(value, 2) for name, value in found.items()}))


if __name__ == "__main__":
    main()

"""Time a redraw of the explorer's map in Chromium with software rendering: plotly's scattergl, and a library made for maps.

    python benchmarks/explorer_map.py --points 130000 20000 --regl regl-bundle.js

The bundle exposes `createScatterplot` of regl-scatterplot (npm install regl-scatterplot esbuild; esbuild --bundle --format=iife).
Each redraw is a pan by 2 % of the width, or a filter that keeps every second point. A redraw ends when the next frame begins
after the pixels were read back. `ms` is the time that passes, `cpu_ms` the CPU time of all processes of the browser: on a busy
machine the time on one quiet core. Medians over the repeats; the last line is JSON.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright
from plotly.offline import get_plotlyjs

FLAGS = ["--no-sandbox", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
COMMON = """
const next = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
let seed = 1;
const random = () => { seed = (seed * 16807) % 2147483647; return seed / 2147483647; };
const normal = () => Math.sqrt(-2 * Math.log(random())) * Math.cos(6.2831853 * random());
const readBack = () => document.querySelectorAll("canvas").forEach((canvas) => {
  const gl = canvas.getContext("webgl2") || canvas.getContext("webgl");
  if (gl) { gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); }
});
async function timed(change) {
  await next(); const start = performance.now();
  await change(); readBack(); await next();
  return performance.now() - start;
}
"""
PLOTLY = """async (count) => {
  const x = new Float32Array(count).map(normal), y = new Float32Array(count).map(normal), color = x.map((v) => v * 2);
  const trace = (step) => [{type: "scattergl", mode: "markers", x: x.filter((_, i) => i % step === 0),
    y: y.filter((_, i) => i % step === 0), marker: {size: 4, opacity: 0.75, color: color.filter((_, i) => i % step === 0)}}];
  const layout = {width: 760, height: 540, xaxis: {range: [-4, 4]}, yaxis: {range: [-4, 4]}};
  await Plotly.newPlot("map", trace(1), layout);
  let at = 0, step = 1;
  window.pan = () => { at += 0.16; return Plotly.relayout("map", {"xaxis.range": [-4 + at, 4 + at]}); };
  window.filter = () => { step = 3 - step; return Plotly.react("map", trace(step), layout); };
}"""
REGL = """async (count) => {
  const canvas = document.createElement("canvas"); document.getElementById("map").appendChild(canvas);
  const map = createScatterplot({canvas, width: 760, height: 540, pointSize: 4, opacity: 0.75, colorBy: "valueA",
    pointColor: ["#3f6fb5", "#8a63ad", "#c75a8b", "#e97d53", "#f2b134"]});
  const x = new Float32Array(count).map(normal).map((v) => v / 4), y = new Float32Array(count).map(normal).map((v) => v / 4);
  await map.draw({x, y, z: x.map((v) => Math.min(4, Math.max(0, Math.round(v * 4 + 2))))}, {zDataType: "category"});
  const half = Array.from({length: Math.floor(count / 2)}, (_, i) => 2 * i);
  let at = 0, all = true;
  window.pan = () => { at += 0.04; return map.zoomToLocation([at, 0], 1); };
  window.filter = () => { all = !all; return all ? map.unfilter() : map.filter(half); };
}"""


def cpu_ms() -> float:
    """Return the CPU time of the browser so far."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += 1000 * (times.user + times.system)
    return total


def measure(page: Page, script: str, set_up: str, count: int, repeats: int, steps: int) -> dict[str, float]:
    """Return the median ms and CPU ms of a redraw by kind of change."""
    found: dict[str, list[float]] = {"pan_ms": [], "pan_cpu_ms": [], "filter_ms": [], "filter_cpu_ms": []}
    for _ in range(repeats):
        page.set_content("<!DOCTYPE html><div id='map' style='width: 760px; height: 540px'></div>")
        page.add_script_tag(content=script)
        page.add_script_tag(content=COMMON)
        page.evaluate(set_up, count)
        for kind in ("pan", "filter"):
            page.evaluate(f"timed(window.{kind})")  # not counted
            before = cpu_ms()
            times = [page.evaluate(f"timed(window.{kind})") for _ in range(steps)]
            found[f"{kind}_cpu_ms"].append((cpu_ms() - before) / steps)
            found[f"{kind}_ms"].append(statistics.median(times))
    return {kind: round(statistics.median(times), 1) for kind, times in found.items()}


def main() -> None:
    """Print the medians, and JSON in the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[130_000, 20_000])
    parser.add_argument("--regl", type=Path, help="bundle of regl-scatterplot; without it only plotly is timed")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=7, help="redraws of each repeat")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    libraries = {"plotly": (get_plotlyjs(), PLOTLY)}
    if options.regl is not None:
        libraries["regl-scatterplot"] = (options.regl.read_text(encoding="utf-8"), REGL)
    results: dict[str, Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 800, "height": 600})
        page.set_default_timeout(120_000)
        for count in options.points:
            for name, (script, set_up) in libraries.items():
                results[f"{name} {count}"] = measure(page, script, set_up, count, options.repeats, options.steps)
                print(f"{name:<18}{count:>8,} points  {results[f'{name} {count}']}", flush=True)
        browser.close()
    print(json.dumps({"redraw_ms": results}))


if __name__ == "__main__":
    main()

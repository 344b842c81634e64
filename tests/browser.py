"""Pages measured in Chromium, without network."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["PageSize", "measure_page"]

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = (
    "--headless", "--hide-scrollbars", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--virtual-time-budget=20000", "--window-size=1400,900", "--dump-dom",
)  # fmt: skip
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"\s+content="[^"]*">')
# A frame, since a window of Chromium without a screen is at least 500 px wide.
_FRAME = """<!DOCTYPE html><title>waiting</title>
<iframe src="page.html" style="width: {width}px; height: 900px; border: 0"></iframe>
<script>addEventListener("message", (event) => {{ document.title = event.data; }});</script>"""
_SCRIPT = """<script>setTimeout(() => {
  const page = document.documentElement;
  const unseen = "details:not([open]), .scroll, svg, .plot";
  const shown = [...document.querySelectorAll("body *")].filter((one) => !one.closest(unseen));
  const wide = shown.filter((one) => one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.tagName);
  const text = document.body.innerText.replace(/\\s+/g, " ");
  parent.postMessage(`SIZE ${page.scrollHeight} ${page.scrollWidth} [${wide.join(" ")}] ${text}`, "*");
}, 4000);</script></body>"""


@dataclass(frozen=True)
class PageSize:
    """Size of a page.

    Attributes:
        height, width: px; the width is larger than that of the window if something overflows.
        overflowing: names of the elements that are wider than the window.
        text: visible text.
    """

    height: int
    width: int
    overflowing: str
    text: str


def measure_page(html: str, width: int, folder: Path) -> PageSize:
    """Open a page in a window of some width; skips the test without Chromium.

    Args:
        html: the page.
        width: px.
        folder: empty folder for files.
    """
    if _CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    (folder / "page.html").write_text(_POLICY.sub("", html).replace("</body>", _SCRIPT), encoding="utf-8")
    (folder / "frame.html").write_text(_FRAME.format(width=width), encoding="utf-8")
    command = [_CHROMIUM, *_FLAGS, f"--user-data-dir={folder / 'profile'}", (folder / "frame.html").as_uri()]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    size = re.search(r"<title>SIZE (\d+) (\d+) \[([^\]]*)\] (.*?)</title>", found.stdout, flags=re.DOTALL)
    assert size is not None, found.stdout[-500:] + found.stderr[-500:]
    return PageSize(int(size[1]), int(size[2]), size[3], size[4])

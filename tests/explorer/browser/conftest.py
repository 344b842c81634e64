"""A browser, a small finished run, and `posescope explore` serving it as a process of its own."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.explorer.browser.browsers import find_chromium
from tests.explorer.browser.small_runs import make_other_run, make_run, serve
from tests.explorer.browser.watched_page import OpenPage, PageFaults, WatchedPage

# WebGL without a graphics card; the sandbox needs rights that containers lack.
_FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
TIMEOUT_MS = 60_000  # of a wait; the machine may be busy


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A running Chromium without a window; skips without playwright or without a browser."""
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=TIMEOUT_MS)
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=find_chromium(playwright), args=list(_FLAGS))
        yield found
        found.close()


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data_dir of a finished run of conf/test, with a failing group; all processes of a test session share it."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "explorer_run"
    with _locked(root.with_suffix(".lock")):
        if not (root / "finished").exists():
            make_run(root)
            make_other_run(root / "data", root / "other")
            (root / "finished").touch()
    return root / "data"


@pytest.fixture(scope="session")
def other_run(finished_run: Path) -> Path:
    """The data_dir of another run of the same persons, to compare with."""
    return finished_run.parent / "other"


@pytest.fixture(scope="session")
def explorer_url(finished_run: Path, other_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address at which `posescope explore` serves the run, compared with the other one."""
    with serve(tmp_path_factory.mktemp("explore") / "stderr.txt", finished_run, "--compare", other_run) as url:
        yield url


@pytest.fixture
def open_page(browser: Any) -> Iterator[OpenPage]:
    """A function that opens an address in a browser context of its own: `open_page(url, width=390, dark=True)`.

    The test fails if a page requested anything from an outside address, wrote an error to the console, raised one, or got a
    response of an error.
    """
    contexts, faults = [], PageFaults()

    def open_one(url: str, *, width: int = 1280, height: int = 900, dark: bool = False, touch: bool = False) -> WatchedPage:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            has_touch=touch,
            is_mobile=touch,
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        page = WatchedPage(context.new_page())
        faults.watch(page.page, url)
        page.open(url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not faults.found, "\n".join(faults.found)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

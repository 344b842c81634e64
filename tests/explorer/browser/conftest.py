"""A browser, a small finished run, and `posescope explore` serving it as a process of its own."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.explorer.browser.browsers import find_chromium
from tests.explorer.browser.watched_page import OpenPage, PageFaults, WatchedPage

from posescope.explorer.opened_run import open_run
from posescope.explorer.table_file import ExplorerStore, PersonTable
from posescope.explorer.table_metadata import SliceAbout

REPOSITORY = Path(__file__).resolve().parents[3]
# WebGL without a graphics card; the sandbox needs rights that containers lack.
_FLAGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
TIMEOUT_MS = 60_000  # of a wait; the machine may be busy
PLANTED, PLANTED_PERSONS = "slice-1", 7


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
    """The data_dir of a finished run of conf/test, with a failing group; processes of one test session share it."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "explorer_run"
    with _locked(root.with_suffix(".lock")):
        if not (root / "finished").exists():
            _run_pipeline(root)
            _plant_group(root / "data")
            (root / "finished").touch()
    return root / "data"


@pytest.fixture(scope="session")
def explorer_url(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address at which `posescope explore` serves the run."""
    log = tmp_path_factory.mktemp("explore") / "stderr.txt"
    command = [Path(sys.executable).with_name("posescope"), "explore", finished_run, "--port", "0", "--no-browser"]
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().strip()  # printed when the page can be opened
        assert url.startswith("http://127.0.0.1:"), log.read_text()
        yield url
        process.terminate()
        assert process.wait(timeout=60) == 0, log.read_text()
    assert "Traceback" not in log.read_text(), log.read_text()


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


def _run_pipeline(root: Path) -> None:
    parameters = f"data_dir={root / 'data'},raw_dir={root / 'raw'}"
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "run", "--env", "test", "--params", parameters],
        cwd=REPOSITORY, env={**os.environ, "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]


def _plant_group(data_dir: Path) -> None:
    """Put the persons with the largest errors into a failing group; a network of two epochs fails everywhere."""
    opened = open_run(data_dir)
    members = np.argsort(-opened.persons["error"].to_numpy(dtype=np.float64))[:PLANTED_PERSONS]
    slices = np.empty(len(opened), dtype=object)
    slices[:] = [[PLANTED] if row in members else [] for row in range(len(opened))]
    group = SliceAbout(
        id=PLANTED, name="persons of the planted group", persons=len(members), photographs=len(members), score=0.25, others=0.75,
        claimed=True,
    )  # fmt: skip
    names = [name for name in opened.persons if name not in ("joints_true", "joints_predicted")]
    table = PersonTable(
        opened.persons[names].assign(slices=slices), opened.joints_true, opened.joints_predicted,
        opened.about.model_copy(update={"slices": (group,)}),
    )  # fmt: skip
    pictures = opened.thumbnails(np.arange(len(opened)))
    store = ExplorerStore(data_dir / "08_reporting" / "explorer")
    store.write(table, lambda rows: [pictures[row] for row in rows])

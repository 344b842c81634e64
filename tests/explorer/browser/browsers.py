"""Find the browser of the tests."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

__all__ = ["find_chromium"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium(playwright: Any) -> str:
    """Return the path of Chromium: `POSESCOPE_CHROMIUM`, an installed one, or playwright's own; skips the test without any.

    Args:
        playwright: the running `playwright.sync_api.Playwright`.
    """
    if named := os.environ.get("POSESCOPE_CHROMIUM"):
        if not Path(named).is_file():
            pytest.fail(f"POSESCOPE_CHROMIUM: expected the path of a browser, found no file {named}")
        return named
    own = playwright.chromium.executable_path
    found = next(filter(None, map(shutil.which, _NAMES)), own if Path(own).is_file() else None)
    if found is None:
        pytest.skip("no browser: install chromium, or name one in POSESCOPE_CHROMIUM")
    return found

"""Write a finished run as one self-contained page, which opens from disk and from any web host.

run --> persons, traversals --> content (JSON) --> template with scripts and styles --> index.html

The page holds all that it needs. Its content security policy forbids every connection, and names its two scripts by their hashes,
so that no text of the run can become a script. The same run gives the same bytes.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs
from pydantic import Field

from posescope.core.errors import DataError, pluralise
from posescope.core.files import atomic_write
from posescope.core.plugins import Options
from posescope.explorer.map_thinning import MAX_SHOWN
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.person_columns import columns_of
from posescope.explorer.run_words import describe_run
from posescope.explorer.static_site.content import site_content
from posescope.explorer.static_site.shown_persons import ShownPersons, choose_shown_persons
from posescope.explorer.static_site.traversals import compute_traversals

__all__ = ["PAGE", "ExportedSite", "SiteOptions", "check_site_folder", "export_site"]

PAGE = "index.html"
_GENERATOR = '<meta name="generator" content="posescope explore --export">'
_HEAD_BYTES = 4096  # the generator is named in them


class SiteOptions(Options):
    """Options of the page."""

    featured_persons: int = Field(2000, ge=1, le=MAX_SHOWN, description="maximum number of persons with a thumbnail")


@dataclass(frozen=True)
class ExportedSite:
    """What was written.

    Attributes:
        path: the page.
        words: size and number of persons, as a sentence.
    """

    path: Path
    words: str


def export_site(opened: OpenedRun, folder: Path, options: SiteOptions | None = None) -> ExportedSite:
    """Write the page of a run.

    Args:
        opened: the run.
        folder: folder of the page, created if needed. Only `index.html` in it is written.
        options: options of the page.

    Raises:
        DataError: if the run has no persons, or `index.html` is not a page of this function.

    Example:
        >>> export_site(open_run(Path("data")), Path("site")).path  # doctest: +SKIP
        PosixPath('site/index.html')
    """
    path = check_site_folder(folder)
    chosen = options or SiteOptions()
    columns = columns_of(opened.persons, opened.about)
    if not len(opened) or not columns:
        raise DataError(f"{opened.places.table}: expected explained persons, found none. {opened.places.remedy}")
    traversals = compute_traversals(opened)
    wanted = opened.rows_of(traversals.named_persons())
    shown = choose_shown_persons(opened, next(iter(columns.values())), wanted, chosen.featured_persons)
    page = _render(opened, shown, site_content(opened, columns, shown, traversals)).encode()
    with atomic_write(path) as temporary:
        temporary.write_bytes(page)
    pictures = int(shown.featured.sum()) if opened.about.photographs != "none" else 0
    words = f"{len(page) / 1e6:.1f} MB, {len(shown.rows):,} of {pluralise(len(opened), 'person')}, {pictures:,} with a thumbnail."
    return ExportedSite(path, words)


def check_site_folder(folder: Path) -> Path:
    """Return the path of the page. Nothing is created.

    Raises:
        DataError: if the folder is a file, a broken link or below one, if nothing can be written there, or if it has an
            `index.html` that `export_site` has not written.
    """
    path = folder / PAGE
    _check_writable(folder)
    if path.is_symlink() or path.exists():
        if path.is_symlink() or not path.is_file():
            found = "something else"
        else:
            with path.open("rb") as stream:
                found = "" if _GENERATOR.encode() in stream.read(_HEAD_BYTES) else "another file"
        if found:
            raise DataError(
                f"{path}: expected no file, or a page of posescope explore --export, which is replaced; found {found}. Choose "
                "another folder, or remove it."
            )
    return path


def _check_writable(folder: Path) -> None:
    """Write a nameless file in the folder, or in the nearest folder above it that exists."""
    nearest = folder
    try:
        while not (nearest.is_symlink() or nearest.exists()) and nearest != nearest.parent:
            nearest = nearest.parent
        if not nearest.is_dir():
            found = "file" if nearest.exists() else "broken link"
            raise DataError(f"{folder}: expected a folder for the page, found the {found} {nearest}. Choose another folder.")
        with TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise DataError(
            f"{folder}: expected a folder in which the page can be written; writing to {nearest} failed ({error.strerror}). "
            "Choose another folder."
        ) from error


def _render(opened: OpenedRun, shown: ShownPersons, content: dict[str, Any]) -> str:
    plotly_js, own_js = get_plotlyjs(), _asset("site.js")
    environment = Environment(
        loader=PackageLoader("posescope.explorer.static_site", package_path="assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    styles = (files("posescope.explorer.app") / "assets" / "explorer.css").read_text("utf-8") + _asset("site.css")
    return environment.get_template("page.html").render(
        policy=_content_security_policy([plotly_js, own_js]),
        generator=Markup(_GENERATOR),  # noqa: S704
        styles=Markup(styles),  # noqa: S704 (our own files)
        scripts=[Markup(plotly_js), Markup(own_js)],  # noqa: S704
        content=content,
        json=Markup(_json_for_script(content)),  # noqa: S704 (escaped)
        lead=describe_run(opened),
        data=opened.about.data,
        notes=_notes(opened, shown),
    )


def _notes(opened: OpenedRun, shown: ShownPersons) -> list[str]:
    """Return sentences on what the page leaves out."""
    count, total, featured = len(shown.rows), len(opened), int(shown.featured.sum())
    notes = []
    if count < total:
        notes.append(
            f"The page has {count:,} of {total:,} persons: those of failing groups, rare errors, and a sample of every place of "
            "the map. Counts are those of the persons of the page."
        )
    if opened.about.photographs == "none":
        notes.append("Photographs are not shown.")
    elif featured < count:
        have = "has" if featured == 1 else "have"
        notes.append(f"{featured:,} of {total:,} persons {have} a thumbnail; the others are drawn on plain ground.")
    return notes


def _asset(name: str) -> str:
    return (files("posescope.explorer.static_site") / "assets" / name).read_text("utf-8")


def _content_security_policy(scripts: list[str]) -> str:
    """Return a policy under which the page loads nothing and runs these scripts only."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    rules = {
        "default-src": "'none'",
        # plotly compiles the programs of its WebGL layers when it draws them
        "script-src": " ".join(["'unsafe-eval'", *(f"'sha256-{one}'" for one in hashes)]),
        "style-src": "'unsafe-inline'",  # plotly writes style elements
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {values}" for name, values in rules.items())


def _json_for_script(content: dict[str, Any]) -> str:
    """Return JSON in which no text can end the enclosing script element."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")

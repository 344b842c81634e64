"""The page without a server: one file, no outside address, no text that becomes markup, the same bytes."""

import base64
import hashlib
import json
import re
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.explorer.hand_made_table import table_of, thumbnails_of

from posescope.core.errors import DataError
from posescope.explorer.opened_run import OpenedRun, open_run
from posescope.explorer.static_site.export import SiteOptions, check_site_folder, export_site
from posescope.explorer.static_site.shown_persons import choose_shown_persons
from posescope.explorer.table_file import ExplorerStore
from posescope.explorer.table_metadata import AttributeAbout, ClusterAbout, ComponentAbout, SliceAbout

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&<!--"


class Parsed(HTMLParser):
    """Elements of a page with their attributes, and the content of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self._open == "script" else self.words).append(data)

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attributes in self.elements for key, value in attributes.items() if key == name]


def write_run(folder: Path, count: int = 5, columns: dict[str, Any] | None = None, **about: object) -> OpenedRun:
    table = table_of(count, **about)
    for name, values in (columns or {}).items():
        table.columns[name] = values
    ExplorerStore(folder / "data" / "08_reporting" / "explorer").write(table, thumbnails_of)
    return open_run(folder / "data")


@pytest.fixture
def opened(tmp_path: Path) -> OpenedRun:
    return write_run(tmp_path)


def test_page_is_one_file_that_names_no_outside_address(opened: OpenedRun, tmp_path: Path) -> None:
    written = export_site(opened, tmp_path / "new" / "site")
    assert [path.name for path in written.path.parent.iterdir()] == ["index.html"]
    page = Parsed(written.path.read_text())
    assert [one for name in ("src", "href", "action", "data", "srcset") for one in page.attributes(name)] == [
        "data:,"
    ]  # the icon
    plotly, own = page.scripts[1:3]
    others = written.path.read_text().replace(plotly, "")
    assert set(re.findall(r"\w+://[^\s\"']*|url\(|@import|//cdn", others)) == {"http://www.w3.org/2000/svg"}  # a name of SVG
    assert not re.search(r"fetch\(|XMLHttpRequest|innerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", own)


def test_policy_forbids_connections_and_names_the_scripts(opened: OpenedRun, tmp_path: Path) -> None:
    page = Parsed(export_site(opened, tmp_path).path.read_text())
    (policy,) = [
        own["content"] for tag, own in page.elements if tag == "meta" and own.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in str(policy).split("; "))
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts[1:]]
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == " ".join(["'unsafe-eval'", *(f"'sha256-{one}'" for one in hashes)])
    assert rules["img-src"] == "data:"
    assert "connect-src" not in rules  # default-src
    assert [own.get("type") for tag, own in page.elements if tag == "script"] == ["application/json", None, None]


def test_hostile_names_become_no_markup(tmp_path: Path) -> None:
    about = {
        "slices": (
            SliceAbout(id="s", name=HOSTILE, rule=HOSTILE, persons=1, photographs=1, score=None, others=None, claimed=True),
        ),
        "clusters": (ClusterAbout(number=2, name=HOSTILE, persons=1),),
        "components": (ComponentAbout(number=1, title=HOSTILE, low=HOSTILE, high=HOSTILE, explained=0.5),),
        "attributes": {"size": AttributeAbout(title=HOSTILE, unit=HOSTILE, low="", high="")},
    }
    opened = write_run(tmp_path, columns={"file_name": HOSTILE, "source_split": HOSTILE, "slices": [["s"]] * 5}, **about)
    text = export_site(opened, tmp_path).path.read_text()
    page, plain = Parsed(text), Parsed(export_site(write_run(tmp_path / "plain"), tmp_path / "plain").path.read_text())
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert not [name for _, own in page.elements for name in own if name.startswith("on")]
    content = json.loads(page.scripts[0])
    assert content["file_names"] == [HOSTILE] * 5
    assert HOSTILE in content["slices"][0]["words"]
    assert any(HOSTILE in word for word in page.words)
    (bar,) = [one["marker"]["colorbar"]["title"]["text"] for one in content["columns"] if one["name"] == "attribute_size"]
    assert "<" not in bar


def test_same_run_gives_the_same_bytes_and_replaces_its_page(opened: OpenedRun, tmp_path: Path) -> None:
    first = export_site(opened, tmp_path).path.read_bytes()
    assert export_site(open_run(opened.data_dir), tmp_path).path.read_bytes() == first


def test_foreign_pages_stay(opened: OpenedRun, tmp_path: Path) -> None:
    page = tmp_path / "site" / "index.html"
    page.parent.mkdir()
    page.write_text("<title>mine</title>")
    with pytest.raises(DataError):
        export_site(opened, page.parent)
    assert page.read_text() == "<title>mine</title>"
    page.unlink()
    page.symlink_to(tmp_path / "elsewhere.html")
    with pytest.raises(DataError):
        check_site_folder(page.parent)
    (tmp_path / "file").touch()
    with pytest.raises(DataError):
        check_site_folder(tmp_path / "file")
    assert check_site_folder(tmp_path / "absent") == tmp_path / "absent" / "index.html"


def test_folders_that_cannot_be_written_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "broken").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("file", "file/site", "broken", "broken/site", "loop", "loop/site", "x" * 300):
        with pytest.raises(DataError, match=name.split("/")[0]):
            check_site_folder(tmp_path / name)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    before = sorted(tmp_path.rglob("*"))
    assert check_site_folder(tmp_path / "link" / "new" / "site").parent.name == "site"
    assert sorted(tmp_path.rglob("*")) == before

    def refuse(dir: Path) -> None:  # noqa: A002
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr("posescope.explorer.static_site.export.TemporaryFile", refuse)
    with pytest.raises(DataError, match="Permission denied"):
        check_site_folder(tmp_path / "new")


def test_lead_says_what_is_shown(opened: OpenedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = export_site(opened, tmp_path, SiteOptions(featured_persons=2))
    assert written.words.endswith("5 of 5 persons, 2 with a thumbnail.")
    words = " ".join(Parsed(written.path.read_text()).words)
    assert "5 persons in 3 photographs, model 0000000000000000." in words
    assert "1111111111111111" in words
    assert "2 of 5 persons have a thumbnail" in words
    assert "--keep-inputs" not in words
    monkeypatch.setattr("posescope.explorer.static_site.export.choose_shown_persons", partial(choose_shown_persons, limit=4))
    assert "The page has 4 of 5 persons" in export_site(opened, tmp_path).path.read_text()


def test_page_without_photographs_says_so_and_has_no_thumbnail(tmp_path: Path) -> None:
    written = export_site(write_run(tmp_path, columns={"file_name": ""}, photographs="none", generated=True), tmp_path)
    page = Parsed(written.path.read_text())
    assert written.words.endswith("0 with a thumbnail.")
    assert "Photographs are not shown." in " ".join(page.words)
    assert "generated images" in " ".join(page.words)
    assert json.loads(page.scripts[0])["thumbnails"] == [""] * 5
    assert base64.b64encode(b"jpeg 0").decode() not in written.path.read_text()


def test_number_of_thumbnails_has_bounds() -> None:
    for number in (0, 10_001):
        with pytest.raises(ValidationError):
            SiteOptions(featured_persons=number)


def test_run_without_persons_is_an_error(opened: OpenedRun, tmp_path: Path) -> None:
    empty = OpenedRun(tmp_path, opened.persons.iloc[:0], opened.about, opened.places)
    with pytest.raises(DataError):
        export_site(empty, tmp_path)
    assert not (tmp_path / "index.html").exists()

"""Tests of the documentation site: its pages, its links, and the check of the built site."""

import importlib.util
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = {"README.md": "index.md", "conf/README.md": "configuration.md", "docs/a.md": "a.md", "docs/how-to/b.md": "how-to/b.md"}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"site_{name}", REPOSITORY / "site" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


assemble, check = load("assemble"), load("check")


@pytest.fixture(scope="module")
def assembled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    target = tmp_path_factory.mktemp("site") / "pages"
    return target, assemble.assemble_site(REPOSITORY, target)


def entries(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        for value in [entry] if isinstance(entry, str) else entry.values():
            yield from [value] if isinstance(value, str) else entries(value)


def test_every_page_is_in_the_navigation(assembled: tuple[Path, list[str]]) -> None:
    nav = tomllib.loads((REPOSITORY / "zensical.toml").read_text())["project"]["nav"]
    listed = list(entries(nav))
    assert len(listed) == len(set(listed))
    single_decisions = {page for page in assembled[1] if page.startswith("decisions/0")}
    assert set(listed) == set(assembled[1]) - single_decisions
    decisions = (assembled[0] / "decisions" / "index.md").read_text()
    assert [page for page in single_decisions if f"({Path(page).name})" not in decisions] == []


def test_api_page_has_every_public_name(assembled: tuple[Path, list[str]]) -> None:
    import posescope  # noqa: PLC0415

    lines = [line for line in (assembled[0] / "api" / "public.md").read_text().splitlines() if line.startswith("::: ")]
    names = ["run" if line.endswith("__main__.main") else line.rpartition(".")[2] for line in lines]
    assert sorted(names) == sorted(posescope.__all__)


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("README.md", "[a](docs/a.md#part) [b](docs/how-to/b.md)", "[a](a.md#part) [b](how-to/b.md)"),
        ("docs/how-to/b.md", "[home](../../README.md#start)", "[home](../index.md#start)"),
        ("docs/a.md", "[conf](../conf/)", "[conf](configuration.md)"),
        ("docs/a.md", "[all](decisions/)", "[all](decisions/index.md)"),
        ("docs/a.md", "[same](#part) [out](https://example.org/x.md)", "[same](#part) [out](https://example.org/x.md)"),
        ("docs/a.md", "[`cli`](../pyproject.toml)", "`cli` (`pyproject.toml`)"),
        ("docs/a.md", "[`pyproject.toml`](../pyproject.toml)", "`pyproject.toml`"),
        ("docs/a.md", "```\n[a](nowhere.md)\n```\n`[a](nowhere.md)`", "```\n[a](nowhere.md)\n```\n`[a](nowhere.md)`"),
        ("README.md", '<img src="docs/how-to/b.md" alt="">', '<img src="how-to/b.md" alt="">'),
    ],
)
def test_links_are_rewritten(source: str, text: str, expected: str) -> None:
    assert assemble.rewrite_links(text, source, PAGES, REPOSITORY) == expected


def test_missing_target_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match=r"docs/a\.md.*nowhere\.md"):
        assemble.rewrite_links("[x](nowhere.md)", "docs/a.md", PAGES, REPOSITORY)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="b.html#there">x</a>', None),
        ('<a href="b.html#">x</a> <a href="https://example.org">x</a> <a href="mailto:x">x</a>', None),
        ('<link rel="canonical" href="https://example.org">', None),
        ('<a href="c.html">x</a>', "links to c.html, which does not exist"),
        ('<a href="b.html#gone">x</a>', "links to b.html#gone, which has no such anchor"),
        ('<a href="#gone">x</a>', "links to #gone, which has no such anchor"),
        ('<img src="a.png">', "links to a.png, which does not exist"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js from another host"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "loads //example.org/x.css from another host"),
    ],
)
def test_faults_of_a_site_are_listed(body: str, fault: str | None, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(body)
    (tmp_path / "b.html").write_text('<h1 id="there">b</h1>')
    assert check.check_site(tmp_path) == ([] if fault is None else [f"a.html: {fault}"])


def test_empty_site_is_a_fault(tmp_path: Path) -> None:
    assert len(check.check_site(tmp_path)) == 1


def test_check_ends_with_the_number_of_faults(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="c.html">x</a>')
    ended = subprocess.run(
        [sys.executable, REPOSITORY / "site" / "check.py", tmp_path], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "1 faults" in ended.stdout

"""Check the built documentation site: every internal link and anchor exists, and no page loads anything from another host.

python site/check.py build/site
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["check_site"]

# Attributes whose address a browser loads when it opens the page. A plain link (`a href`) is not loaded.
_LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
# Relations of `link` that name a page and load nothing.
_NAMES_ONLY = frozenset({"canonical", "next", "prev", "alternate", "edit", "help", "license"})


class _Page(HTMLParser):
    """Collects the addresses and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = {"", "__top"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif _LOADED.get(tag, "") in values and not set(values.get("rel", "").split()) & _NAMES_ONLY:
            self.loaded.append(values[_LOADED[tag]])


def check_site(folder: Path) -> list[str]:
    """Return the faults of a built site, one sentence each.

    Args:
        folder: root of the site, with HTML files.

    Returns:
        Links to missing files or anchors, and addresses of other hosts that a page loads; sorted.
    """
    pages = {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    faults = set() if pages else {f"{folder}: expected HTML pages, found none."}
    for path, page in pages.items():
        name = path.relative_to(folder.resolve()).as_posix()
        faults |= {f"{name}: loads {address} from another host" for address in page.loaded if _is_outside(address)}
        for address in [*page.links, *page.loaded]:
            parts = urlsplit(address)
            if _is_outside(address) or parts.scheme or (name == "404.html" and address.startswith("/")):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                faults.add(f"{name}: links to {address}, which does not exist")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                faults.add(f"{name}: links to {address}, which has no such anchor")
    return sorted(faults)


def _is_outside(address: str) -> bool:
    return urlsplit(address).scheme in ("http", "https") or address.startswith("//")


if __name__ == "__main__":
    found = check_site(Path(sys.argv[1]))
    sys.stdout.write("\n".join([*found, f"{len(found)} faults in {sys.argv[1]}", ""]))
    sys.exit(bool(found))

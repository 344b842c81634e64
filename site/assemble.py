"""Assemble the pages of the documentation site: the Markdown files of the repository, with links that fit the site.

    docs/**                  docs pages, under the same names
    README.md                index.md
    CONTRIBUTING.md, ...     the same names in lower case
    conf/README.md           configuration.md
    notebooks/README.md      notebooks.md
    docs/decisions/index.md  list of the decisions, generated
    api/*.md                 one page per group of public names, for mkdocstrings, generated

The same pages are read in the repository and on the site. A link to a file that is not part of the site, such as a source file,
becomes its path as code, because no address of the repository is known when the site is built.

    python site/assemble.py build/site-pages
"""

import ast
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

__all__ = ["assemble_site", "rewrite_links"]

REPOSITORY = Path(__file__).resolve().parents[1]

# Repository path -> page of the site. All files below docs/ keep their path there.
PAGES: Mapping[str, str] = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "LICENSE": "licence.md",
    "conf/README.md": "configuration.md",
    "notebooks/README.md": "notebooks.md",
}

# Page -> title, introduction and modules of which all public names are shown. `posescope` itself is expanded by its `__all__`.
API: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "api/public.md": ("Python API", "The names that `import posescope` offers. Each is imported when it is first used.", ()),
    "api/components.md": (
        "Contracts of plug-ins",
        "What a component of each group must provide. [Add a plug-in](../how-to/add-a-plugin.md) shows a whole package.",
        (
            "posescope.core.plugins",
            "posescope.codecs.base",
            "posescope.geometry.square_boxes",
            "posescope.models.base",
            "posescope.training.losses",
            "posescope.prediction.detectors.detector",
            "posescope.prediction.backends.backend",
            "posescope.explainability.base",
        ),
    ),
    "api/prediction.md": (
        "Prediction",
        "Load a model and predict the joints of persons.",
        ("posescope.prediction.estimator", "posescope.prediction.predictor", "posescope.prediction.poses"),
    ),
    "api/geometry.md": (
        "Geometry",
        "All coordinate transforms.",
        ("posescope.geometry.affine", "posescope.geometry.crop_recipe", "posescope.geometry.valid_region"),
    ),
    "api/errors.md": ("Errors", "The errors that posescope raises.", ("posescope.core.errors",)),
}

_LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^()\s]+)\)|(src=\")([^\"]+)(\")")
_CODE = re.compile(r"^(?:```.*?^```|~~~.*?^~~~)$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def assemble_site(repository: Path, target: Path) -> list[str]:
    """Write all pages of the site into an empty folder.

    Args:
        repository: root of the checkout.
        target: folder of the pages; it is replaced.

    Returns:
        The pages, relative to `target`, sorted.

    Raises:
        FileNotFoundError: if a page links to a file that does not exist.
    """
    shutil.rmtree(target, ignore_errors=True)
    sources = {name: page for name, page in PAGES.items() if (repository / name).is_file()}
    for path in sorted((repository / "docs").rglob("*")):
        if path.is_file():
            sources[path.relative_to(repository).as_posix()] = path.relative_to(repository / "docs").as_posix()
    for source, page in sources.items():
        place = target / page
        place.parent.mkdir(parents=True, exist_ok=True)
        if page.endswith(".md"):
            text = (repository / source).read_text(encoding="utf-8")
            place.write_text(rewrite_links(text, source, sources, repository), encoding="utf-8")
        else:
            shutil.copyfile(repository / source, place)
    (target / "decisions" / "index.md").write_text(_decisions_page(target / "decisions"), encoding="utf-8")
    for page, text in _api_pages(repository):
        (target / page).parent.mkdir(parents=True, exist_ok=True)
        (target / page).write_text(text, encoding="utf-8")
    return sorted(path.relative_to(target).as_posix() for path in target.rglob("*.md"))


def rewrite_links(text: str, source: str, pages: Mapping[str, str], repository: Path) -> str:
    """Return a page with the links of the site in place of those of the repository.

    Args:
        text: Markdown.
        source: path of the page in the repository.
        pages: repository path -> path on the site.
        repository: root of the checkout.

    Raises:
        FileNotFoundError: if the target of a link does not exist.

    Example:
        >>> pages = {"README.md": "index.md", "docs/metrics.md": "metrics.md"}
        >>> rewrite_links("See [metrics](docs/metrics.md#pck).", "README.md", pages, REPOSITORY)
        'See [metrics](metrics.md#pck).'
    """

    def replace(found: re.Match[str]) -> str:
        label, link, before, image, after = found.groups()
        address = link or image
        if re.match(r"[a-z]+:", address) or address.startswith("#"):
            return found[0]
        path, _, anchor = address.partition("#")
        place = PurePosixPath(os.path.normpath(PurePosixPath(source).parent / path)).as_posix()
        if place not in pages and (repository / place).is_dir():
            place = f"{place}/README.md" if f"{place}/README.md" in pages else place
        if place == "docs/decisions":
            page = "decisions/index.md"
        elif place in pages:
            page = pages[place]
        elif (repository / place).exists():
            return f"{label[1:-1]} (`{place}`)" if label and label[1:-1].strip("`") not in place else f"`{place}`"
        else:
            raise FileNotFoundError(f"{source}: expected an existing file as target of a link, found {address}.")
        inside = os.path.relpath(page, PurePosixPath(pages[source]).parent.as_posix() or ".")
        inside += f"#{anchor}" if anchor else ""
        return f"{before}{inside}{after}" if before else f"{label}({inside})"

    parts, start = [], 0
    for code in _CODE.finditer(text):  # code is shown as it is
        is_label = code[0].startswith("`") and not code[0].startswith("```") and _is_in_label(text, code)
        if is_label:
            continue
        parts += [_LINK.sub(replace, text[start : code.start()]), code[0]]
        start = code.end()
    return "".join([*parts, _LINK.sub(replace, text[start:])])


def _is_in_label(text: str, code: re.Match[str]) -> bool:
    """Return whether inline code is the label of a link, as in [`pck.py`](src/pck.py)."""
    return text[: code.start()].endswith("[") and text[code.end() :].startswith("](")


def _decisions_page(folder: Path) -> str:
    lines = ["# Decisions", "", "Choices between real alternatives, with their measurements.", ""]
    for path in sorted(folder.glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join([*lines, ""])


def _api_pages(repository: Path) -> Iterator[tuple[str, str]]:
    for page, (title, introduction, modules) in API.items():
        names = [(name, 2) for name in modules] or [(name, 2) for name in _public_names(repository)]
        yield page, "\n\n".join([f"# {title}", introduction, *(_directive(name, level) for name, level in names)]) + "\n"


def _directive(name: str, level: int) -> str:
    return f"::: {name}\n    options:\n      heading_level: {level}"


def _public_names(repository: Path) -> list[str]:
    """Return the full names of the public API, read from the table of `posescope/__init__.py` without importing it."""
    tree = ast.parse((repository / "src" / "posescope" / "__init__.py").read_text(encoding="utf-8"))
    (table,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["_MODULES"]
    )
    modules: dict[str, str] = ast.literal_eval(table)
    full = (f"{module.partition(':')[0]}.{module.partition(':')[2] or name}" for name, module in modules.items())
    return sorted(full, key=lambda name: name.rpartition(".")[2].lower())


if __name__ == "__main__":
    pages = assemble_site(REPOSITORY, Path(sys.argv[1]))
    sys.stdout.write(f"{len(pages)} pages in {sys.argv[1]}\n")

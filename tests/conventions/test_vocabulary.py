"""Source, tests, configuration and documentation use the words of docs/glossary.md."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = [
    *sorted((REPOSITORY / "src").rglob("*.py")),
    *sorted((REPOSITORY / "src").rglob("*.html")),
    *sorted((REPOSITORY / "conf").rglob("*.yml")),
    *sorted((REPOSITORY / "tests").rglob("*.py")),
    *sorted((REPOSITORY / "benchmarks").glob("*.py")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "conf/README.md", "notebooks/README.md", "Makefile")),
]
# Files that contain former words: names of earlier versions that are read or refused, and this test.
EXCEPTED = {
    "docs/how-to/final-test.md",
    "src/posescope/core/parameters.py",
    "src/posescope/evaluation/access_log.py",
    "tests/conventions/test_vocabulary.py",
    "tests/evaluation/test_access_log.py",
    "tests/kedro_support/test_parameter_checks.py",
}
# Former word -> word of the glossary.
REPLACED = {
    "everybody|everyone": "all persons",
    "nobody|no one": "no person",
    "somebody|someone": "a person, a user",
    "anybody|anyone": "any user",
    "whoever": "a user who",
    "whom": "which persons",
    "contact sheets?": "image grid",
    "held against|hold against": "compared with",
    "set aside": "rejected",
    "told": "described, predicted",
    "unseal\\w*": "access to the test set",
    "ledger": "access log",
    "strangers?": "unknown persons",
    "spoilt": "damaged",
}


def find(words: str, text: str) -> list[str]:
    return [match[0] for match in re.finditer(rf"(?<![^\W_]|-)(?:{words})(?![^\W_]|-)", text, re.IGNORECASE)]


@pytest.mark.parametrize("words", REPLACED)
def test_former_words_are_not_used(words: str) -> None:
    texts = {str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8") for path in FILES}
    found = {name: hits for name, text in texts.items() if name not in EXCEPTED and (hits := find(words, text))}
    assert found == {}, f"write {REPLACED[words]}"


def test_every_term_of_the_glossary_has_a_definition() -> None:
    rows = [
        line.strip("|").split("|") for line in (REPOSITORY / "docs/glossary.md").read_text().splitlines() if line.startswith("| ")
    ][1:]
    assert len(rows) > 80
    assert [row for row in rows if len(row) != 3 or not all(cell.strip() for cell in row)] == []
    terms = [row[0].strip().lower() for row in rows]
    assert terms == sorted(set(terms))

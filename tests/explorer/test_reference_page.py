"""The reference page of the explorer table names every column, field and option."""

import re
from pathlib import Path

from tests.explorer.hand_made_table import table_of

from posescope.explorer.person_table import ExplorerOptions
from posescope.explorer.table_metadata import ExplorerAbout

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "explorer-table.md"


def section(heading: str) -> set[str]:
    """Return the words in code spans of the first cells of the table below a heading."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def test_columns() -> None:
    own = {re.sub(r"^attribute_.*", "attribute_<name>", name) for name in table_of(1).schema.names}
    assert own - section("Columns") == set()
    assert section("Columns") - own == {"component_10", "pck_thesis"}


def test_fields_of_the_metadata() -> None:
    assert section("Metadata") == set(ExplorerAbout.model_fields)


def test_options_and_their_defaults() -> None:
    names = {f"reporting.explorer.{name}" for name in ExplorerOptions.model_fields}
    assert section("Options") == names | {"reporting.photographs"}
    text = PAGE.read_text(encoding="utf-8")
    for name, field in ExplorerOptions.model_fields.items():
        assert re.search(rf"\| `reporting\.explorer\.{name}` \| `?{field.default}`? \|", text), name

"""Tests of posescope.core.csv_files: formulas are escaped, numbers are kept, files round-trip."""

from pathlib import Path

import pandas as pd
import pytest

from posescope.core.csv_files import escape_cells, read_csv, unescape_cells, write_csv
from posescope.datasets import CsvTableDataset

NAMES = [
    "=1+1", "+49", "-x", "@SUM(A1)", "\ttab", "\rcr", "'=quoted", "'plain", "''@", "knee", "NA", "nan", "a,b", 'a"b', "a\nb",
    "\uff1d1", '=HYPERLINK("http://evil","x")',
]  # fmt: skip


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame({"joint": NAMES, "=value": [-1.5 * number for number in range(len(NAMES))], "count": range(len(NAMES))})


def test_text_like_a_formula_is_quoted(table: pd.DataFrame) -> None:
    escaped = escape_cells(table)
    expected = ["'=1+1", "'+49", "'-x", "'@SUM(A1)", "'\ttab", "'\rcr", "''=quoted", "'plain", "'''@"]
    assert escaped["joint"].tolist()[:9] == expected
    assert list(escaped) == ["joint", "'=value", "count"]
    assert escaped["'=value"].tolist() == table["=value"].tolist()
    assert table["joint"].tolist() == NAMES  # the input is not changed
    pd.testing.assert_frame_equal(unescape_cells(escaped), table)


def test_round_trip_by_file(table: pd.DataFrame, tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", table)
    assert "\n=" not in (tmp_path / "t.csv").read_text()
    assert "-1.5" in (tmp_path / "t.csv").read_text()
    pd.testing.assert_frame_equal(read_csv(tmp_path / "t.csv"), table)


def test_round_trip_by_the_dataset(table: pd.DataFrame, tmp_path: Path) -> None:
    dataset = CsvTableDataset(filepath=str(tmp_path / "t.csv"), save_args={"index": False})
    dataset.save(table)
    assert "'=1+1" in (tmp_path / "t.csv").read_text()
    pd.testing.assert_frame_equal(dataset.load(), table)


def test_missing_numbers_stay_missing_and_an_empty_table_stays_empty(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", pd.DataFrame({"a": [1.0, None], "b": ["x", "y"]}))
    assert read_csv(tmp_path / "t.csv")["a"].isna().tolist() == [False, True]
    assert escape_cells(pd.DataFrame({"a": []})).empty


def test_all_tables_of_the_catalog_are_escaped() -> None:
    conf = Path(__file__).resolve().parents[2] / "conf"
    assert [path for path in conf.rglob("*.yml") if "pandas.CSVDataset" in path.read_text()] == []

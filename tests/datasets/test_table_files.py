"""Tests of posescope.datasets.table_files."""

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import Version
from kedro_datasets.pandas import ParquetDataset

from posescope.datasets import ParquetTableDataset

TABLE = pd.DataFrame({"a": [1, 2]})


@pytest.mark.parametrize("name", ["runs [2]", "a*b", "what?", "plain"])
def test_versions_are_found_below_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name / "scores.parquet")
    for version in ("v1", "v2"):
        ParquetTableDataset(filepath=path, version=Version(None, version)).save(TABLE * int(version[1]))
    newest = ParquetTableDataset(filepath=path, version=Version(None, None))
    assert newest.exists()
    assert newest.list_versions(full_path=False) == ["v2", "v1"]
    pd.testing.assert_frame_equal(newest.load(), TABLE * 2)
    pd.testing.assert_frame_equal(ParquetTableDataset(filepath=path, version=Version("v1", None)).load(), TABLE)
    # The base class finds the same versions except below a name with brackets.
    assert ParquetDataset(filepath=path, version=Version(None, None)).exists() == (name != "runs [2]")


def test_dataset_without_versions_does_not_exist(tmp_path: Path) -> None:
    dataset = ParquetTableDataset(filepath=str(tmp_path / "scores.parquet"), version=Version(None, None))
    assert not dataset.exists()

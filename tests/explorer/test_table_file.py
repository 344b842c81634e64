"""Tests of the Parquet file of the explorer table: schema, round trip, row groups read alone, damaged files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.explorer.hand_made_table import table_of, thumbnails_of

from posescope.core.errors import DataError
from posescope.explorer.table_file import (
    JOINT_COLUMNS,
    ROWS_PER_GROUP,
    ExplorerStore,
    read_about,
    read_joints,
    read_persons,
    read_thumbnails,
)


def write(folder: Path, count: int, **changes: object) -> Path:
    store = ExplorerStore(folder / "explorer")
    assert not store.is_finished()
    store.write(table_of(count, **changes), thumbnails_of)
    assert store.is_finished()
    return store.path


def test_columns_and_types(tmp_path: Path) -> None:
    schema = pq.read_schema(write(tmp_path, 3))
    kinds = {field.name: str(field.type).replace("element", "item") for field in schema}
    assert kinds == {
        **dict.fromkeys(("person_id", "image_id", "annotation_id"), "int64"),
        **dict.fromkeys(("file_name", "source_split", "split", "role"), "string"),
        **dict.fromkeys(("map_x", "map_y", "component_1", "oks", "error", "radius"), "float"),
        "cluster": "int32",
        "cluster_name": "string",
        "slices": "list<item: string>",
        "attribute_size": "float",
        **dict.fromkeys(("joints_true", "joints_predicted"), "list<item: float>"),
        **dict.fromkeys(("crop_height", "crop_width"), "int32"),
        "thumbnail": "binary",
    }


def test_round_trip(tmp_path: Path) -> None:
    table, path = table_of(3), write(tmp_path, 3)
    found = read_persons(path)
    scalar = [name for name in table.columns if name != "slices"]
    pd.testing.assert_frame_equal(found[scalar], table.columns[scalar], check_dtype=False)
    assert found["cluster"].dtype == "Int32"
    assert [list(own) for own in found["slices"]] == [["slice-1"], [], []]
    np.testing.assert_array_equal(np.stack(found["joints_true"]), table.joints_true.reshape(3, 6))
    np.testing.assert_array_equal(read_joints(path, "joints_true"), table.joints_true.reshape(3, 6))
    assert set(found) - set(read_persons(path, without=JOINT_COLUMNS)) == set(JOINT_COLUMNS)
    assert "thumbnail" not in found
    assert read_about(path) == table.about


def test_missing_values_are_null_for_other_tools(tmp_path: Path) -> None:
    table = pq.read_table(write(tmp_path, 3))
    assert table["error"].to_pylist() == [2.5, None, 2.5]
    assert table["cluster"].to_pylist() == [2, None, None]


def test_truth_values_stay_truth_values(tmp_path: Path) -> None:
    table = table_of(2)
    table.columns["attribute_size"] = [True, False]
    store = ExplorerStore(tmp_path)
    store.write(table, thumbnails_of)
    assert pq.read_schema(store.path).field("attribute_size").type == pa.bool_()
    assert read_persons(store.path)["attribute_size"].tolist() == [True, False]


def test_without_persons(tmp_path: Path) -> None:
    path = write(tmp_path, 0, note="other model")
    assert len(read_persons(path)) == 0
    assert read_joints(path, "joints_predicted").size == 0
    assert read_about(path).note == "other model"


def test_row_groups_are_read_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 2 * ROWS_PER_GROUP + 5
    path = write(tmp_path, count)
    assert [pq.ParquetFile(path).metadata.row_group(group).num_rows for group in range(3)] == [1024, 1024, 5]
    read: list[tuple[int, list[str]]] = []
    original = pq.ParquetFile.read_row_group

    def note(file: pq.ParquetFile, group: int, columns: list[str]) -> pa.Table:
        read.append((group, columns))
        return original(file, group, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", note)
    rows = np.array([count - 1, 3, 3, 1023])
    assert read_thumbnails(path, rows) == thumbnails_of(rows)
    assert read == [(0, ["thumbnail"]), (2, ["thumbnail"])]
    assert read_thumbnails(path, np.array([], dtype=np.int64)) == []


def test_thumbnails_are_made_group_by_group(tmp_path: Path) -> None:
    asked: list[int] = []

    def count(rows: np.ndarray) -> list[bytes]:
        asked.append(len(rows))
        return thumbnails_of(rows)

    ExplorerStore(tmp_path).write(table_of(4 * ROWS_PER_GROUP), count)
    assert asked == [ROWS_PER_GROUP] * 4


def test_older_table_stays_if_writing_fails(tmp_path: Path) -> None:
    path = write(tmp_path, 2)

    def fail(rows: np.ndarray) -> list[bytes]:
        raise DataError("a crop is damaged")

    with pytest.raises(DataError, match="damaged"):
        ExplorerStore(path.parent).write(table_of(3), fail)
    assert len(read_persons(path)) == 2
    assert [file.name for file in path.parent.iterdir()] == ["persons.parquet"]


def test_missing_file(tmp_path: Path) -> None:
    for read in (read_about, read_persons, lambda path: read_thumbnails(path, np.array([0]))):
        with pytest.raises(DataError, match="reporting"):
            read(tmp_path / "persons.parquet")


def test_damaged_file(tmp_path: Path) -> None:
    path = write(tmp_path, 3)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="Parquet"):
        read_persons(path)


@pytest.mark.parametrize("column", ["person_id", "joints_true", "thumbnail"])
def test_changed_byte(tmp_path: Path, column: str) -> None:
    path = write(tmp_path, 20)
    group = pq.ParquetFile(path).metadata.row_group(0)
    (chunk,) = [
        group.column(place) for place in range(group.num_columns) if group.column(place).path_in_schema.split(".")[0] == column
    ]
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size - 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"persons\.parquet"):
        read_thumbnails(path, np.arange(20)) if column == "thumbnail" else read_persons(path)


def test_damaged_joints_are_found_when_they_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, 3)
    table = pq.read_table(path)
    place = table.schema.get_field_index("joints_true")
    ragged = pa.array([[1.0] * 6, [1.0] * 3, [1.0] * 6], pa.list_(pa.float32()))
    pq.write_table(table.set_column(place, "joints_true", ragged), path)
    with pytest.raises(DataError, match="joints_true"):
        read_joints(path, "joints_true")


def test_other_parquet_files(tmp_path: Path) -> None:
    path = tmp_path / "persons.parquet"
    pd.DataFrame({"person_id": [1]}).to_parquet(path)
    with pytest.raises(DataError, match="metadata"):
        read_about(path)
    with pytest.raises(DataError, match="image_id \\(missing\\)"):
        read_persons(path)


def test_column_of_another_type(tmp_path: Path) -> None:
    path = write(tmp_path, 3)
    table = pq.read_table(path)
    place = table.schema.get_field_index("error")
    pq.write_table(table.set_column(place, "error", table["error"].cast(pa.float64())), path)
    with pytest.raises(DataError, match="error \\(double\\)"):
        read_persons(path)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 2}', '{"schema_version": 1}'])
def test_metadata_of_another_form(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, 1)
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"posescope": text.encode()}), path)
    with pytest.raises(DataError, match="metadata"):
        read_about(path)

"""The Parquet file of the explorer table, written and read in row groups of 1,024 persons.

    explorer/persons.parquet    a row per person; thumbnails of some persons are read without the rest of the file
                                key-value metadata `posescope`: JSON (`explorer.table_metadata`)

Each page of the file has a checksum, which is verified when it is read. Thumbnails are JPEG files, stored without compression,
statistics and dictionary.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.files import atomic_write
from posescope.explorer.table_metadata import ExplorerAbout, parse_about

__all__ = [
    "JOINT_COLUMNS", "PERSONS_FILE", "ROWS_PER_GROUP", "THUMBNAIL", "ExplorerStore", "PersonTable", "read_about", "read_joints",
    "read_persons", "read_thumbnails",
]  # fmt: skip

PERSONS_FILE = "persons.parquet"
ROWS_PER_GROUP = 1024
THUMBNAIL, JOINT_COLUMNS = "thumbnail", ("joints_true", "joints_predicted")
REMEDY = "Run the pipeline reporting."

_KEY = b"posescope"
_IDENTITY = {
    "person_id": pa.int64(), "image_id": pa.int64(), "annotation_id": pa.int64(), "file_name": pa.string(),
    "source_split": pa.string(), "split": pa.string(), "role": pa.string(), "map_x": pa.float32(), "map_y": pa.float32(),
}  # fmt: skip
_MEASURED = {
    "error": pa.float32(), "radius": pa.float32(), "cluster": pa.int32(), "cluster_name": pa.string(),
    "slices": pa.list_(pa.string()),
}  # fmt: skip
_DRAWN = {
    **dict.fromkeys(JOINT_COLUMNS, pa.list_(pa.float32())), "crop_height": pa.int32(), "crop_width": pa.int32(),
    THUMBNAIL: pa.binary(),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class PersonTable:
    """N persons, without their thumbnails.

    Attributes:
        columns: N rows, all columns but `joints_true`, `joints_predicted` and `thumbnail` (`ExplorerPersons`).
        joints_true: (N, K, 3) float32, x and y in crop px (NaN where unlabelled) and visibility 0..2, joints in the order of
            the model.
        joints_predicted: (N, K, 3) float32, x and y in crop px and score, in the same order.
        about: metadata.
    """

    columns: pd.DataFrame
    joints_true: NDArray[np.float32]
    joints_predicted: NDArray[np.float32]
    about: ExplorerAbout

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def schema(self) -> pa.Schema:
        """Columns and types of the file, with the metadata."""
        components = {f"component_{one.number}": pa.float32() for one in self.about.components}
        scores = dict.fromkeys(self.about.scores, pa.float32())
        attributes = {name: _type_of(self.columns[name]) for name in map(_attribute, self.about.attributes)}
        fields = {**_IDENTITY, **components, **scores, **_MEASURED, **attributes, **_DRAWN}
        return pa.schema(list(fields.items()), metadata={_KEY: self.about.model_dump_json().encode()})


@dataclass(frozen=True)
class ExplorerStore:
    """Owns the folder `root` of the explorer table."""

    root: Path

    @property
    def path(self) -> Path:
        """Path of the table."""
        return self.root / PERSONS_FILE

    def is_finished(self) -> bool:
        """Return whether the table is written."""
        return self.path.is_file()

    def write(self, table: PersonTable, thumbnails: Callable[[NDArray[np.int64]], Sequence[bytes]]) -> None:
        """Write the table, one row group after the other; an older file is replaced at the end.

        Args:
            table: N persons.
            thumbnails: returns the JPEG files of the persons at (n,) rows of the table.
        """
        schema = table.schema
        plain = [field.name for field in schema if field.name != THUMBNAIL]
        settings: dict[str, Any] = {
            "write_page_checksum": True,
            "compression": {**dict.fromkeys(plain, "zstd"), THUMBNAIL: "none"},
            "use_dictionary": [field.name for field in schema if field.type == pa.string()],
            "write_statistics": [
                field.name for field in schema if not pa.types.is_nested(field.type) and field.name != THUMBNAIL
            ],
        }
        with atomic_write(self.path) as temporary, pq.ParquetWriter(temporary, schema, **settings) as writer:
            for rows in _row_groups(len(table)):
                writer.write_table(_arrow_table(table, rows, thumbnails(rows), schema), row_group_size=ROWS_PER_GROUP)


def read_about(path: Path) -> ExplorerAbout:
    """Return the metadata of a table.

    Raises:
        DataError: if the file is missing, or not an explorer table.
    """
    found = (_open(path).schema_arrow.metadata or {}).get(_KEY)
    if found is None:
        raise DataError(
            f"{path}: expected an explorer table with the metadata '{_KEY.decode()}', found a Parquet file without. {REMEDY}"
        )
    return parse_about(found, str(path))


def read_persons(path: Path, without: Collection[str] = ()) -> pd.DataFrame:
    """Return all columns but the thumbnails, a row per person.

    `slices` and the columns of joints hold NumPy arrays; `cluster` is a nullable integer (`Int32`).

    Args:
        path: the table.
        without: columns that are not read, such as those of joints, which take most of the time.

    Raises:
        DataError: if the file is missing or damaged, or a column is missing or of another type.
    """
    file = _open(path)
    _check_columns(path, file.schema_arrow)
    wanted = [name for name in file.schema_arrow.names if name != THUMBNAIL and name not in without]
    try:
        persons: pd.DataFrame = file.read(columns=wanted).to_pandas()
        return persons.assign(cluster=persons["cluster"].astype("Int32"))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the table cannot be read ({error}). {REMEDY}") from error


def read_joints(path: Path, column: str) -> NDArray[np.float32]:
    """Return the values of a column of joints, (N, 3K).

    Args:
        path: the table.
        column: one of `JOINT_COLUMNS`.

    Raises:
        DataError: if the file cannot be read, or the persons have different numbers of joints.
    """
    file = _open(path)
    try:
        lists = file.read(columns=[column]).column(0).combine_chunks()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the column {column} cannot be read ({error}). {REMEDY}") from error
    lengths, values = np.unique(np.diff(lists.offsets.to_numpy())), lists.flatten().to_numpy(zero_copy_only=False)
    if len(lengths) > 1:
        raise DataError(f"{path}: {column}: expected the same number of joints for all persons, found several. {REMEDY}")
    return np.asarray(values, dtype=np.float32).reshape(len(lists), -1 if len(lists) else 0)


def read_thumbnails(path: Path, rows: NDArray[np.int64]) -> list[bytes]:
    """Return the thumbnails of some persons; only the row groups of these persons are read, and no other column.

    Args:
        path: the table.
        rows: (n,) rows of the table, in any order.

    Returns:
        n JPEG files, in the order of `rows`.

    Raises:
        DataError: if the file cannot be read.
    """
    file = _open(path)
    found: dict[int, bytes] = {}
    starts = np.cumsum([0, *(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))])
    groups = np.searchsorted(starts, rows, side="right") - 1
    try:
        for group in np.unique(groups).tolist():
            column = file.read_row_group(group, columns=[THUMBNAIL]).column(0)
            found |= {row: column[row - int(starts[group])].as_py() for row in rows[groups == group].tolist()}
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: the thumbnails cannot be read ({error}). {REMEDY}") from error
    return [found[row] for row in rows.tolist()]


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected the explorer table, found no file. {REMEDY}") from error
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: not a Parquet file that can be read ({error}). {REMEDY}") from error


def _check_columns(path: Path, found: pa.Schema) -> None:
    expected = {**_IDENTITY, **_MEASURED, **_DRAWN}
    wrong = [name for name, kind in expected.items() if name not in found.names or found.field(name).type != kind]
    if wrong:
        listed = ", ".join(f"{name} ({found.field(name).type if name in found.names else 'missing'})" for name in wrong)
        raise DataError(f"{path}: expected the columns of the explorer table, found other ones: {listed}. {REMEDY}")


def _row_groups(count: int) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each group; one empty group without persons, so that the file has all columns."""
    for start in range(0, max(count, 1), ROWS_PER_GROUP):
        yield np.arange(start, min(start + ROWS_PER_GROUP, count))


def _arrow_table(table: PersonTable, rows: NDArray[np.int64], thumbnails: Sequence[bytes], schema: pa.Schema) -> pa.Table:
    own = table.columns.iloc[rows]
    built = {
        "joints_true": _lists(table.joints_true[rows]),
        "joints_predicted": _lists(table.joints_predicted[rows]),
        THUMBNAIL: pa.array(thumbnails, pa.binary()),
    }
    # NaN becomes null, which every reader leaves out of a mean; pandas reads it as NaN again.
    arrays = [
        built[field.name] if field.name in built else pa.array(own[field.name], field.type, from_pandas=True) for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _lists(joints: NDArray[np.float32]) -> pa.Array:
    count, width = len(joints), joints.shape[1] * joints.shape[2]
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * width)
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(joints, dtype=np.float32).ravel()))


def _attribute(name: str) -> str:
    return f"attribute_{name}"


def _type_of(values: "pd.Series[Any]") -> pa.DataType:
    return pa.bool_() if pd.api.types.is_bool_dtype(values) else pa.float32()

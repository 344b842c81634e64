"""Tests of posescope.core.tables: schemas, and conversion between tables and arrays."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from pandera.errors import SchemaError, SchemaErrors

from posescope.core.errors import DataError
from posescope.core.joint_matching import joint_names_of, name_joints
from posescope.core.tables import (
    CropBoxes,
    History,
    Keypoints,
    ids_of,
    join_joints,
    joints_of,
    matrices_of,
    table_of,
)

JOINTS = np.array([[[1, 2], [np.nan, np.nan]], [[3, 4], [5, 6]]])
VISIBILITY = np.array([[2, 0], [1, 2]], np.uint8)


def keypoints():
    return join_joints(np.array([7, 3]), JOINTS, VISIBILITY, "visibility")


def test_join_joints_by_hand():
    table = Keypoints.validate(keypoints())
    assert table["person_id"].tolist() == [7, 7, 3, 3]
    assert table["joint"].tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(table["x"], [1, np.nan, 3, 5])
    np.testing.assert_array_equal(table["y"], [2, np.nan, 4, 6])
    assert table["visibility"].tolist() == [2, 0, 1, 2]
    assert table.dtypes.astype(str).tolist() == ["int64", "uint8", "float32", "float32", "uint8"]


def test_joints_of_returns_the_requested_order():
    # The rows are in reversed order.
    values = joints_of(keypoints().iloc[::-1], np.array([3, 7, 3]))
    np.testing.assert_array_equal(values[..., :2], JOINTS[[1, 0, 1]])
    np.testing.assert_array_equal(values[..., 2], VISIBILITY[[1, 0, 1]])


def test_joints_of_reads_scores_too():
    table = join_joints(np.array([1]), JOINTS[1:], np.array([[0.5, 0.25]]), "score")
    assert joints_of(table, np.array([1]))[0, :, 2].tolist() == [0.5, 0.25]


def test_joints_of_no_person():
    assert joints_of(keypoints(), np.empty(0, np.int64)).shape == (0, 2, 3)
    assert joints_of(Keypoints.empty(), np.empty(0, np.int64)).shape == (0, 0, 3)


@pytest.mark.parametrize("unknown_id", [1, 5, 9])
def test_joints_of_an_unknown_person_are_an_error(unknown_id):
    with pytest.raises(DataError, match=f"Person {unknown_id} is not in the table of joints"):
        joints_of(keypoints(), np.array([3, unknown_id]))


def test_ids_of_a_split_ascend():
    persons = pd.DataFrame({"person_id": [9, 1, 4], "split": ["val", "train", "val"]})
    assert ids_of(persons, "val").tolist() == [4, 9]
    assert ids_of(persons, "test").tolist() == []


def test_matrices_are_row_by_row():
    boxes = pd.DataFrame([[1.0, 2, 3, 4, 5, 6]], columns=list("abcdef"))
    np.testing.assert_array_equal(matrices_of(boxes), [[[1, 2, 3], [4, 5, 6]]])
    assert matrices_of(CropBoxes.empty()).shape == (0, 2, 3)


@dataclass(frozen=True)
class Epoch:
    epoch: int
    train_loss: float
    val_loss: float
    val_pck_thesis: float
    learning_rate: float
    seconds: float


def test_records_become_rows():
    table = table_of(History, [Epoch(1, 0.5, 0.25, float("nan"), 1e-3, 2)])
    assert table["seconds"].tolist() == [2.0]
    assert table["val_pck_thesis"].isna().all()
    assert len(table_of(History, [])) == 0


@pytest.mark.parametrize(
    ("column", "value"), [("visibility", 3), ("x", "far")], ids=["a visibility of 3", "a coordinate that is a word"]
)
def test_value_out_of_the_schema_is_refused(column, value):
    with pytest.raises((SchemaError, SchemaErrors), match=column):
        Keypoints.validate(keypoints().astype({column: object}).assign(**{column: value}))


def test_unknown_and_missing_columns_are_refused():
    with pytest.raises((SchemaError, SchemaErrors), match="extra"):
        Keypoints.validate(keypoints().assign(extra=1))
    with pytest.raises((SchemaError, SchemaErrors), match="joint"):
        Keypoints.validate(keypoints().drop(columns="joint"))


def test_repeated_person_is_refused():
    boxes = pd.DataFrame({"person_id": [1, 1], "left": 0, "top": 0, "side": 1} | dict.fromkeys("abcdef", 0.0))
    with pytest.raises((SchemaError, SchemaErrors), match="person_id"):
        CropBoxes.validate(boxes)


def test_joint_names_follow_the_numbers_through_a_file(tmp_path):
    table = Keypoints.validate(name_joints(join_joints(np.array([7, 3]), JOINTS, VISIBILITY, "visibility"), ("nose", "tail")))
    assert joint_names_of(table) == ("nose", "tail")
    table.to_parquet(tmp_path / "keypoints.parquet")
    back = pd.read_parquet(tmp_path / "keypoints.parquet")
    assert joint_names_of(back.sample(frac=1, random_state=0)) == ("nose", "tail")
    assert joint_names_of(pd.concat([back, table])) == ("nose", "tail")
    assert joint_names_of(back[:0]) == joint_names_of(back.drop(columns="joint_name")) == ()


def test_joined_tables_of_different_joints_are_refused():
    plain = join_joints(np.array([7, 3]), JOINTS, VISIBILITY, "visibility")
    with pytest.raises(DataError):
        joint_names_of(pd.concat([name_joints(plain, ("nose", "tail")), name_joints(plain, ("tail", "nose"))]))

import numpy as np

from posescope.evaluation.error_analysis.error_types import ERROR_TYPES
from posescope.evaluation.table_schemas import JointErrors, join_error_types


def test_error_types_are_joined_per_person_and_joint() -> None:
    table = JointErrors.validate(join_error_types(np.array([7, 9]), np.array([[0, -1, 4, 5], [1, 2, 3, 0]], dtype=np.int8)))
    assert table["person_id"].tolist() == [7] * 4 + [9] * 4
    assert table["joint"].tolist() == [0, 1, 2, 3] * 2
    assert table["type"].tolist() == ["good", "unlabelled", "miss", "not found", "jitter", "inversion", "swap", "good"]
    assert set(ERROR_TYPES) <= set(table["type"])


def test_without_persons_the_table_is_empty() -> None:
    assert JointErrors.validate(join_error_types(np.empty(0, np.int64), np.empty((0, 3), np.int8))).empty

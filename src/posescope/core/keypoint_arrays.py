"""The columns of a long table of joints as an array with the axes person, joint and column."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError

__all__ = ["values_by_joint"]


def values_by_joint(table: pd.DataFrame, person_ids: NDArray[np.int64], columns: list[str]) -> NDArray[np.float64]:
    """Return columns of a long table by person and joint.

    Args:
        table: One row per person and joint, with the columns person_id and joint; each person has all K joints.
        person_ids: (N,) persons, in the order of the result.
        columns: C names of columns of numbers.

    Returns:
        (N, K, C) float64.

    Raises:
        DataError: if a person is not in the table.
    """
    joint_count = int(table["joint"].max()) + 1 if len(table) else 0
    order = _order_of(table, joint_count)
    owners = table["person_id"].to_numpy()
    known = (owners if order is None else owners[order])[:: max(joint_count, 1)]
    rows = _rows_of(known, person_ids)
    result = np.empty((len(person_ids), joint_count, len(columns)))
    for place, name in enumerate(columns):  # one column at a time: the table as a whole is not copied
        values = table[name].to_numpy()
        by_person = (values if order is None else values[order]).reshape(len(known), joint_count)
        result[..., place] = by_person if rows is None else by_person[rows]
    return result


def _order_of(table: pd.DataFrame, joint_count: int) -> NDArray[np.intp] | None:
    """Return the rows of the table sorted by person and joint; None if they are in this order."""
    persons, joints = table["person_id"].to_numpy(), table["joint"].to_numpy()
    if joint_count and len(table) % joint_count == 0:
        by_person = persons.reshape(-1, joint_count)
        are_joints_sorted = bool((joints.reshape(-1, joint_count) == np.arange(joint_count)).all())
        if are_joints_sorted and bool((by_person == by_person[:, :1]).all()) and bool((np.diff(by_person[:, 0]) >= 0).all()):
            return None
    return np.lexsort((joints, persons))


def _rows_of(known: NDArray[np.int64], person_ids: NDArray[np.int64]) -> NDArray[np.intp] | None:
    """Return the place of each person (N,) in the sorted ids `known`; None if both are equal."""
    if np.array_equal(known, person_ids):
        return None
    rows = np.minimum(np.searchsorted(known, person_ids), len(known) - 1)
    absent = person_ids[known[rows] != person_ids] if len(known) else person_ids
    if len(absent):
        raise DataError(f"Person {absent.min()} is not in the table of joints: the tables belong to different runs.")
    return rows

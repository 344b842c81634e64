"""Captions that state the evaluation setting of a table: persons, split, protocol, boxes, flip test."""

import pandas as pd

from posescope.core.errors import pluralise
from posescope.core.origin import drop_origin
from posescope.evaluation.error_analysis.error_types import ALL_JOINTS

__all__ = ["describe_evaluation_setting", "add_setting_to_caption", "drop_setting_columns"]

_COLUMNS = ("protocol", "split", "box_source", "flip_test")
_PROTOCOLS = {"coco": "protocol coco (all labelled persons)", "crops": "protocol crops (persons with a crop)"}
_BOXES = {"ground_truth": "ground-truth crops", "results": "external results"}


def describe_evaluation_setting(table: pd.DataFrame) -> str:
    """Return the evaluation setting of a table of metric values as one line.

    Args:
        table: columns protocol, split, box_source and flip_test, constant over its rows (flip_test is omitted if it is not).
            Optional: persons and not_found, of which the largest values are stated, except in
            tables with one row per joint and none of all joints, whose largest value is not the number of persons.

    Returns:
        Such as "213 persons of val, 4 of them without prediction; protocol coco (all labelled persons); ground-truth
        crops; with flip test". Empty if the table has no rows or lacks one of these columns.
    """
    if table.empty or not set(_COLUMNS) <= set(table.columns):
        return ""
    row, persons, missed = table.iloc[0], f"split {table['split'].iloc[0]}", 0
    by_joint = "joint" in table and ALL_JOINTS not in set(table["joint"])
    if "persons" in table and not by_joint:
        persons = f"{pluralise(int(table['persons'].max()), 'person')} of {row['split']}"
        missed = int(table["not_found"].max()) if "not_found" in table else 0
    parts = [
        persons + (f", {missed:,} without prediction" if missed else ""),
        _PROTOCOLS[str(row["protocol"])],
        _BOXES[str(row["box_source"])],
    ]
    flipped = {bool(value) for value in table["flip_test"].dropna()}
    if len(flipped) == 1:
        parts.append("with flip test" if flipped.pop() else "without flip test")
    return "; ".join(parts)


def add_setting_to_caption(caption: str, table: pd.DataFrame) -> str:
    """Return a caption followed by the evaluation setting of its table.

    Args:
        caption: text, may be empty.
        table: see `describe_evaluation_setting`.
    """
    setting = describe_evaluation_setting(table)
    return f"{caption} {setting[:1].upper()}{setting[1:]}." if setting else caption


def drop_setting_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table without its origin and without the setting columns that are constant (the caption states them)."""
    constant = [name for name in _COLUMNS if name in table and table[name].nunique(dropna=False) <= 1]
    return drop_origin(table).drop(columns=constant)

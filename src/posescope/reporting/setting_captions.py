"""What figures are to be told with, in words: how many people of which split, who counts, whose boxes, which flip test."""

import pandas as pd

from posescope.core.errors import pluralise
from posescope.core.origin import drop_origin

__all__ = ["describe_evaluation_setting", "add_setting_to_caption", "drop_setting_columns"]

_COLUMNS = ("protocol", "split", "box_source", "flip_test")
_PROTOCOLS = {"coco": "everybody annotated counts (coco)", "crops": "who has a crop counts (crops)"}
_BOXES = {"ground_truth": "annotated boxes", "results": "another system's results"}


def describe_evaluation_setting(table: pd.DataFrame) -> str:
    """One line about a table of figures: "213 persons of val, 4 of them not found; everybody annotated counts (coco); ...".

    Args:
        table: with columns protocol, split, box_source, flip_test, equal in all rows (but for flip_test: of rows of both kinds
            nothing is said of it). If there are columns `persons` and `not_found`, their largest values are told. Of a table
            without these columns, or without rows, nothing is said at all.
    """
    if table.empty or not set(_COLUMNS) <= set(table.columns):
        return ""
    row = table.iloc[0]
    people = f"{pluralise(int(table['persons'].max()), 'person')} of {row['split']}" if "persons" in table else str(row["split"])
    lost = int(table["not_found"].max()) if "not_found" in table else 0
    said = [people + (f", {lost:,} not found" if lost else ""), _PROTOCOLS[str(row["protocol"])], _BOXES[str(row["box_source"])]]
    flipped = {bool(value) for value in table["flip_test"].dropna()}
    if len(flipped) == 1:
        said.append("with flip test" if flipped.pop() else "without flip test")
    return "; ".join(said)


def add_setting_to_caption(caption: str, table: pd.DataFrame) -> str:
    """A caption, and behind it what its table is to be told with."""
    said = describe_evaluation_setting(table)
    return f"{caption} {said[:1].upper()}{said[1:]}." if said else caption


def drop_setting_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table without its origin and without the setting columns that are constant (the caption states them)."""
    told = [name for name in _COLUMNS if name in table and table[name].nunique(dropna=False) <= 1]
    return drop_origin(table).drop(columns=told)

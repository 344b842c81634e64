"""The category of an annotation file: its id, joints and limbs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posescope.core.errors import DataError
from posescope.core.skeleton import Skeleton, skeleton_from_category
from posescope.data.coco.folder import SourceOptions
from posescope.data.coco.record_validation import format_value, is_storable
from posescope.data.coco.repair import parse_int64

__all__ = ["read_category"]

MAX_JOINTS = 255  # the tables number joints as uint8


def read_category(content: Mapping[str, Any], source: SourceOptions, path: Path) -> tuple[dict[str, Any], Skeleton]:
    """Return the category of the persons, with an integer id, and its skeleton.

    Args:
        content: content of the annotation file.
        source: name of the category and OKS sigmas.
        path: the file, for error messages.

    Raises:
        DataError: if the category is missing, or its joints, limbs or id are malformed.
    """
    category = _find_category(content["categories"], source, path)
    return category, _read_skeleton(category, source, path)


def _find_category(categories: list[Any], source: SourceOptions, path: Path) -> dict[str, Any]:
    named = [item for item in categories if isinstance(item, dict) and isinstance(item.get("name"), str)]
    found = [item for item in named if item["name"] == source.category]
    if len(found) != 1:
        names = [item["name"] for item in named]
        raise DataError(
            f"{path}: categories: expected one named '{source.category}' (data_engineering.source.category), found {names}."
        )
    category_id = parse_int64(found[0].get("id"))
    if category_id is None:
        raise DataError(
            f"{path}: categories: '{source.category}': expected an integer id, found {format_value(found[0].get('id'))}."
        )
    return {**found[0], "id": category_id}


def _read_skeleton(category: dict[str, Any], source: SourceOptions, path: Path) -> Skeleton:
    names = category.get("keypoints")
    if not isinstance(names, list) or not names:
        raise DataError(
            f"{path}: categories: '{source.category}': expected a list of joint names in the field 'keypoints', found "
            f"{format_value(names)}. Check that this is a file of keypoints, not of boxes or captions."
        )
    if len(names) > MAX_JOINTS or not all(isinstance(name, str) and name and is_storable(name) for name in names):
        raise DataError(
            f"{path}: categories: keypoints: expected at most {MAX_JOINTS} names as text, found {format_value(names)}."
        )
    try:
        return skeleton_from_category(category, source.oks_sigmas, source=str(path))
    except RecursionError as error:
        raise DataError(f"{path}: categories: '{source.category}': expected names and pairs, found deeper nesting.") from error

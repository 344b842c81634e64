"""Checks of values of unknown origin, and skeletons from names."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.labelling.label_examples import SKELETON, predicted_labels

from posescope.core.errors import DataError, PosescopeError
from posescope.labelling.coco_labels import to_coco
from posescope.labelling.formats import ReadOptions, read_labels, write_labels
from posescope.labelling.label_set import (
    LabelError,
    check_finite,
    check_id,
    check_image_name,
    check_score,
    round_px,
    skeleton_of_names,
)

NAN = float("nan")


def test_values_are_returned() -> None:
    assert (check_id(7, "here"), check_id(None, "here")) == (7, None)
    assert (check_score(1, "here"), check_score(None, "here")) == (1.0, None)
    assert (round_px("2.00004", "here"), round_px(3.0, "here")) == (2, 3)
    assert check_image_name("a\\b c.png", "here") == "a/b c.png"
    assert skeleton_of_names(["nose", "tail"], [(0, 1)], "here").limbs == ((0, 1),)
    check_finite({"area": [1.5, None, "a"]}, "here")


@pytest.mark.parametrize("value", ["7", 7.0, True, 2**63, [], {}])
def test_ids_are_whole_numbers(value: Any) -> None:
    with pytest.raises(LabelError):
        check_id(value, "here")


@pytest.mark.parametrize("value", ["a", "", NAN, float("inf"), 1e9, None, [], True, 10**400])
def test_coordinates_are_finite_numbers(value: Any) -> None:
    with pytest.raises(LabelError):
        round_px(value, "here")
    if value is not None:
        with pytest.raises(LabelError):
            check_score(value, "here")


@pytest.mark.parametrize("name", ["", None, 7, "../a", "a/../../b", "/a", "C:\\a", "a\0", "\ud800"])
def test_names_stay_inside_the_folder(name: Any) -> None:
    with pytest.raises(LabelError):
        check_image_name(name, "here")


def test_fields_and_skeletons_are_checked() -> None:
    with pytest.raises(LabelError):
        check_finite({"area": [NAN]}, "here")
    with pytest.raises(DataError):
        skeleton_of_names(["a", "a"], (), "here")
    labels = predicted_labels()
    with pytest.raises(LabelError):
        to_coco(labels.with_images([*labels.images, *labels.images]))


def places_of(content: Any) -> list[tuple[Any, Any]]:
    """Return container and key of all values of JSON content."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [place for key, value in pairs for place in ((content, key), *places_of(value))]


@pytest.mark.parametrize(
    ("name", "file"), [("coco", "annotations.json"), ("label_studio", "tasks.json"), ("fiftyone", "samples.json")]
)
def test_no_wrong_value_ends_in_another_error(name: str, file: str, tmp_path: Path) -> None:
    """Every value of a file is replaced by a wrong one, one after the other: the file is read, or refused in one line."""
    write_labels(predicted_labels(), name, tmp_path)
    original = json.loads((tmp_path / file).read_text())
    read, messages = 0, list[str]()
    for number in range(len(places_of(original))):
        for wrong in ([7], {"a": NAN}):
            changed = json.loads(json.dumps(original))
            container, key = places_of(changed)[number]
            container[key] = wrong
            (tmp_path / file).write_text(json.dumps(changed))
            try:
                to_coco(read_labels(tmp_path, name, ReadOptions(skeleton=SKELETON)))
                read += 1
            except PosescopeError as error:
                messages.append(str(error))
    assert read > 0
    assert not any("\n" in message for message in messages)

"""Tests of posescope.data.coco.record_columns: columns of records, and the same results as one record at a time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posescope.data.coco import annotation_validation
from posescope.data.coco.annotation_validation import AnnotationValidator
from posescope.data.coco.record_columns import RecordColumns, read_columns

PERSON = {"id": 5, "image_id": 1, "category_id": 7, "bbox": [1, 2, 30, 40.5], "keypoints": [3, 4, 2, 0, 0, 0], "area": 600.0}


def test_regular_records_have_their_values():
    found = read_columns([PERSON, {**PERSON, "id": 6, "keypoints": None, "iscrowd": 1, "num_keypoints": 0}], 2, 7)
    assert found.is_regular.tolist() == [True, True]
    assert found.annotation_ids.tolist() == [5, 6]
    assert found.boxes.tolist() == [[1, 2, 30, 40.5]] * 2
    assert found.points.tolist() == [[[3, 4], [0, 0]], [[0, 0], [0, 0]]]
    assert found.visibility.tolist() == [[2, 0], [0, 0]]
    assert (found.areas.tolist(), found.is_crowd.tolist()) == ([600, 600], [False, True])


def test_no_records_have_empty_columns():
    found = read_columns([], 3, 7)
    assert (found.points.shape, found.boxes.shape, found.is_regular.shape) == ((0, 3, 2), (0, 4), (0,))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "5"}, {"id": 2**63}, {"id": True}, {"id": None}, {"image_id": 1.0}, {"category_id": None}, {"category_id": 7.0},
        {"bbox": [1, 2, 3]}, {"bbox": [1, 2, 0, 4]}, {"bbox": [1, 2, math.nan, 4]}, {"bbox": [1, 2, 10**400, 4]}, {"bbox": None},
        {"keypoints": [3, 4, 2]}, {"keypoints": [3, 4, 3, 0, 0, 0]}, {"keypoints": ["3", 4, 2, 0, 0, 0]}, {"keypoints": 0},
        {"keypoints": [3, 4, True, 0, 0, 0]}, {"iscrowd": 2}, {"iscrowd": None}, {"area": 0}, {"area": 2**60}, {"area": None},
        {"area": math.nan}, {"num_keypoints": 2}, {"num_keypoints": 1.0},
    ],
)  # fmt: skip
def test_other_records_are_not_regular_and_leave_the_others_so(change):
    found = read_columns([PERSON, {**PERSON, **change}, PERSON, "text", [], None], 2, 7)
    assert found.is_regular.tolist() == [True, False, True, False, False, False]
    assert not found.is_other.any()


def test_records_of_other_categories_and_without_category():
    found = read_columns(
        [{**PERSON, "category_id": 3}, {name: value for name, value in PERSON.items() if name != "category_id"}], 2, 7
    )
    assert (found.is_other.tolist(), found.is_uncategorised.tolist()) == ([True, False], [False, True])
    assert found.is_regular.tolist() == [False, True]
    assert read_columns([{**PERSON, "category_id": 3}], 2, None).is_regular.tolist() == [True]


values = st.sampled_from(
    [0, 1, 2, 1.0, "1", None, True, math.nan, math.inf, 10**400, 2**60, [], {}, [1, 2, 3, 4], [2, 2, 2, 1, 1, 1]]
)
records = st.fixed_dictionaries(
    {
        "id": st.integers(1, 5),
        "image_id": st.integers(1, 3),
        "bbox": st.just([1, 2, 30, 40]),
        "keypoints": st.sampled_from([[3, 4, 2, 5, 6, 1], [3, 4, 2, 0, 0, 0], [], None]),
    },
    optional={"category_id": st.sampled_from([7, 3, 7]), "area": st.floats(0, 1500), "iscrowd": st.sampled_from([0, 1])},
)
damaged = st.builds(
    lambda record, field, value: {**record, field: value},
    records,
    st.sampled_from(["id", "image_id", "bbox", "keypoints", "category_id", "area", "iscrowd", "num_keypoints"]),
    values,
)


def validate(annotations, piece):
    validator = AnnotationValidator(np.array([1, 2]), 2, 7)
    for first in range(0, len(annotations), piece):
        validator.add(annotations[first : first + piece])
    return validator.finish()


def one_by_one(annotations, *arguments) -> RecordColumns:
    """Return columns without any regular record."""
    found = read_columns(annotations, *arguments)
    found.is_regular[...] = False
    found.is_other[...] = False
    return found


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(records, records, damaged, values), max_size=12), st.integers(1, 12))
def test_columns_give_the_results_of_one_record_at_a_time(annotations, piece):
    found = validate(annotations, piece)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotation_validation, "read_columns", one_by_one)
        expected = validate(annotations, max(len(annotations), 1))
    assert repr((found.issues, found.repaired, found.records)) == repr((expected.issues, expected.repaired, expected.records))
    assert (found.other_count, found.uncategorised) == (expected.other_count, expected.uncategorised)
    for name in ("annotation_ids", "image_ids", "boxes", "areas", "points", "visibility", "is_crowd"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert getattr(found, name).dtype == getattr(expected, name).dtype

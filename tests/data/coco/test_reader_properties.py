"""Property tests: every record is read unchanged, repaired or rejected, and does not affect the others."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posescope.core.errors import DataError
from posescope.core.tables import Issues, Keypoints, Persons, joints_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import Annotations, read_annotations
from posescope.data.coco.repair import parse_int64

SOURCE = SourceOptions(images=None)
IMAGES = [{"id": i, "file_name": f"{i}.png", "height": 60, "width": 80} for i in (1, 2)]
CATEGORIES = [{"id": 7, "name": "person", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}, {"id": 3, "name": "dog"}]
OF_IMAGES = ("image ", "file_name ")

# Reading takes milliseconds, but the machine may be busy, so that there is no deadline.
BUSY = settings(deadline=None, max_examples=40)

numbers = st.one_of(
    st.integers(-5, 90), st.floats(-5, 90), st.just(math.nan), st.just(math.inf), st.just(10**400), st.booleans(), st.none()
)
scalars = st.one_of(
    numbers, st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["1", "a b.png", "größe.png", "../x"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)

sides = st.floats(0.5, 60, width=32)
positions = st.integers(0, 79)
joints = st.tuples(st.floats(0, 79, width=32), st.integers(0, 59), st.sampled_from([0, 1, 2])).map(list)
valid_persons = st.fixed_dictionaries(
    {
        "id": st.integers(1, 6),
        "image_id": st.integers(1, 3),
        "bbox": st.tuples(positions, positions, sides, sides).map(list),
        "keypoints": st.one_of(st.tuples(joints, joints).map(lambda pair: [*pair[0], *pair[1]]), st.none(), st.just([])),
    },
    optional={"category_id": st.sampled_from([7, 7, 3]), "area": st.floats(0, 99), "iscrowd": st.sampled_from([0, 1])},
)
FIELDS = ("id", "image_id", "bbox", "keypoints", "category_id", "area", "iscrowd")


@st.composite
def malformed_persons(draw: st.DrawFn) -> dict[str, object]:
    """Draw a record with arbitrary values in one or two fields."""
    record = dict(draw(valid_persons))
    for field in draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=2)):
        record[field] = draw(values)
    return record


persons = st.lists(st.one_of(valid_persons, malformed_persons(), values), max_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    (root / "annotations").mkdir()
    return CocoFolder(root)


def read(folder, annotations, images=IMAGES, categories=CATEGORIES, val=()) -> Annotations:
    for split, records in (("train2017", annotations), ("val2017", val)):
        content = {"images": images, "annotations": list(records), "categories": categories}
        (folder.root / "annotations" / f"person_keypoints_{split}.json").write_text(json.dumps(content))
    return read_annotations(folder, SOURCE)


@contextmanager
def suppress_refusal() -> Iterator[list[str]]:
    """Catch a `DataError` and store its message."""
    refusal: list[str] = []
    try:
        yield refusal
    except DataError as error:
        refusal.append(str(error))


def of_another_category(record) -> bool:
    found = parse_int64(record.get("category_id", 7)) if isinstance(record, dict) else 7
    return found is not None and found != 7


@BUSY
@given(annotations=persons)
def test_every_record_is_read_or_rejected(folder, annotations):
    found = read(folder, annotations)
    issues = found.issues[found.issues["source_split"] == "train2017"]
    rejected = ~issues["reason"].str.startswith(OF_IMAGES) & (issues["outcome"] == "rejected")
    assert len(found.persons) + rejected.sum() == sum(not of_another_category(record) for record in annotations)
    assert (issues["reason"] != "").all()


@BUSY
@given(annotations=persons, val=persons)
def test_tables_are_complete_and_valid(folder, annotations, val):
    found = read(folder, annotations, val=val)
    Issues.validate(found.issues)
    assert Persons.validate(found.persons)["person_id"].tolist() == list(range(len(found.persons)))
    assert (~found.persons.duplicated(["source_split", "annotation_id"])).all()
    assert found.persons["image_id"].isin([1, 2]).all()
    boxes = found.persons[["bbox_x", "bbox_y", "bbox_w", "bbox_h", "area"]].to_numpy()
    assert np.isfinite(boxes).all()
    assert (boxes[:, 2:4] > 0).all()
    labelled = Keypoints.validate(found.keypoints)["visibility"] > 0
    assert len(labelled) == 2 * len(found.persons)
    assert found.keypoints.loc[labelled, ["x", "y"]].notna().all(axis=None)
    assert found.keypoints.loc[~labelled, ["x", "y"]].isna().all(axis=None)


@BUSY
@given(valid=st.lists(valid_persons, max_size=4, unique_by=lambda record: record["id"]), malformed=st.lists(values, max_size=4))
def test_valid_records_are_unaffected_by_malformed_ones(folder, valid, malformed):
    found = read(folder, [*malformed, *valid, *malformed])
    expected = [record for record in valid if not of_another_category(record) and record["image_id"] in (1, 2)]
    assert found.persons["annotation_id"].tolist() == [record["id"] for record in expected]
    pd.testing.assert_frame_equal(found.persons, read(folder, valid).persons)
    joints = joints_of(found.keypoints, np.arange(len(expected)))
    for record, person, numbers in zip(expected, found.persons.itertuples(), joints, strict=True):
        x, y, w, h = record["bbox"]
        assert (person.bbox_x, person.bbox_y, person.bbox_w, person.bbox_h) == (x - 0.5, y - 0.5, w, h)
        labelled = sum(v > 0 for v in (record["keypoints"] or [])[2::3])
        area, least = record.get("area", 0), max(0.01 * w * h, min(labelled, 0.1 * w * h)) if labelled else 0
        plausible = 0 < area <= 1.05 * w * h and (area >= least or record.get("iscrowd"))
        assert person.area == np.float32(area if plausible else 0.53 * w * h)
        stated = np.array(record["keypoints"] or [0] * 6, float).reshape(2, 3)
        stated[stated[:, 2] == 0, :2] = np.nan
        np.testing.assert_array_equal(numbers, stated)


malformed_images = st.builds(lambda key, value: {**IMAGES[0], key: value}, st.sampled_from(sorted(IMAGES[0])), values)


@BUSY
@given(images=st.lists(st.one_of(st.sampled_from(IMAGES), malformed_images, values), max_size=5))
def test_every_image_is_read_or_rejected(folder, images):
    annotations = [{"id": i, "image_id": i, "bbox": [1, 2, 3, 4]} for i in (1, 2)]
    found = read(folder, annotations, images=images)
    issues = found.issues[(found.issues["source_split"] == "train2017") & (found.issues["outcome"] == "rejected")]
    reasons = issues["reason"]
    image_ids = set(found.persons["image_id"])
    # An image without persons is an issue too.
    assert len(image_ids) + reasons.str.startswith(OF_IMAGES).sum() == len(images)
    assert (reasons == "its image is missing in the file or was rejected").sum() == 2 - len(image_ids)


@BUSY
@given(
    categories=st.one_of(
        values,
        st.lists(st.one_of(st.sampled_from(CATEGORIES), values), max_size=3),
        st.builds(lambda key, value: [{**CATEGORIES[0], key: value}], st.sampled_from(sorted(CATEGORIES[0])), values),
    )
)
def test_category_is_read_or_refused(folder, categories):
    annotations = [{"id": 1, "image_id": 1, "bbox": [1, 2, 3, 4]}]
    with suppress_refusal() as refusal:
        found = read(folder, annotations, categories=categories)
    if refusal:
        assert "categories" in refusal[0]
    else:
        assert len(found.keypoints) == len(found.skeleton) > 0

"""Tests of posescope.data.coco.failure_limits: fractions of failures that stop a run."""

import pandas as pd
import pytest
from pydantic import ValidationError

from posescope.core.errors import DataError
from posescope.data.coco.failure_limits import FailureLimits, check_failures
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations


def issues(*reasons):
    rows = [("train", 1, number, "a.jpg", "read", reason, f"record {number}") for number, reason in enumerate(reasons)]
    return pd.DataFrame(rows, columns=["source_split", "image_id", "annotation_id", "file_name", "step", "reason", "detail"])


def test_failures_up_to_the_limit_are_accepted():
    check_failures(issues("malformed"), 100, FailureLimits(), step="read")
    with pytest.raises(DataError, match="1 of 99"):
        check_failures(issues("malformed"), 99, FailureLimits(), step="read")


def test_zero_of_zero_records_is_no_failure():
    check_failures(issues(), 0, FailureLimits(max_fraction=0), step="read")


def test_summary_lists_the_most_frequent_reasons_first():
    with pytest.raises(DataError) as caught:
        check_failures(issues("rare", "often", "often"), 10, FailureLimits(), step="crop")
    _, *lines = str(caught.value).splitlines()
    assert lines == ["  2 x often; the first: record 1", "  1 x rare; the first: record 0"]


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_fraction_outside_0_to_1_is_refused(fraction):
    with pytest.raises(ValidationError):
        FailureLimits(max_fraction=fraction)


def test_reading_stops_if_too_many_records_are_malformed(tiny_coco):
    tiny_coco.change("train2017", lambda content: content["annotations"][0].update(bbox=[1, 2, 3]))
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    assert len(read_annotations(folder, source).issues) == 1
    assert len(read_annotations(folder, source, FailureLimits(max_fraction=1 / 7)).issues) == 1
    with pytest.raises(DataError, match="1 of 7"):
        read_annotations(folder, source, FailureLimits())


def test_images_without_persons_are_not_failures(tiny_coco):
    tiny_coco.change("train2017", lambda content: content.update(annotations=content["annotations"][:1]))
    found = read_annotations(CocoFolder(tiny_coco.root), SourceOptions(), FailureLimits(max_fraction=0))
    assert found.issues["reason"].tolist() == ["image without persons"] * 2

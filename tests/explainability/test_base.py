from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.findings import make_finding

from posescope.explainability.base import AnalysisResult
from posescope.explainability.errors import ExplainabilityError


def test_persons_that_do_not_belong_together_are_refused(inputs_of, shifting_crops) -> None:
    judged = inputs_of(shifting_crops).judged
    backwards = np.arange(41)[::-1].copy()
    with pytest.raises(ExplainabilityError, match="order"):
        replace(judged, crops=shifting_crops.subset(backwards))
    with pytest.raises(ExplainabilityError, match="predictions"):
        replace(judged, predictions=judged.subset(backwards).predictions)
    with pytest.raises(ExplainabilityError, match="PCK"):
        replace(judged, per_person_pck=np.ones(3))
    with pytest.raises(ExplainabilityError, match="attributes"):
        replace(judged, attributes=pd.DataFrame({"standing": [0.1, 0.2]}))


def test_joints_found_are_counted_among_the_labelled_ones(inputs_of, shifting_crops) -> None:
    judged = inputs_of(shifting_crops).judged
    visibility = judged.crops.targets.visibility.copy()
    labelled = visibility.shape[1]
    visibility[0], visibility[1] = 2, [1] + [0] * (labelled - 1)
    crops = replace(judged.crops, targets=replace(judged.crops.targets, visibility=visibility))
    pck = np.array([1 / labelled, 1.0, np.nan, *judged.per_person_pck[3:]])
    persons = replace(judged, crops=crops, per_person_pck=pck)
    assert [persons.found_joints(row) for row in range(3)] == [f"1 of {labelled} joints", "1 of 1 joint", ""]


def test_inputs_that_do_not_belong_together_are_refused(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops)
    with pytest.raises(ExplainabilityError, match="layer"):
        replace(inputs, components=replace(inputs.components, layer="attic"))
    with pytest.raises(ExplainabilityError, match="of-before"):
        replace(inputs, components=replace(inputs.components, features_fingerprint="of-before"))
    with pytest.raises(ExplainabilityError, match="images"):
        replace(inputs, fitted=replace(inputs.fitted, groups=inputs.judged.groups))


def test_features_of_another_model_are_refused_and_unmarked_ones_warned_of(inputs_of, shifting_crops, caplog) -> None:
    inputs = inputs_of(shifting_crops)
    assert caplog.records == []
    with pytest.raises(ExplainabilityError, match="bbbb"):
        replace(inputs, judged=replace(inputs.judged, features=replace(inputs.judged.features, model="b" * 16)))
    replace(inputs, judged=replace(inputs.judged, features=replace(inputs.judged.features, model="")))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert inputs.judged.features.layer in record.getMessage()


def test_finding_that_names_a_missing_image_is_refused() -> None:
    with pytest.raises(ExplainabilityError, match="grid"):
        AnalysisResult(facts={}, findings=(make_finding(picture="grid"),))


def test_findings_with_the_same_id_and_captions_of_nothing_are_refused() -> None:
    with pytest.raises(ExplainabilityError, match="group-2-fails"):
        AnalysisResult(facts={}, findings=(make_finding(), make_finding()))
    with pytest.raises(ExplainabilityError, match="grid"):
        AnalysisResult(facts={}, captions={"grid": "Persons."})
    assert AnalysisResult(facts={}, tables={"grid": pd.DataFrame()}, captions={"grid": "Persons."}).captions


def test_shown_crops_hide_persons_and_the_network_sees_them(inputs_of, shifting_crops) -> None:
    judged, rows = inputs_of(shifting_crops).judged, np.array([3, 1])
    pixels = judged.crops.read_images(rows)
    np.testing.assert_array_equal(judged.shown_crops(rows, "full"), pixels)
    assert np.unique(judged.shown_crops(rows, "none")).size == 1
    assert judged.shown_crops(rows, "blurred").std() < pixels.std()
    np.testing.assert_array_equal(judged.crops.read_images(rows), pixels)

from dataclasses import replace

import numpy as np
import pytest

from posescope.core.records import PosePredictions
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.label_errors.label_error_analysis import LabelErrors, LabelErrorsOptions


@pytest.fixture
def inputs(inputs_of, scattered_crops) -> AnalysisInputs:
    """The network predicts the labelled joints of all persons but the first judged one, whose two dots are exchanged."""
    targets = scattered_crops.targets
    found = PosePredictions(targets.person_ids, targets.joints, np.full(targets.visibility.shape, 1.7, np.float32))
    inputs = inputs_of(scattered_crops, predictions=found, split="val")
    joints = targets.joints.copy()
    joints[0] = joints[0, ::-1]
    crops = replace(scattered_crops, targets=replace(targets, joints=joints))
    return replace(inputs, judged=replace(inputs.judged, crops=crops), fitted=replace(inputs.fitted, split="train"))


def run(inputs: AnalysisInputs, **options):
    return LabelErrors(LabelErrorsOptions(**{"resamples": 100, "repetitions": 1, **options}))(inputs)


def test_planted_error_is_first(inputs) -> None:
    found = run(inputs, listed=0.1, shown=3)
    table = found.tables["label_errors"]
    assert len(table) == 12
    assert (table.loc[0, "person_id"], table.loc[0, "split"], table.loc[0, "rank"]) == (100, "val", 1)
    assert found.facts["persons"] == 120
    assert found.facts["highest_score"] == pytest.approx(table.loc[0, "score"])
    assert set(found.captions) == {"doubtful_annotations", "label_errors"}
    (finding,) = found.findings
    assert finding.picture == "doubtful_annotations"
    assert found.facts["planted_errors"] == 3


def test_too_few_persons_are_not_ranked(inputs) -> None:
    few = np.arange(10)
    found = run(replace(inputs, fitted=inputs.fitted.subset(few), judged=inputs.judged.subset(few)))
    assert found.is_empty
    assert "30" in found.note

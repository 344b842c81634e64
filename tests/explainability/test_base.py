from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.core.plugins import ComponentSpec
from posescope.explainability.base import AnalysisResult
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.findings import Control, Finding
from posescope.explainability.study import run_analysis


def test_inputs_that_do_not_belong_together_are_refused(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops)
    with pytest.raises(ExplainabilityError, match="order"):
        replace(inputs, crops=shifting_crops.subset(np.arange(41)[::-1].copy()))
    with pytest.raises(ExplainabilityError, match="layer"):
        replace(inputs, components=replace(inputs.components, layer="attic"))
    with pytest.raises(ExplainabilityError, match="of-before"):
        replace(inputs, components=replace(inputs.components, features_fingerprint="of-before"))
    with pytest.raises(ExplainabilityError, match="PCK"):
        replace(inputs, per_person_pck=np.ones(3))
    with pytest.raises(ExplainabilityError, match="attributes"):
        replace(inputs, attributes=pd.DataFrame({"standing": [0.1, 0.2]}))


def test_features_of_another_model_are_refused_and_unmarked_ones_warned_of(inputs_of, shifting_crops, caplog) -> None:
    inputs = inputs_of(shifting_crops)
    assert caplog.records == []
    with pytest.raises(ExplainabilityError, match="bbbb"):
        replace(inputs, features=replace(inputs.features, model="b" * 16))
    replace(inputs, features=replace(inputs.features, model=""))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert inputs.features.layer in record.getMessage()


def test_results_of_unmarked_features_name_no_model(inputs_of, scattered_crops) -> None:
    inputs = inputs_of(scattered_crops)
    ids = inputs.features.person_ids
    for features, expected in ((inputs.features, fingerprint_of_model(inputs.model)), (replace(inputs.features, model=""), "")):
        result = run_analysis(
            ComponentSpec(name="truncation"),
            name="truncation",
            model=inputs.model,
            crops=inputs.crops,
            features=features,
            components=inputs.components,
            scores=pd.DataFrame({"person_id": ids, "image_group": ids, "pck_thesis": 1.0, "oks": 1.0}),
            attributes=pd.DataFrame({"person_id": ids, "standing": 1.0}),
            seed=0,
            batch_size=16,
        )
        assert result.model == expected


def test_finding_that_names_a_missing_image_is_refused() -> None:
    finding = Finding("It fails.", 0.4, None, None, Control("chance", 0.8), passed=True, shown_in="grid")
    with pytest.raises(ExplainabilityError, match="grid"):
        AnalysisResult(facts={}, findings=(finding,))

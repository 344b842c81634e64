"""Results of the model before another training are told from those of the model at hand."""

import logging
from dataclasses import replace

import pytest

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.explain.base import AnalysisResult
from posescope.explain.same_model import components_of_model, results_of_model


@pytest.fixture
def own(model) -> str:
    return fingerprint_of_model(model)


def test_own_results_stay_as_they_are(model, own) -> None:
    results = {"walks": AnalysisResult(facts={"steps": 7}, model=own), "clusters": AnalysisResult(facts={}, note="not selected")}
    assert results_of_model(results, model) == results
    assert results_of_model({}, model) == {}


def test_a_result_of_another_model_is_left_out_and_named(model, own, caplog) -> None:
    of_other, of_own = AnalysisResult(facts={"steps": 7}, model="another"), AnalysisResult(facts={"k": 2}, model=own)
    results = {"walks": of_other, "clusters": of_own}
    with caplog.at_level(logging.WARNING):
        found = results_of_model(results, model)
    assert found["clusters"] is results["clusters"]
    assert found["walks"].facts == {}
    assert f"'walks' is of another model (another) than this ({own})" in found["walks"].note
    assert found["walks"].note in caplog.text


@pytest.fixture
def inputs(inputs_of, shifting_crops):
    return inputs_of(shifting_crops)


def test_components_likewise(model, own, inputs, caplog) -> None:
    mine = replace(inputs.components, model=own)
    assert components_of_model(mine, model) is mine
    unknown = replace(inputs.components, model="")
    assert components_of_model(unknown, model) is unknown
    with caplog.at_level(logging.WARNING):
        assert components_of_model(replace(mine, model="another"), model) is None
    assert "of another model (another)" in caplog.text


def test_components_know_the_model_of_their_features(inputs, own) -> None:
    assert inputs.features.model == inputs.components.model == own

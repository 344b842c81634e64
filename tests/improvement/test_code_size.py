"""Tests of posescope.improvement.code_size."""

import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.improvement.code_size import CodeSize, choose_code_size
from posescope.improvement.errors import ImprovementError
from posescope.improvement.options import AutoencoderTraining

# 80, 10, 6 and 4 % of the variance: three components hold 95 %.
COMPONENTS = Components(np.zeros(6), np.eye(6)[:2], np.array([80.0, 10.0, 6.0, 4.0]), "stack1.bottleneck", (6, 1, 1))

# All that is asked of the model: which component it is, and where its bottleneck is.
MODEL: Any = SimpleNamespace(
    model_spec=ComponentSpec(name="hourglass"), network=SimpleNamespace(bottleneck_layer="stack1.bottleneck")
)


def curve(enough: int | None) -> AnalysisResult:
    return AnalysisResult(facts={"components_enough": enough}, note="Nothing is enough.")


@pytest.mark.parametrize(
    ("enough", "options", "expected"),
    [
        (4, {}, 4),
        (4, {"largest_code": 3}, 3),
        (1, {}, 2),
        (9, {}, 4),  # there are four directions in all
        (4, {"code_size": 50}, 50),
        (None, {"code_size": 50}, 50),
        (None, {}, 3),
    ],
)
def test_the_number(enough, options, expected) -> None:
    assert choose_code_size(MODEL, COMPONENTS, curve(enough), AutoencoderTraining(**options)).dimensions == expected


def test_the_curve_that_counts_is_that_of_the_network_as_it_runs() -> None:
    own = AnalysisResult(facts={"components_sufficient_mean": 2, "components_sufficient_own": 3})
    without_skips = AnalysisResult(facts={"components_sufficient_none": 4})
    assert choose_code_size(MODEL, COMPONENTS, own, AutoencoderTraining()).dimensions == 3
    assert choose_code_size(MODEL, COMPONENTS, without_skips, AutoencoderTraining()).dimensions == 4


def test_without_a_curve_there_is_a_warning(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        chosen = choose_code_size(MODEL, COMPONENTS, AnalysisResult(facts={}, note="It is not selected."), AutoencoderTraining())
    assert "It is not selected." in caplog.text
    assert chosen.reason == "3 components hold 95% of the variance; the truncation curve does not tell"


def test_with_a_curve_there_is_none(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        choose_code_size(MODEL, COMPONENTS, curve(4), AutoencoderTraining())
    assert caplog.text == ""


def test_what_is_of_another_model_chooses_no_size(monkeypatch) -> None:
    monkeypatch.setattr("posescope.improvement.code_size.fingerprint_of_model", lambda model: "own")
    of_own, of_other = replace(COMPONENTS, model="own"), replace(COMPONENTS, model="other")
    assert choose_code_size(MODEL, of_own, replace(curve(4), model="own"), AutoencoderTraining()).dimensions == 4
    with pytest.raises(ImprovementError, match=r"The truncation curve .* model at hand \(own\), found of another \(other\)"):
        choose_code_size(MODEL, of_own, replace(curve(4), model="other"), AutoencoderTraining())
    with pytest.raises(ImprovementError, match=r"The components .* found of another"):
        choose_code_size(MODEL, of_other, curve(4), AutoencoderTraining())
    assert choose_code_size(MODEL, of_other, curve(4), AutoencoderTraining(code_size=5)).dimensions == 5


def test_round_trip() -> None:
    size = CodeSize(7, "because")
    assert CodeSize.from_dict(size.to_dict()) == size


def test_components_of_another_place_are_refused_where_they_would_count() -> None:
    elsewhere = replace(COMPONENTS, layer="stack1.skip1")
    with pytest.raises(ImprovementError, match=r"explainability\.persons\.tap=null"):
        choose_code_size(MODEL, elsewhere, curve(4), AutoencoderTraining())
    assert choose_code_size(MODEL, elsewhere, curve(4), AutoencoderTraining(code_size=5)).dimensions == 5


def test_a_network_that_takes_no_autoencoder_is_refused_at_once() -> None:
    other = SimpleNamespace(model_spec=ComponentSpec(name="hourglass_autoencoder"))
    with pytest.raises(OptionsError, match="hourglass_autoencoder"):
        choose_code_size(other, COMPONENTS, curve(4), AutoencoderTraining())

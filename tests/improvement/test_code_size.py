"""Tests of posescope.improvement.code_size: parameters, truncation curve and variance, in this order."""

import logging
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from posescope.core.errors import OptionsError
from posescope.core.origin import OriginMismatchError
from posescope.core.plugins import ComponentSpec
from posescope.explainability.base import AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.improvement.code_size import CodeSize, choose_code_size
from posescope.improvement.errors import ImprovementError
from posescope.improvement.options import AutoencoderTraining
from posescope.models.hourglass import Hourglass, HourglassOptions

# 80, 10, 6 and 4 % of the variance: three components explain 95 %.
COMPONENTS = Components(np.zeros(6), np.eye(6)[:2], np.array([80.0, 10.0, 6.0, 4.0]), "stack1.bottleneck", (6, 1, 1))

# The attributes of the model that are read.
MODEL: Any = SimpleNamespace(
    model_spec=ComponentSpec(name="hourglass"),
    network=Hourglass(HourglassOptions(channels=4, depth=1, bottleneck_residuals=1), (16, 16), 2),
)


@pytest.fixture(autouse=True)
def own_fingerprint(monkeypatch) -> None:
    monkeypatch.setattr("posescope.improvement.code_size.fingerprint_of_model", lambda model: "own")


def curve(enough: int | None) -> AnalysisResult:
    return AnalysisResult(facts={"components_enough": enough}, note="Nothing is enough.")


@pytest.mark.parametrize(
    ("enough", "options", "expected"),
    [
        (4, {}, 4),
        (4, {"largest_code": 3}, 3),
        (1, {}, 2),
        (9, {}, 4),  # there are four components
        (4, {"code_size": 50}, 50),
        (None, {"code_size": 50}, 50),
        (None, {}, 3),
    ],
)
def test_code_size_by_curve_variance_and_bounds(enough, options, expected) -> None:
    assert choose_code_size(MODEL, COMPONENTS, curve(enough), AutoencoderTraining(**options)).dimensions == expected


def test_curve_of_intact_skips_is_used() -> None:
    own = AnalysisResult(facts={"components_sufficient_mean": 2, "components_sufficient_own": 3})
    without_skips = AnalysisResult(facts={"components_sufficient_none": 4})
    assert choose_code_size(MODEL, COMPONENTS, own, AutoencoderTraining()).dimensions == 3
    assert choose_code_size(MODEL, COMPONENTS, without_skips, AutoencoderTraining()).dimensions == 4


def test_selection_by_variance_is_warned_of(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        chosen = choose_code_size(MODEL, COMPONENTS, AnalysisResult(facts={}, note="It is not selected."), AutoencoderTraining())
    assert "It is not selected." in caplog.text
    assert chosen.reason.startswith("3 components explain 95%")


def test_selection_by_curve_is_not_warned_of(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        choose_code_size(MODEL, COMPONENTS, curve(4), AutoencoderTraining())
    assert caplog.text == ""


def test_components_of_the_bottleneck_by_its_module_path_are_accepted() -> None:
    by_path = replace(COMPONENTS, layer="hourglasses.0.bottleneck")
    assert choose_code_size(MODEL, by_path, curve(4), AutoencoderTraining()).dimensions == 4


def test_results_of_another_model_are_refused() -> None:
    of_own, of_other = replace(COMPONENTS, model="own"), replace(COMPONENTS, model="other")
    assert choose_code_size(MODEL, of_own, replace(curve(4), model="own"), AutoencoderTraining()).dimensions == 4
    with pytest.raises(OriginMismatchError, match="truncation"):
        choose_code_size(MODEL, of_own, replace(curve(4), model="other"), AutoencoderTraining())
    with pytest.raises(OriginMismatchError, match="components"):
        choose_code_size(MODEL, of_other, curve(4), AutoencoderTraining())
    assert choose_code_size(MODEL, of_other, curve(4), AutoencoderTraining(code_size=5)).dimensions == 5


def test_round_trip() -> None:
    size = CodeSize(7, "because")
    assert CodeSize.from_dict(size.to_dict()) == size
    assert CodeSize.from_dict({"numbers": 4, "reason": "older version"}).dimensions == 4


def test_components_of_another_layer_are_refused_if_used() -> None:
    elsewhere = replace(COMPONENTS, layer="stack1.skip1")
    with pytest.raises(ImprovementError, match="bottleneck"):
        choose_code_size(MODEL, elsewhere, curve(4), AutoencoderTraining())
    assert choose_code_size(MODEL, elsewhere, curve(4), AutoencoderTraining(code_size=5)).dimensions == 5


def test_network_without_support_for_autoencoders_is_refused() -> None:
    other = SimpleNamespace(model_spec=ComponentSpec(name="hourglass_autoencoder"))
    with pytest.raises(OptionsError, match="hourglass_autoencoder"):
        choose_code_size(other, COMPONENTS, curve(4), AutoencoderTraining())

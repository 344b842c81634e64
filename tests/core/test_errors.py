"""Tests of posescope.core.errors."""

import pytest

from posescope.artifacts.model_folder import ModelFolderError
from posescope.core.errors import DataError, OptionsError, PosescopeError, pluralise
from posescope.drawing.rgb_images import DrawingError
from posescope.evaluation.metrics.base import MetricError
from posescope.explainability.errors import ExplainabilityError


@pytest.mark.parametrize("kind", [DataError, OptionsError, ModelFolderError, DrawingError, ExplainabilityError, MetricError])
def test_all_errors_derive_from_the_base_class(kind):
    assert issubclass(kind, PosescopeError)


def test_programming_error_is_not_a_package_error():
    assert not issubclass(PosescopeError, ValueError | OSError)


def test_pluralise_by_hand():
    assert [pluralise(number, "person") for number in (0, 1, 2, 1000)] == ["0 persons", "1 person", "2 persons", "1,000 persons"]

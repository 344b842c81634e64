"""Tests of the parameters `tracking`."""

import pytest
from pydantic import ValidationError
from tests.experiment_loggers import FAILING, FILE

from posescope.tracking.options import TrackingOptions


def test_nothing_is_logged_by_default():
    assert TrackingOptions().loggers == ()


def test_several_loggers_are_checked():
    options = TrackingOptions.model_validate({"loggers": [{"name": FILE}, FAILING]})
    assert [logger.name for logger in options.loggers] == [FILE, FAILING]


@pytest.mark.parametrize(
    "wrong",
    [
        {"loggers": [{"name": "no_such_logger"}]},
        {"loggers": [{"name": FILE, "options": {"uri": "x"}}]},
        {"loggers": FILE},
        {"loggers": [3]},
        {"timeout_s": 0},
        {"a": 1},
    ],
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        TrackingOptions.model_validate(wrong)

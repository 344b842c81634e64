"""Tests of the check that the packages of an experiment logger are installed."""

import pytest
from tests.experiment_loggers import FILE

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, Options
from posescope.tracking.base import MissingTrackerError, check_installed


class AbsentLogger:
    Options = Options
    requires = ("json", "no_such_tracker")


def test_missing_package_is_one_line_that_names_the_extra():
    with pytest.raises(MissingTrackerError, match=r"no_such_tracker.*posescope\[track\]") as caught:
        check_installed([ComponentSpec(name=f"{__name__}:AbsentLogger")])
    assert "\n" not in str(caught.value)
    assert " json" not in str(caught.value)


def test_installed_loggers_pass():
    check_installed([])
    check_installed([ComponentSpec(name=FILE)])


def test_unknown_logger_is_refused():
    with pytest.raises(OptionsError):
        check_installed([ComponentSpec(name="no_such_logger")])

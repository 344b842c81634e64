"""Tests of the check that the packages of an experiment logger are installed."""

import pytest
from tests.experiment_loggers import FILE

from posescope.core.errors import OptionsError
from posescope.core.extras import MissingPackageError, find_extra
from posescope.core.plugins import ComponentSpec, Options, load_component
from posescope.tracking.base import check_installed


class AbsentLogger:
    Options = Options
    requires = ("json", "no_such_tracker")


def test_missing_package_is_one_line():
    with pytest.raises(MissingPackageError) as caught:
        check_installed([ComponentSpec(name=f"{__name__}:AbsentLogger")])
    assert caught.value.module == "no_such_tracker"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_packages_of_the_built_in_loggers_are_those_of_the_extra(name):
    requires = load_component("experiment_loggers", name).requires
    assert {find_extra(module) for module in requires} == {"track"}


def test_installed_loggers_pass():
    check_installed([])
    check_installed([ComponentSpec(name=FILE)])


def test_unknown_logger_is_refused():
    with pytest.raises(OptionsError):
        check_installed([ComponentSpec(name="no_such_logger")])

"""Tests of posescope.core.parameters: renamed and removed parameters, options and components."""

import pytest

from posescope.core.errors import OptionsError
from posescope.core.parameters import (
    REMOVED_OPTIONS,
    RENAMED_COMPONENTS,
    RENAMED_OPTIONS,
    RENAMED_PARAMETERS,
    describe_unknown_option,
    renamed_parameter,
)  # fmt: skip
from posescope.core.plugins import ComponentSpec, check_options, installed, load_component

WITH_OPTIONS = [(group, name) for group, name in RENAMED_OPTIONS if group != "schedules"]


@pytest.mark.parametrize(("group", "name"), WITH_OPTIONS)
def test_old_option_is_refused_with_the_new_name(group: str, name: str) -> None:
    for old, new in RENAMED_OPTIONS[group, name].items():
        with pytest.raises(OptionsError, match=f"{old}: renamed to {new}"):
            check_options(group, ComponentSpec(name=name, options={old: 1}))


@pytest.mark.parametrize(("group", "name"), WITH_OPTIONS)
def test_new_option_exists_and_the_old_one_does_not(group: str, name: str) -> None:
    fields = set(load_component(group, name).Options.model_fields)
    assert set(RENAMED_OPTIONS[group, name].values()) <= fields
    assert not set(RENAMED_OPTIONS[group, name]) & fields


@pytest.mark.parametrize(("group", "name"), REMOVED_OPTIONS)
def test_removed_option_is_refused_with_the_reason(group: str, name: str) -> None:
    for option, reason in REMOVED_OPTIONS[group, name].items():
        with pytest.raises(OptionsError, match=f"{option}: removed: {reason}"):
            check_options(group, ComponentSpec(name=name, options={option: "cpu"}))


@pytest.mark.parametrize(("group", "old"), RENAMED_COMPONENTS)
def test_old_component_is_refused_with_the_new_name(group: str, old: str) -> None:
    names = {row.name for row in installed(group)}
    assert old not in names
    assert RENAMED_COMPONENTS[group, old] in names
    with pytest.raises(OptionsError, match=f"renamed to {RENAMED_COMPONENTS[group, old]}"):
        load_component(group, old)


def test_lookup_of_current_and_unknown_names_finds_nothing() -> None:
    assert renamed_parameter("modelling.training.epochs") is None
    assert describe_unknown_option("codecs", "gaussian", "sigma") == "unknown name"
    assert describe_unknown_option("codecs", "no_such", "sigma_cells") == "unknown name"


@pytest.mark.parametrize("old", RENAMED_PARAMETERS)
def test_end_of_an_old_path_is_found(old: str) -> None:
    assert renamed_parameter(old) == RENAMED_PARAMETERS[old]
    end = old.partition(".")[2]
    assert not end or renamed_parameter(end) == RENAMED_PARAMETERS[old]

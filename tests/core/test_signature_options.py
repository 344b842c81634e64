"""Tests of posescope.core.signature_options."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, Options, build
from posescope.core.signature_options import accepted_arguments, make_options

CONTEXT = ("crop_size", "joint_count")


class Net:
    """A class without `Options`."""

    def __init__(self, joint_count: int, channels: int = 16, *, act: Any = None, **_rest: object) -> None:
        self.given = (joint_count, channels, act)


def deep(width: "int", crop_size: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """A function with a required option."""
    return width, crop_size


def test_fields_are_the_arguments_without_the_context() -> None:
    model = make_options(Net, Options, CONTEXT)
    assert model is not None
    assert model().model_dump() == {"channels": 16, "act": None}
    with pytest.raises(ValidationError):
        model(channels="many")
    with pytest.raises(ValidationError):
        model(joint_count=3)


def test_annotation_as_text_is_resolved_and_missing_default_is_required() -> None:
    model = make_options(deep, Options, CONTEXT)
    assert model is not None
    with pytest.raises(ValidationError):
        model()
    assert model(width="3").model_dump() == {"width": 3}


@pytest.mark.parametrize("component", [lambda options, joint_count: None, 3])
def test_no_model_of_a_signature_that_is_unknown_or_names_options(component: Callable[..., Any]) -> None:
    assert make_options(component, Options, CONTEXT) is None


def test_accepted_arguments_are_the_named_ones() -> None:
    given = {"crop_size": (8, 8), "joint_count": 2}
    assert accepted_arguments(Net, given) == {"joint_count": 2}
    assert accepted_arguments(deep, given) == {"crop_size": (8, 8)}


def test_component_is_built_from_its_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("someones_nets")
    module.Net = Net  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "someones_nets", module)
    spec = ComponentSpec(name="someones_nets:Net", options={"channels": 4})
    assert build("models", spec, crop_size=(8, 8), joint_count=2).given == (2, 4, None)
    with pytest.raises(OptionsError, match="chanels"):
        build("models", ComponentSpec(name="someones_nets:Net", options={"chanels": 4}), crop_size=(8, 8), joint_count=2)
    with pytest.raises(OptionsError, match="Options"):  # only a network may lack them
        build("codecs", spec, crop_size=(8, 8), joint_count=2)

"""Tests of posescope.core.option_faults; faults of components are tested in test_plugins.py."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from posescope.core.option_faults import describe_validation_error
from posescope.core.plugins import Options


class Several(Options):
    size: Annotated[int, Field(ge=1)] | tuple[int, int] | Literal["auto"]
    other: int | None = None


def test_faults_of_a_field_of_several_types_are_one_line() -> None:
    with pytest.raises(ValidationError) as caught:
        Several.model_validate({"size": 0, "other": "x"})
    first, second = describe_validation_error(caught.value)
    assert first.startswith("size: ")
    assert first.count(", or ") == 2
    assert first.endswith("(found 0)")
    assert second.startswith("other: ")

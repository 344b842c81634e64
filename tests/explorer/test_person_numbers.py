"""Tests of posescope.explorer.person_numbers."""

from typing import Any

import numpy as np
import pytest

from posescope.core.errors import OptionsError
from posescope.explorer.person_numbers import PersonNumbers

NUMBERS = PersonNumbers(np.array([12, 3, 7]))


@pytest.mark.parametrize(("content", "expected"), [("7", 7), (" 12 ", 12), (3, 3), ("", None), (None, None)])
def test_number_is_read(content: Any, expected: int | None) -> None:
    assert NUMBERS.read(content, "Person") == expected


@pytest.mark.parametrize("content", ["8", "x", "7.5", "-7", "1e3", "9" * 30, "²", [7], True])
def test_error_names_field_example_and_what_was_found(content: Any) -> None:
    with pytest.raises(OptionsError) as caught:
        NUMBERS.read(content, "Other person")
    assert str(caught.value).startswith("Other person: ")
    assert str(content)[:40] in str(caught.value)


def test_example_is_the_nearest_person() -> None:
    with pytest.raises(OptionsError, match=r"such as 12, found 9999\."):
        NUMBERS.read("9999", "Person")
    assert NUMBERS.nearest(5) == 3
    assert str(NUMBERS) == "3 persons with numbers from 3 to 12"


def test_steps_go_around() -> None:
    assert [NUMBERS.step(number, 1) for number in (3, 7, 12, None, 5)] == [7, 12, 3, 3, 7]
    assert [NUMBERS.step(number, -1) for number in (3, 7, 12, None, 5)] == [12, 3, 7, 12, 3]

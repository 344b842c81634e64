"""Tests of posescope.explorer.latent_requests."""

from typing import Any

import pytest
from pydantic import ValidationError

from posescope.explorer.latent_requests import LatentRequest, Patch


def test_equal_requests_are_equal_and_can_be_keys() -> None:
    one, other = (LatentRequest(person_id=3, patches=(Patch(layer="a", kind="person", person_id=4),)) for _ in range(2))
    assert {one.patches: 1}[other.patches] == 1
    assert one == other


@pytest.mark.parametrize(
    "fields",
    [
        {"offsets": (float("nan"),)},
        {"offsets": (21.0,)},
        {"offsets": (0.0,) * 11},
        {"kept_components": -1},
        {"patches": ({"layer": "a", "kind": "person"},)},
        {"patches": ({"layer": "a", "kind": "zero", "person_id": 3},)},
        {"patches": ({"layer": "a", "kind": "noise"},)},
    ],
)
def test_malformed_requests_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LatentRequest(**fields)

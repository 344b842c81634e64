"""Variants of another model are refused by their provenance."""

from dataclasses import replace

import pytest

from posescope.artifacts.pose_model import PoseModel
from posescope.improvement.errors import ImprovementError
from posescope.improvement.variants import check_same_start

OWN, BEFORE = {"fingerprint": "own", "seed": 0}, {"fingerprint": "before", "seed": 0}


def made_from(model: PoseModel, provenance: dict) -> dict[str, PoseModel]:
    """The three kinds of variants with their provenance."""
    joined = {"parts": {"hourglass": provenance, "autoencoders": {}}}
    kinds = {"inserted": joined, "continued": {"fingerprint": "c", "start": provenance}, "improved": {"start": joined}}
    return {name: replace(model, provenance=found) for name, found in kinds.items()}


def test_variants_of_the_present_model_are_accepted(untrained_model: PoseModel) -> None:
    check_same_start(replace(untrained_model, provenance=OWN), made_from(untrained_model, OWN))


@pytest.mark.parametrize("unrelated", ["inserted", "continued", "improved"])
def test_variants_of_an_earlier_model_are_refused(untrained_model: PoseModel, unrelated: str) -> None:
    mixed = {**made_from(untrained_model, OWN), unrelated: made_from(untrained_model, BEFORE)[unrelated]}
    with pytest.raises(ImprovementError, match=unrelated):
        check_same_start(replace(untrained_model, provenance=OWN), mixed)

"""Fixtures and helpers of the tests of networks."""

import pytest
from torch import Tensor

from posescope.models.base import PoseNetwork
from posescope.models.layers import Interventions, intervene


@pytest.fixture(autouse=True)
def few_threads(one_thread: None) -> None:
    """Small networks are fastest on one thread, which also does not disturb other tests."""


def run(network: PoseNetwork, images: Tensor, interventions: Interventions | None) -> list[Tensor]:
    """One forward pass with interventions."""
    with intervene(network, interventions):
        outputs: list[Tensor] = network(images)
    return outputs

"""Features of which it is known how few numbers they hang on."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from posescope.explainability.features.feature_store import FeatureSet

PLANTED, CHANNELS, SIDE = 3, 8, 2


@pytest.fixture(scope="session")
def planted() -> FeatureSet:
    """300 persons, 8 x 2 x 2 features each, that are mixed from three numbers."""
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(300, PLANTED))
    mixing = rng.normal(size=(PLANTED, CHANNELS * SIDE * SIDE))
    values = (causes @ mixing + rng.normal(size=CHANNELS * SIDE * SIDE)).astype(np.float32)
    return FeatureSet(np.arange(300), values, "stack1.bottleneck", (CHANNELS, SIDE, SIDE))


@pytest.fixture(scope="session")
def groups() -> np.ndarray:
    """Three persons per image."""
    return np.repeat(np.arange(100), 3)


@pytest.fixture(autouse=True, scope="module")
def few_threads() -> Iterator[None]:
    """Small networks are fastest, and other tests undisturbed, on one thread; fixtures of a module are made on it too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

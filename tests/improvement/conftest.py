"""Features of which it is known how few numbers they hang on."""

import numpy as np
import pytest

from posescope.explain.feature_store import FeatureSet

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
    """Three persons a photograph."""
    return np.repeat(np.arange(100), 3)


@pytest.fixture(autouse=True)
def few_threads(one_thread: None) -> None:
    """Small networks are fastest, and other tests undisturbed, on one thread."""

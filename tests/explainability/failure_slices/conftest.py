"""Persons in photographs with a planted failing group, without any, and with a confounder."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

PERSONS = 500


@pytest.fixture(scope="session")
def planted() -> Callable[..., tuple[pd.DataFrame, np.ndarray, np.ndarray]]:
    """Columns, photographs and PCK; `kind`: slice (PCK lower by 0.4 where component_9 is above 1.2), nothing, or confounder."""

    def make(kind: str, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(PERSONS), rng.integers(1, 4, PERSONS))[:PERSONS]
        columns = pd.DataFrame(
            rng.normal(size=(PERSONS, 6)), columns=["size", "facing", *(f"component_{k}" for k in (1, 2, 3, 9))]
        )
        columns["occluded"] = rng.beta(0.8, 3, PERSONS)
        columns.loc[rng.random(PERSONS) < 0.3, "facing"] = np.nan
        drop = np.zeros(PERSONS)
        if kind == "slice":
            drop = np.where(columns["component_9"] > 1.2, 0.4, 0.0)
        if kind == "confounder":
            drop = 0.7 * columns["occluded"].to_numpy()
            columns["component_9"] = 4 * columns["occluded"] + 0.3 * rng.normal(size=PERSONS)
        base = 1 / (1 + np.exp(-(2.2 + 1.2 * rng.normal(size=PERSONS))))
        return columns, groups, rng.binomial(17, np.clip(base - drop, 0, 1)) / 17

    return make

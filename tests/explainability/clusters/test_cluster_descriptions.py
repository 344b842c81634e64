"""Tests of posescope.explainability.clusters.cluster_descriptions with planted and shuffled attributes."""

import numpy as np
import pandas as pd
import pytest

from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.clusters.cluster_contrasts import ClusterComparison
from posescope.explainability.clusters.cluster_descriptions import describe_clusters

LABELS = np.repeat([0, 1, 2], [60, 40, 20]).astype(np.int64)
GROUPS = np.random.default_rng(5).permutation(120) // 2
DRAWS = resample_images(GROUPS, 0, 200)


def attributes(**columns) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    noise = {name: rng.normal(size=120) for name in ("standing", "arms_raised", "truncated", "size")}
    return pd.DataFrame({**noise, **columns})


def traits_of(table: pd.DataFrame):
    return describe_clusters(table, ClusterComparison(LABELS, 3, GROUPS, DRAWS, shuffles=100, seed=0), 0.5)


def test_only_planted_attributes_describe_a_cluster() -> None:
    table = attributes()
    table["standing"] -= 4.0 * (LABELS == 2)
    table["truncated"] = (LABELS == 2).astype(float)
    found = traits_of(table)
    assert found.description(2) == "cut at the border, sitting or lying"
    assert found.description(1) == ""
    first = found.by_cluster[2][0]
    assert first.low > 0.5
    assert first.difference > first.chance[2] > first.chance[1] > first.chance[0]
    row = found.table[(found.table["cluster"] == 3) & (found.table["attribute"] == "truncated")].iloc[0]
    assert (row["inside"], row["rest"]) == (1, 0)
    assert row["difference"] == pytest.approx(1 / table["truncated"].std(ddof=0))


def test_shuffled_attributes_describe_no_cluster() -> None:
    table = attributes()
    table["truncated"] = (LABELS == 2).astype(float)
    for seed in range(5):
        shuffled = table.sample(frac=1, random_state=seed).reset_index(drop=True)
        found = traits_of(shuffled)
        assert [found.description(cluster) for cluster in range(3)] == ["", "", ""]
        assert found.strongest is not None


def test_constant_and_unknown_attributes_are_ignored() -> None:
    found = traits_of(attributes(standing=1.0, arms_raised=np.nan, note="x"))
    assert set(found.table["attribute"]) == {"truncated", "size"}
    assert traits_of(pd.DataFrame({"standing": np.ones(120)})).strongest is None

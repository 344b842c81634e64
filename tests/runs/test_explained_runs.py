"""Tests of posescope.runs.explained_runs; tests/cli/test_similarity.py reads runs from their folders."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.runs.explained_runs import ExplainedRun, common_persons, open_explained_run

COUNT = 25


@pytest.fixture
def run() -> ExplainedRun:
    """A run of persons 0 to 24, two per image, with three components."""
    ids = pd.Index(range(COUNT), name="person_id")
    return ExplainedRun(
        data_dir=Path("a"),
        layer="stack1.bottleneck",
        model="m",
        scores=pd.DataFrame(np.arange(3.0 * COUNT).reshape(COUNT, 3), index=ids),
        explained_variance_ratio=np.array([0.6, 0.3, 0.1]),
        annotations=pd.DataFrame({"image_id": ids // 2, "annotation_id": ids}, index=ids),
        clusters=pd.Series(ids % 2, index=ids),
        attributes=None,
    )


def test_scores_and_clusters_follow_the_order_of_the_persons(run: ExplainedRun) -> None:
    found = run.of_persons(np.array([4, 1]))
    assert found.scores.tolist() == [[12, 13, 14], [3, 4, 5]]
    assert found.clusters is not None
    assert found.clusters.tolist() == [0, 1]
    assert run.image_ids_of(np.array([4, 1])).tolist() == [2, 0]


def test_clusters_are_left_out_if_a_person_has_none(run: ExplainedRun) -> None:
    assert run.clusters is not None
    assert replace(run, clusters=run.clusters.iloc[1:]).of_persons(np.array([0, 1])).clusters is None


def test_common_persons_are_ascending(run: ExplainedRun) -> None:
    other = replace(run, scores=run.scores.iloc[::-1].iloc[:22])
    assert common_persons([run, other]).tolist() == list(range(3, COUNT))


def test_too_few_common_persons_are_an_error(run: ExplainedRun) -> None:
    with pytest.raises(DataError, match="10"):
        common_persons([run, replace(run, scores=run.scores.iloc[:10])])


def test_another_annotation_with_the_same_person_id_is_an_error(run: ExplainedRun) -> None:
    with pytest.raises(DataError, match="person_id"):
        common_persons([run, replace(run, annotations=run.annotations.assign(annotation_id=7))])


def test_folder_without_features_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="features"):
        open_explained_run(tmp_path)

from dataclasses import replace

import numpy as np
import pytest

from posescope.explainability.label_errors.planted_recall import measure_planted_recall
from posescope.explainability.label_errors.suspicions import read_heights


@pytest.fixture
def measure(poses, reader_of):
    def of(reader, judged: np.ndarray, repetitions: int = 2):
        heights = read_heights(poses, reader, seed=0)
        return measure_planted_recall(poses, judged, reader, heights, repetitions=repetitions, seed=0)

    return of


def test_errors_in_clear_figures_are_found(poses, reader_of, measure) -> None:
    judged = np.arange(200) >= 100
    recall = measure(reader_of(poses), judged)
    assert len(recall) == 2 * 5  # 5 % of 100 judged persons, twice
    assert recall.found.mean() >= 0.8
    assert set(recall.groups) <= set(poses.groups[judged])


def test_without_any_evidence_few_are_found(poses) -> None:
    """Annotations at random places, flat heatmaps: nothing can be found, and 5 % are expected by chance."""
    rng = np.random.default_rng(0)
    blank = replace(poses, annotated=rng.random(poses.annotated.shape), codes=rng.normal(size=poses.codes.shape))
    flat, judged = (lambda places, rows: np.ones(places.shape[:3])), np.ones(200, dtype=bool)
    recall = measure_planted_recall(blank, judged, flat, read_heights(blank, flat, seed=0), repetitions=5, seed=0)
    assert recall.found.mean() < 0.3


def test_no_judged_persons(poses, reader_of, measure) -> None:
    assert len(measure(reader_of(poses), np.zeros(200, dtype=bool))) == 0

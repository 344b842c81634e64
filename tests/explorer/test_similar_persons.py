"""Similar persons: order, images, and few persons; compared with scikit-learn."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from posescope.explorer.similar_persons import similar_persons


def test_nearest_persons_agree_with_scikit_learn() -> None:
    scores = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    expected = NearestNeighbors(n_neighbors=7).fit(scores).kneighbors(scores[[3]], return_distance=False)[0, 1:]
    assert similar_persons(scores, np.arange(200), 3).tolist() == expected.tolist()


def test_persons_of_the_same_image_and_unknown_scores_are_left_out() -> None:
    scores = np.array([[0.0], [0.1], [1.0], [np.nan], [2.0]])
    assert similar_persons(scores, np.array([7, 7, 8, 9, 9]), 0).tolist() == [2, 4]


@pytest.mark.filterwarnings("error")
def test_infinite_scores_are_left_out_without_a_warning() -> None:
    scores = np.array([[np.inf, 0], [np.inf, 1], [3e38, 0], [-3e38, 0], [-np.inf, 0]], np.float32)
    assert similar_persons(scores, np.arange(5), 0).tolist() == []
    assert similar_persons(scores, np.arange(5), 2).tolist() == [3]


def test_one_person_or_no_component_gives_none() -> None:
    assert similar_persons(np.zeros((1, 2)), np.zeros(1, dtype=int), 0).tolist() == []
    assert similar_persons(np.zeros((3, 0)), np.arange(3), 0).tolist() == []
    assert similar_persons(np.zeros((2, 1)), np.arange(2), 0).tolist() == [1]

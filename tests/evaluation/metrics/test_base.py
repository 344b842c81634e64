import numpy as np

from posescope.evaluation.metrics.base import mean_over_labelled, metric_result_of_hits


def test_mean_over_labelled_by_hand() -> None:
    values = np.array([[1.0, np.nan], [3.0, 8.0]])
    labelled = np.array([[True, False], [True, False]])
    assert mean_over_labelled(values, labelled) == 2.0  # (1 + 3) / 2
    np.testing.assert_array_equal(mean_over_labelled(values, labelled, axis=0), [2.0, np.nan])
    np.testing.assert_array_equal(mean_over_labelled(values, labelled, axis=1), [1.0, 3.0])


def test_fraction_of_a_person_without_labels_is_nan() -> None:
    fractions = mean_over_labelled(np.array([[True, False], [False, False]]), np.array([[True, True], [False, False]]), axis=1)
    np.testing.assert_array_equal(fractions, [0.5, np.nan])


def test_result_of_hits_has_values_per_joint_and_person() -> None:
    hits = np.array([[True, False], [True, True]])
    found = metric_result_of_hits("x", 0.75, hits, np.ones((2, 2), dtype=bool))
    np.testing.assert_array_equal(found.per_joint["x"], [1.0, 0.5])
    np.testing.assert_array_equal(found.per_person["x"], [0.5, 1.0])
    assert found.metric_values == {"x": 0.75}

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from posescope.evaluation.bootstrap import ImageResamples, resample_images
from posescope.evaluation.error_analysis.reliability import rank_correlation, rank_table, reliability_table

NAN = np.nan


def test_correlation_equals_scipys_with_ties() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 12, 300).astype(float)
    second = first + rng.integers(-9, 9, 300)
    images = rng.integers(0, 40, 300)
    found = rank_correlation(first, second, images, resample_images(images, 0, 30))
    assert found.estimate == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


def test_draw_equals_scipys_correlation_of_repeated_values() -> None:
    rng = np.random.default_rng(1)
    first, second, images = rng.normal(size=50), rng.integers(0, 5, 50).astype(float), np.arange(50) % 10
    counts = np.array([[3, 0, 1, 2, 0, 1, 1, 0, 2, 0]], dtype=np.float32)
    repeats = counts[0][images].astype(int)
    expected = spearmanr(np.repeat(first, repeats), np.repeat(second, repeats)).statistic
    found = rank_correlation(first, second, images, ImageResamples(np.arange(10), counts))
    assert (found.low, found.high) == pytest.approx((expected, expected), abs=1e-12)


def test_constant_values_have_no_correlation() -> None:
    found = rank_correlation(np.ones(4), np.arange(4.0), np.arange(4), resample_images(np.arange(4), 0, 5))
    assert np.isnan([found.estimate, found.low, found.high]).all()


@pytest.fixture
def scored(make_scored):
    """Four persons with two joints: the higher the score, the smaller the error. The last joint is unlabelled."""
    offsets = np.array([[0.0, 60.0], [2.0, 50.0], [4.0, 40.0], [6.0, 0.0]])
    truth = np.full((4, 2, 2), 100.0)
    predicted = truth + np.stack([offsets, 0 * offsets], axis=-1)
    truth[3, 1] = NAN
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.25], [0.6, 0.9]])
    return make_scored(predicted, truth, [[2, 2], [2, 2], [2, 2], [2, 0]], scores=scores)


def test_bins_by_hand(scored) -> None:
    table = reliability_table(scored, resample_images(scored.image_ids, 0, 50), 2)
    joints = table[table["level"] == "joint"]
    # Seven joints: scores 0.1, 0.2, 0.25 below the median 0.6; 0.6, 0.7, 0.8, 0.9 from it on.
    assert joints["count"].tolist() == [3, 4]
    assert joints["score"].tolist() == pytest.approx([0.55 / 3, 0.75])
    assert joints["score_low"].tolist() == [0.1, 0.6]
    assert joints["score_high"].tolist() == [0.25, 0.9]
    # 3.2 cells are 12.8 px of a crop of 256.
    assert joints["pck_thesis"].tolist() == [0.0, 1.0]
    assert joints["oks"].iloc[1] == pytest.approx(np.exp(-np.array([0, 4, 16, 36]) / 200).mean())
    persons = table[table["level"] == "person"]
    # Means of 0.5, 0.5, 0.475 and 0.75 (of all joints, labelled or not); the median is 0.5.
    assert persons["score"].tolist() == pytest.approx([0.475, 1.75 / 3])
    assert persons["count"].tolist() == [1, 3]


def test_scores_ordered_by_error_correlate_fully(scored) -> None:
    table = rank_table(scored, resample_images(scored.image_ids, 0, 20)).set_index("level")
    assert table.loc["joint", "spearman"] == pytest.approx(1.0)
    assert table["count"].to_dict() == {"joint": 7, "person": 4}


def test_network_has_the_mean_of_its_joints_and_a_result_its_own_score(scored) -> None:
    draws = resample_images(scored.image_ids, 0, 20)
    assert rank_table(scored, draws)["score_of"].tolist() == ["height of the heatmap's peak", "mean of the joints' scores"]
    # The scores of the results are ordered opposite to the OKS, independently of the joint scores.
    oks = rank_table(replace(scored, result_scores=np.array([2.0, 3.0, 4.0, 1.0])), draws).set_index("level")
    assert oks["score_of"].to_dict() == {"joint": "third number of the keypoint", "person": "the result's own score"}
    assert oks.loc["person", "spearman"] == pytest.approx(-1.0)
    assert oks.loc["joint", "spearman"] == pytest.approx(1.0)
    table = reliability_table(replace(scored, result_scores=np.array([2.0, 3.0, 4.0, 1.0])), draws, 2)
    assert table.loc[table["level"] == "person", "score"].tolist() == [1.5, 3.5]


def test_persons_without_prediction_are_left_out_and_counted(scored) -> None:
    lost = np.arange(4)[:, None, None] == 1
    one_less = replace(scored, predicted=np.where(lost, NAN, scored.predicted), scores=np.where(lost[..., 0], NAN, scored.scores))
    draws = resample_images(scored.image_ids, 0, 20)
    table, ranks = reliability_table(one_less, draws, 2), rank_table(one_less, draws).set_index("level")
    assert set(table["not_found"]) == {1}
    assert ranks[["count", "persons", "not_found"]].to_numpy().tolist() == [[5, 3, 1], [3, 3, 1]]
    assert ranks.loc["joint", "spearman"] == pytest.approx(1.0)
    assert table[table["level"] == "joint"]["persons"].tolist() == [2, 3]


def test_equal_scores_are_one_bin(make_scored) -> None:
    scored = make_scored(np.zeros((3, 2, 2)), np.zeros((3, 2, 2)), np.full((3, 2), 2))
    assert reliability_table(scored, resample_images(scored.image_ids, 0, 5), 4)["count"].tolist() == [6, 3]


def test_without_persons_the_tables_are_empty(make_scored) -> None:
    scored = make_scored(np.empty((0, 2, 2)), np.empty((0, 2, 2)), np.empty((0, 2)))
    draws = resample_images(scored.image_ids, 0, 5)
    assert reliability_table(scored, draws, 4).empty
    assert rank_table(scored, draws)["spearman"].isna().all()

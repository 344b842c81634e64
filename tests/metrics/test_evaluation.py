"""All metrics at once: figures, intervals, tables, JSON; and COCO's precision of results that we wrote."""

import json
import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posescope.coco.filters import filter_persons
from posescope.coco.folder import CocoFolder, SourceOptions
from posescope.coco.reader import load_annotation_file, read_annotations
from posescope.coco.writer import coco_results
from posescope.errors import OptionsError
from posescope.files import read_json, write_json
from posescope.metrics.average_precision import evaluate_coco
from posescope.metrics.base import MetricFigures
from posescope.metrics.confidence import bootstrap_mean
from posescope.metrics.evaluation import Figure, Figures, evaluate_persons, metrics_content, precision_figures
from posescope.plugins import ComponentSpec
from posescope.skeleton import Skeleton
from posescope.tables import PersonScores, Predictions, join_joints, joints_of

SKELETON = Skeleton(("nose", "left_hand", "right_hand"), ((0, 1),), (0.1, 0.1, 0.1))
METRICS = (ComponentSpec(name="pck_thesis"), ComponentSpec(name="pck"), ComponentSpec(name="oks"))
HIDDEN, NEAR, FAR = [np.nan, np.nan], [100.0, 100.0], [200.0, 100.0]


@pytest.fixture
def scored(make_scored):
    """Three persons; the truth is (100, 100) wherever it is labelled. Boxes of 100 x 50 px: pck reaches 20 px."""
    return make_scored(
        predicted=[[NEAR, NEAR, FAR], [FAR, NEAR, NEAR], [NEAR, NEAR, NEAR]],
        truth=[[NEAR, NEAR, NEAR], [NEAR, HIDDEN, HIDDEN], [HIDDEN, HIDDEN, HIDDEN]],
        visibility=[[2, 1, 2], [2, 0, 0], [0, 0, 0]],
    )


def test_figures_by_hand(scored):
    figures = evaluate_persons(scored, METRICS, SKELETON, seed=0).figures.by_name
    # Persons hit 2 of 3 and 0 of 1; the third has nothing labelled. Mean over persons: (2/3 + 0) / 2.
    assert figures["pck_thesis"].value == pytest.approx(1 / 3)
    # On visible joints: 1 of 2 and 0 of 1.
    assert figures["pck_thesis_visible"].value == pytest.approx(0.25)
    # pck is over joints: 2 of 4.
    assert figures["pck@0.2"].value == pytest.approx(0.5)
    # OKS: (1 + 1 + exp(-100^2 / 0.2^2 / 2500 / 2)) / 3 = 2/3 and the same tiny number alone: 0.
    assert figures["oks"].value == pytest.approx(1 / 3)


def test_only_the_mean_over_persons_has_an_interval(scored):
    figures = evaluate_persons(scored, METRICS, SKELETON, seed=5).figures.by_name
    expected = bootstrap_mean(np.array([2 / 3, 0, np.nan]), seed=5)
    assert figures["pck_thesis"] == Figure(pytest.approx(1 / 3), expected.low, expected.high)
    assert expected.low < 1 / 3 < expected.high
    # 2 of 4 joints are 0.5, the mean over persons is 1/3: an interval around 1/3 is not an interval of 0.5.
    assert (figures["pck@0.2"].low, figures["pck@0.2"].high) == (None, None)


def test_intervals_are_seeded(make_scored):
    rng = np.random.default_rng(0)
    many = make_scored(rng.uniform(90, 130, (40, 3, 2)), np.full((40, 3, 2), 100.0), np.full((40, 3), 2))
    first, second, other = (evaluate_persons(many, METRICS[:1], SKELETON, seed).figures for seed in (1, 1, 2))
    assert first == second != other


def test_a_row_a_person(scored):
    table = evaluate_persons(scored, METRICS, SKELETON, seed=0).person_scores
    PersonScores.validate(table)
    assert list(table.columns) == ["person_id", "image_id", "pck_thesis", "pck_thesis_visible", "pck@0.2", "oks"]
    np.testing.assert_allclose(table["pck_thesis"], [2 / 3, 0, np.nan])
    np.testing.assert_allclose(table["pck_thesis_visible"], [1 / 2, 0, np.nan])


def test_a_value_a_joint_stands_in_the_row_of_all_its_places(scored):
    table = evaluate_persons(scored, METRICS, SKELETON, seed=0).joint_scores
    assert len(table) == 3 * 3
    of_all = table[table["visibility"] == "all"].set_index("joint")
    # The nose is right in 1 of 2 places, the left hand in its only one, the right hand in none of one.
    assert of_all["pck_thesis"].to_dict() == {"nose": 0.5, "left_hand": 1.0, "right_hand": 0.0}
    assert of_all["labelled"].to_dict() == {"nose": 2, "left_hand": 1, "right_hand": 1}
    assert of_all.loc["right_hand", "mean_error_px"] == 100
    assert table.loc[table["visibility"] != "all", "pck_thesis"].isna().all()


def test_columns_follow_the_skeletons_order_of_joints(make_scored):
    only_right_hand_fails = make_scored([[NEAR, NEAR, FAR]], [[NEAR] * 3], [[2, 2, 2]])
    table = evaluate_persons(only_right_hand_fails, METRICS, SKELETON, seed=0).joint_scores
    wrong = table[(table["visibility"] == "all") & (table["pck@0.2"] == 0)]
    assert wrong["joint"].tolist() == ["right_hand"]


def test_nobody_gives_nan_and_null(make_scored):
    nobody = make_scored(np.empty((0, 3, 2)), np.empty((0, 3, 2)), np.empty((0, 3)))
    found = evaluate_persons(nobody, METRICS, SKELETON, seed=0)
    assert all(math.isnan(figure.value) for figure in found.figures.by_name.values())
    assert found.figures.to_dict()["oks"] == {"value": None, "low": None, "high": None}
    assert len(found.person_scores) == 0


def test_no_metrics_still_give_the_errors(scored):
    found = evaluate_persons(scored, (), SKELETON, seed=0)
    assert found.figures.by_name == {}
    assert found.joint_scores["mean_error_px"].notna().any()


def test_an_unknown_metric_is_refused(scored):
    with pytest.raises(OptionsError, match=r"No component 'luck' in posescope\.metrics"):
        evaluate_persons(scored, (ComponentSpec(name="luck"),), SKELETON, seed=0)


def test_metrics_json_round_trip(tmp_path):
    figures = Figures({"pck_thesis": Figure(0.5, 0.4, 0.6), "oks": Figure(math.nan)})
    precision = Figures({"oks_ap": Figure(0.25)})
    content = metrics_content(figures, precision, mse=2e-5, split="val")
    write_json(tmp_path / "metrics.json", content)
    found = read_json(tmp_path / "metrics.json")
    assert list(found) == ["val"]
    assert found["val"]["oks"] == {"value": None, "low": None, "high": None}
    assert found["val"]["mse"] == {"value": 2e-5, "low": None, "high": None}
    back = Figures.from_dict(found["val"]).by_name
    assert (back["pck_thesis"], back["oks_ap"]) == (Figure(0.5, 0.4, 0.6), Figure(0.25))
    assert math.isnan(back["oks"].value)


def test_precision_gets_our_names():
    figures = {"AP": 0.1, "AP50": 0.2, "AP75": 0.3, "AP_medium": 0.4, "AR": 0.5}
    assert precision_figures(MetricFigures(figures)).by_name == {
        "oks_ap": Figure(0.1),
        "oks_ap50": Figure(0.2),
        "oks_ap75": Figure(0.3),
        "oks_ar": Figure(0.5),
    }


def perfect_results(annotations, split):
    """The truth of all labelled persons of a split, as predictions that have gone through our tables and our writer."""
    persons = filter_persons(annotations.persons, annotations.keypoints, ()).persons
    ids = persons.loc[persons["split"] == split, "person_id"].to_numpy()
    values = joints_of(annotations.keypoints, ids)
    joints = np.nan_to_num(values[..., :2])
    table = Predictions.validate(join_joints(ids, joints, np.ones(values.shape[:2], np.float32), "score"))
    return coco_results(table, persons, annotations.skeleton.category_id)


def test_the_truth_through_our_own_reader_and_writer_is_perfect(tiny_coco):
    # Among the people: one without keypoints, who is neither wanted nor punished; and a dog.
    nobody = {**tiny_coco.person(9, 1, (1, 1, 9, 9), []), "num_keypoints": 0}
    dog = {"id": 50, "image_id": 1, "category_id": 3, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}
    tiny_coco.change("val2017", lambda content: content["annotations"].extend([nobody, dog]))
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    annotations = read_annotations(folder, source)
    results = perfect_results(annotations, "val")
    assert len(results) == 3
    sigmas = annotations.skeleton.oks_sigmas
    found = evaluate_coco(folder.annotation_file(source, "val2017"), json.loads(json.dumps(results)), sigmas).figures
    assert found["AP"] == pytest.approx(1.0)
    assert found["AR"] == pytest.approx(1.0)
    # One person of three missed: recall and precision fall to two thirds (101 recall points, 67 of them up to 2/3).
    found = evaluate_coco(folder.annotation_file(source, "val2017"), results[1:], sigmas).figures
    assert found["AR"] == pytest.approx(2 / 3)
    assert found["AP"] == pytest.approx(67 / 101)


@pytest.mark.real_data
def test_the_real_truth_scores_as_pycocotools_says(real_data):
    root = real_data / "coco_subset"
    folder, source = CocoFolder(root), SourceOptions()
    annotations = read_annotations(folder, source)
    results = perfect_results(annotations, "val")
    assert len(results) == 374
    truth_file = folder.annotation_file(source, "val2017")
    found = evaluate_coco(truth_file, results, annotations.skeleton.oks_sigmas).figures

    truth = COCO()
    truth.dataset = load_annotation_file(truth_file)
    truth.createIndex()
    reference = COCOeval(truth, truth.loadRes([dict(result) for result in results]), "keypoints")
    reference.evaluate()
    reference.accumulate()
    reference.summarize()
    np.testing.assert_allclose(list(found.values()), reference.stats, rtol=1e-12)
    assert found["AP"] > 0.99

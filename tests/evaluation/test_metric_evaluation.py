"""Tests of posescope.evaluation.metric_evaluation."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posescope.core.errors import OptionsError
from posescope.core.files import write_json
from posescope.core.plugins import ComponentSpec
from posescope.core.tables import Predictions, join_joints, joints_of
from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import filter_persons
from posescope.data.coco.reader import read_annotations
from posescope.data.coco.results_writer import coco_results
from posescope.evaluation.bootstrap import resample_images
from posescope.evaluation.metric_evaluation import evaluate_heatmaps, evaluate_persons, evaluate_precision, mean_metric_value
from posescope.evaluation.metrics.average_precision import evaluate_coco
from posescope.evaluation.metrics.base import MetricResult
from posescope.evaluation.table_schemas import PersonScores

METRICS = (ComponentSpec(name="pck_thesis"), ComponentSpec(name="pck"), ComponentSpec(name="oks"))
UNLABELLED, NEAR, FAR = [np.nan, np.nan], [100.0, 100.0], [200.0, 100.0]


@pytest.fixture
def scored(make_scored):
    """Three persons; every labelled joint is at (100, 100). Boxes of 100 x 50 px: pck reaches 20 px."""
    return make_scored(
        predicted=[[NEAR, NEAR, FAR], [FAR, NEAR, NEAR], [NEAR, NEAR, NEAR]],
        truth=[[NEAR, NEAR, NEAR], [NEAR, UNLABELLED, UNLABELLED], [UNLABELLED, UNLABELLED, UNLABELLED]],
        visibility=[[2, 1, 2], [2, 0, 0], [0, 0, 0]],
    )


def test_metric_values_by_hand(scored):
    metric_values = evaluate_persons(scored, METRICS, seed=0).metric_values.by_name
    # Persons hit 2 of 3 and 0 of 1; the third has nothing labelled. Mean over persons: (2/3 + 0) / 2.
    assert metric_values["pck_thesis"].value == pytest.approx(1 / 3)
    # On visible joints: 1 of 2 and 0 of 1.
    assert metric_values["pck_thesis_visible"].value == pytest.approx(0.25)
    # pck is over joints: 2 of 4.
    assert metric_values["pck@0.2"].value == pytest.approx(0.5)
    # OKS: (1 + 1 + exp(-100^2 / 0.2^2 / 2500 / 2)) / 3 = 2/3, and the exponential without the others is 0.
    assert metric_values["oks"].value == pytest.approx(1 / 3)


@pytest.mark.parametrize(("images", "warned"), [(19, True), (20, False)])
def test_few_images_are_warned_of(scored, caplog, images: int, warned: bool):
    evaluate_persons(scored, METRICS, seed=0, image_ids=np.arange(1, images + 1), resamples=10)
    assert ("too narrow" in caplog.text) == warned


def test_intervals_are_over_images_and_share_the_draws(make_scored):
    """Two persons of one image are resampled together. pck is a mean over joints, pck_thesis over persons."""
    scored = make_scored(
        predicted=[[NEAR, NEAR, FAR], [FAR, NEAR, NEAR], [NEAR, NEAR, NEAR]],
        truth=[[NEAR, NEAR, NEAR], [NEAR, UNLABELLED, UNLABELLED], [NEAR, NEAR, UNLABELLED]],
        visibility=[[2, 1, 2], [2, 0, 0], [2, 2, 0]],
        image_ids=np.array([4, 4, 9]),
    )
    metric_values = evaluate_persons(scored, METRICS, seed=5, image_ids=[2, 4, 9], resamples=300).metric_values.by_name
    draws = resample_images(np.array([2, 4, 9]), seed=5, resamples=300)
    first, second = draws.counts[:, 1], draws.counts[:, 2]
    some = first + second > 0
    thesis = (first * (2 / 3 + 0) + second * 1)[some] / (2 * first + second)[some]
    pck = (first * 2 + second * 2)[some] / (first * 4 + second * 2)[some]
    for name, values, value in (("pck_thesis", thesis, 5 / 9), ("pck@0.2", pck, 4 / 6)):
        assert metric_values[name].value == pytest.approx(value)
        assert (metric_values[name].low, metric_values[name].high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))
        assert (metric_values[name].persons, metric_values[name].protocol) == (3, "crops")


def test_value_that_is_not_a_mean_over_persons_has_no_interval(scored, monkeypatch):
    odd = MetricResult({"best": 1.0, "median": 0.5}, per_person={"best": np.array([1.0, 0.0, np.nan])})
    monkeypatch.setattr("posescope.evaluation.metric_evaluation.build", lambda *_: lambda _: odd)
    metric_values = evaluate_persons(scored, METRICS[:1], seed=0).metric_values.by_name
    assert (metric_values["best"].low, metric_values["best"].high, metric_values["best"].persons) == (None, None, 2)
    assert (metric_values["median"].low, metric_values["median"].high, metric_values["median"].persons) == (None, None, 3)


def test_weighted_mean_by_hand():
    draws = resample_images(np.array([1, 2]), seed=0, resamples=200)
    values, weights = np.array([0.5, np.nan, 1.0, 0.0]), np.array([2.0, 5.0, 1.0, 0.0])
    found = mean_metric_value(values, weights, np.array([1, 1, 2, 2]), draws)
    assert found.value == pytest.approx((0.5 * 2 + 1.0 * 1) / 3)
    # A quarter of the draws has image 1 twice (0.5), and a quarter image 2 twice (1).
    assert (found.low, found.high, found.persons) == (0.5, 1.0, 2)


def test_person_without_prediction_counts_as_wrong(make_scored):
    truth, visibility = [[NEAR] * 3] * 2, [[2, 2, 2]] * 2
    scored = make_scored(
        [[NEAR] * 3, [UNLABELLED] * 3], truth, visibility, crop_from_image=np.stack([np.eye(2, 3), np.full((2, 3), np.nan)])
    )
    found = evaluate_persons(scored, METRICS, seed=0, protocol="coco")
    for name in ("pck_thesis", "pck_thesis_visible", "pck@0.2", "oks"):
        assert found.metric_values.by_name[name].value == 0.5
        assert (found.metric_values.by_name[name].persons, found.metric_values.by_name[name].protocol) == (2, "coco")
    table = found.person_scores
    assert (table["person_id"].tolist(), table["found"].tolist()) == ([0, 1], [True, False])
    assert table.loc[1, ["pck_thesis", "pck_thesis_visible", "pck@0.2", "oks"]].tolist() == [0, 0, 0, 0]
    of_all = found.joint_scores[found.joint_scores["visibility"] == "all"]
    assert of_all["mean_error_px"].tolist() == [0, 0, 0]
    assert of_all["labelled"].tolist() == [1, 1, 1]


def test_heatmap_errors_by_hand():
    errors = pd.DataFrame({"person_id": [1, 2, 3], "image_id": [1, 1, 2], "mse": [2.0, 4.0, np.nan], "weight": [3.0, 1.0, 0.0]})
    found = evaluate_heatmaps(errors, [1, 2], seed=0, resamples=50).by_name["mse"]
    assert (found.value, found.low, found.high) == pytest.approx((10 / 4, 2.5, 2.5))  # only image 1 has persons that count
    assert (found.persons, found.protocol) == (2, "crops")


def test_intervals_are_seeded(make_scored):
    rng = np.random.default_rng(0)
    many = make_scored(rng.uniform(90, 130, (40, 3, 2)), np.full((40, 3, 2), 100.0), np.full((40, 3), 2))
    first, second, other = (evaluate_persons(many, METRICS[:1], seed).metric_values for seed in (1, 1, 2))
    assert first == second != other


def test_person_scores_have_a_row_per_person(scored):
    table = evaluate_persons(scored, METRICS, seed=0).person_scores
    PersonScores.validate(table)
    assert list(table.columns) == ["person_id", "image_id", "found", "pck_thesis", "pck_thesis_visible", "pck@0.2", "oks"]
    np.testing.assert_allclose(table["pck_thesis"], [2 / 3, 0, np.nan])
    np.testing.assert_allclose(table["pck_thesis_visible"], [1 / 2, 0, np.nan])


def test_values_per_joint_are_in_the_row_of_all_visibilities(scored):
    table = evaluate_persons(scored, METRICS, seed=0).joint_scores
    assert len(table) == 3 * 3
    of_all = table[table["visibility"] == "all"].set_index("joint")
    # The nose is correct in 1 of 2 persons, the left hand in 1 of 1, the right hand in 0 of 1.
    assert of_all["pck_thesis"].to_dict() == {"nose": 0.5, "left_hand": 1.0, "right_hand": 0.0}
    assert of_all["labelled"].to_dict() == {"nose": 2, "left_hand": 1, "right_hand": 1}
    assert of_all.loc["right_hand", "mean_error_px"] == 100
    assert table.loc[table["visibility"] != "all", "pck_thesis"].isna().all()


def test_values_per_joint_follow_the_order_of_the_skeleton(make_scored):
    only_right_hand_fails = make_scored([[NEAR, NEAR, FAR]], [[NEAR] * 3], [[2, 2, 2]])
    table = evaluate_persons(only_right_hand_fails, METRICS, seed=0).joint_scores
    wrong = table[(table["visibility"] == "all") & (table["pck@0.2"] == 0)]
    assert wrong["joint"].tolist() == ["right_hand"]


def test_without_persons_values_are_nan_and_null(make_scored):
    empty = make_scored(np.empty((0, 3, 2)), np.empty((0, 3, 2)), np.empty((0, 3)))
    found = evaluate_persons(empty, METRICS, seed=0)
    assert all(math.isnan(value.value) for value in found.metric_values.by_name.values())
    assert found.metric_values.to_dict()["oks"] == {"value": None, "low": None, "high": None, "persons": 0, "protocol": "crops"}
    assert len(found.person_scores) == 0


def test_without_metrics_joint_errors_remain(scored):
    found = evaluate_persons(scored, (), seed=0)
    assert found.metric_values.by_name == {}
    assert found.joint_scores["mean_error_px"].notna().any()


def test_unknown_metric_is_an_error(scored):
    with pytest.raises(OptionsError, match="luck"):
        evaluate_persons(scored, (ComponentSpec(name="luck"),), seed=0)


def perfect_results(annotations, split, noise=0.0):
    """Return the truth of all labelled persons of a split as predictions, passed through the tables and the writer.

    `noise` moves every joint, with this fraction of the square root of the person's area as standard deviation.
    """
    persons = filter_persons(annotations.persons, annotations.keypoints, ()).persons
    ids = persons.loc[persons["split"] == split, "person_id"].to_numpy()
    values = joints_of(annotations.keypoints, ids)
    areas = persons.set_index("person_id").loc[ids, "area"].to_numpy(dtype=np.float64)
    rng = np.random.default_rng(0)
    joints = np.nan_to_num(values[..., :2]) + rng.normal(size=(*values.shape[:2], 2)) * noise * np.sqrt(areas)[:, None, None]
    scores = rng.random(values.shape[:2]) if noise else np.ones(values.shape[:2])
    table = Predictions.validate(join_joints(ids, joints, scores.astype(np.float32), "score"))
    return coco_results(table, persons, annotations.skeleton.category_id)


def test_truth_passed_through_reader_and_writer_is_perfect(tiny_coco):
    # One person without keypoints, which COCO ignores, and a dog.
    unlabelled = {**tiny_coco.person(9, 1, (1, 1, 9, 9), []), "num_keypoints": 0}
    dog = {"id": 50, "image_id": 1, "category_id": 3, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}
    tiny_coco.change("val2017", lambda content: content["annotations"].extend([unlabelled, dog]))
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    annotations = read_annotations(folder, source)
    results = perfect_results(annotations, "val")
    assert len(results) == 3
    sigmas, category, truth = (
        annotations.skeleton.oks_sigmas,
        annotations.skeleton.category_id,
        folder.annotation_file(source, "val2017"),
    )
    found = evaluate_coco(truth, json.loads(json.dumps(results)), sigmas, category_id=category).metric_values
    assert found["AP"] == pytest.approx(1.0)
    assert found["AR"] == pytest.approx(1.0)
    # One person of three missed: recall and precision fall to two thirds (101 recall points, 67 of them up to 2/3).
    found = evaluate_coco(truth, results[1:], sigmas, category_id=category).metric_values
    assert found["AR"] == pytest.approx(2 / 3)
    assert found["AP"] == pytest.approx(67 / 101)


def test_precision_of_persons_with_a_crop(tiny_coco):
    """One of three persons was rejected and has no prediction: missed under `coco`, ignored under `crops`."""
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    annotations = read_annotations(folder, source)
    results, truth = perfect_results(annotations, "val"), folder.annotation_file(source, "val2017")
    accepted = filter_persons(annotations.persons, annotations.keypoints, ()).persons
    kept = accepted[accepted["split"] == "val"].iloc[1:]
    coco, images_of_coco = evaluate_precision(truth, results[1:], annotations.skeleton, 0, 50, "coco", kept)
    crops, images_of_crops = evaluate_precision(truth, results[1:], annotations.skeleton, 0, 50, "crops", kept)
    assert coco.by_name["oks_ap"].value == pytest.approx(67 / 101)
    assert crops.by_name["oks_ap"].value == pytest.approx(1.0)
    assert [values.by_name["oks_ap"].persons for values in (coco, crops)] == [3, 2]
    assert [values.by_name["oks_ap"].protocol for values in (coco, crops)] == ["coco", "crops"]
    # A result of the rejected person is not a false positive, at any score.
    sure = [{**results[0], "score": 2.0}, *results[1:]]
    found = evaluate_precision(truth, sure, annotations.skeleton, 0, 50, "crops", kept)[0].by_name
    assert found["oks_ap"].value == pytest.approx(1.0)
    assert list(found) == ["oks_ap", "oks_ap50", "oks_ap75", "oks_ar"]
    assert images_of_crops == images_of_coco == sorted(load_ids(truth))


def load_ids(truth):
    return {image["id"] for image in load_annotation_file(truth)["images"]}


@pytest.mark.real_data
@pytest.mark.parametrize("noise", [0.0, 0.08])
def test_real_persons_score_as_in_pycocotools(real_data, tmp_path, noise):
    """Call pycocotools directly on the two files."""
    root = real_data / "coco_subset"
    folder, source = CocoFolder(root), SourceOptions()
    annotations = read_annotations(folder, source)
    results = perfect_results(annotations, "val", noise)
    assert len(results) == 374
    write_json(tmp_path / "coco_results.json", results)
    truth_file = folder.annotation_file(source, "val2017")
    found = evaluate_coco(truth_file, results, annotations.skeleton.oks_sigmas).metric_values
    ours = evaluate_precision(truth_file, results, annotations.skeleton, 0, 100)[0].by_name

    truth = COCO()
    truth.dataset = load_annotation_file(truth_file)
    truth.createIndex()
    reference = COCOeval(truth, truth.loadRes(str(tmp_path / "coco_results.json")), "keypoints")
    reference.evaluate()
    reference.accumulate()
    reference.summarize()
    np.testing.assert_allclose(list(found.values()), reference.stats, rtol=1e-12)
    assert [ours[name].value for name in ("oks_ap", "oks_ap50", "oks_ap75", "oks_ar")] == pytest.approx(
        reference.stats[[0, 1, 2, 5]], abs=1e-9
    )
    assert found["AP"] > 0.99 if not noise else 0.2 < found["AP"] < 0.9
    assert ours["oks_ap"].low <= found["AP"] <= ours["oks_ap"].high
    assert ours["oks_ap"].persons == 374

import copy
import gzip
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posescope.core.errors import DataError
from posescope.core.skeleton import COCO_PERSON
from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.evaluation.metrics.average_precision import COCO_METRICS, evaluate_coco
from posescope.evaluation.metrics.base import MetricError

SIGMAS = COCO_PERSON.oks_sigmas


@pytest.fixture(scope="module")
def truth():
    """Return twelve images with up to three persons; every fourth image has a crowd, and one person has no keypoints."""
    rng = np.random.default_rng(0)
    annotations = []
    for image in range(1, 13):
        for own in range(rng.integers(1, 4)):
            x, y, side = *rng.uniform(0, 300, 2), rng.uniform(40, 200)
            visibility = rng.integers(0, 3, 17) * (image != 5)
            points = rng.uniform(0, side, (17, 2)) + np.array([x, y])
            keypoints = np.c_[points * (visibility > 0)[:, None], visibility].round(1)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "keypoints": keypoints.ravel().tolist(),
                    "num_keypoints": int((visibility > 0).sum()),
                    "bbox": [x, y, side, side],
                    "area": 0.5 * side**2,
                    "iscrowd": int(image % 4 == 0 and own == 0),
                }
            )
    category = {"id": 1, "name": "person", "keypoints": list(COCO_PERSON.joints)}
    return {"images": [{"id": i} for i in range(1, 13)], "annotations": annotations, "categories": [category]}


@pytest.fixture(scope="module")
def results(truth):
    rng = np.random.default_rng(1)
    found = []
    for record in truth["annotations"]:
        points = np.array(record["keypoints"]).reshape(17, 3)
        points[:, :2] += rng.normal(0, 0.06 * record["bbox"][2], (17, 2))
        points[:, 2] = 1
        found.append(
            {"image_id": record["image_id"], "category_id": 1, "keypoints": points.ravel().tolist(), "score": rng.random()}
        )
    return found


def reference(truth, results, images=None):
    expected = COCO()
    expected.dataset = copy.deepcopy(truth)
    expected.createIndex()
    evaluation = COCOeval(expected, expected.loadRes(copy.deepcopy(results)), "keypoints")
    if images is not None:
        evaluation.params.imgIds = images
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("images", [None, [1, 2, 3, 8]])
def test_equals_pycocotools_and_is_silent(truth, results, images, capsys) -> None:
    stats = reference(truth, results, images)
    capsys.readouterr()
    found = evaluate_coco(truth, results, SIGMAS, images).metric_values
    assert capsys.readouterr().out == ""
    assert tuple(found) == COCO_METRICS
    np.testing.assert_array_equal(list(found.values()), np.where(stats < 0, np.nan, stats))
    assert 0 < found["AP"] < 1


def test_inputs_are_not_modified(truth, results) -> None:
    before = copy.deepcopy((truth, results))
    evaluate_coco(truth, results, SIGMAS)
    assert (truth, results) == before


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
def test_reads_files(truth, results, tmp_path, suffix) -> None:
    path = tmp_path / f"annotations{suffix}"
    text = json.dumps(truth)
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode())
    assert evaluate_coco(path, results, SIGMAS).metric_values == evaluate_coco(truth, results, SIGMAS).metric_values


def test_without_results_all_values_are_0(truth) -> None:
    found = evaluate_coco(truth, [], SIGMAS).metric_values
    assert (found["AP"], found["AP50"], found["AR"]) == (0.0, 0.0, 0.0)


def test_perfect_results_have_ap_1(truth) -> None:
    known = [record for record in truth["annotations"] if record["num_keypoints"]]
    perfect = [{key: r[key] for key in ("image_id", "category_id", "keypoints")} | {"score": 1.0} for r in known]
    found = evaluate_coco(truth, perfect, SIGMAS).metric_values
    assert found["AP"] == pytest.approx(1.0)
    assert found["AR"] == pytest.approx(1.0)


def test_annotation_may_have_the_id_0(truth, results) -> None:
    """In pycocotools the id 0 means no match, so a person with this id could never be found."""
    renumbered = copy.deepcopy(truth)
    for number, record in enumerate(renumbered["annotations"]):
        record["id"] = number
    assert evaluate_coco(renumbered, results, SIGMAS).metric_values == evaluate_coco(truth, results, SIGMAS).metric_values


def test_skeleton_s_sigmas_count(truth, results) -> None:
    wide = evaluate_coco(truth, results, [10 * s for s in SIGMAS]).metric_values
    assert wide["AP"] > evaluate_coco(truth, results, SIGMAS).metric_values["AP"]


def test_custom_data_without_counts_and_crowd_flags(truth, results) -> None:
    without_area = copy.deepcopy(truth)
    for record in without_area["annotations"]:
        del record["num_keypoints"]
        if not record["iscrowd"]:
            del record["iscrowd"]
    assert evaluate_coco(without_area, results, SIGMAS).metric_values == evaluate_coco(truth, results, SIGMAS).metric_values


def truth_with_malformed_records(truth):
    """Return the truth with additional malformed records of images, annotations and categories."""
    damaged = copy.deepcopy(truth)
    valid = damaged["annotations"][0]
    changes = [
        {"keypoints": [1] * 50},
        {"keypoints": [*valid["keypoints"][:-1], "2"]},
        {"keypoints": "none"},
        {"bbox": [1, 2, -3, 4]},
        {"bbox": [1, 2, 3]},
        {"bbox": [1, 2, "3", 4]},
        {"image_id": None},
        {"image_id": [1]},
        {"iscrowd": 3},
    ]
    malformed = [{**valid, "id": 1000 + number, **change} for number, change in enumerate(changes)]
    malformed += [{key: value for key, value in valid.items() if key != missing} | {"id": 2000} for missing in ("image_id",)]
    dog = {"id": 3000, "image_id": 1, "category_id": 3, "keypoints": [1, 2, 2]}
    damaged["annotations"] += [*malformed, "a string", dog]
    damaged["images"] += [{"file_name": "no id"}, None]
    damaged["categories"] += [{"name": "no id"}, "dog"]
    return damaged


def test_malformed_records_are_left_out_and_counted(truth, results, caplog) -> None:
    found = evaluate_coco(truth_with_malformed_records(truth), results, SIGMAS, category_id=1).metric_values
    assert found == evaluate_coco(truth, results, SIGMAS, category_id=1).metric_values
    assert "11 malformed records of the annotation file are left out; the first: annotation 1000, keypoints" in caplog.text


@pytest.mark.parametrize("gap", [{"keypoints": None}, {"keypoints": []}, {"keypoints": None, "num_keypoints": None}])
def test_null_keypoints_are_unlabelled(truth, results, gap) -> None:
    unlabelled = next(record for record in truth["annotations"] if not record["num_keypoints"])
    changed = copy.deepcopy(truth)
    changed["annotations"][unlabelled["id"] - 1].update(gap)
    assert (
        evaluate_coco(changed, results, SIGMAS, category_id=1).metric_values
        == evaluate_coco(truth, results, SIGMAS).metric_values
    )


def test_missing_area_is_replaced_by_that_of_the_box(truth, results) -> None:
    without_area, full = copy.deepcopy(truth), copy.deepcopy(truth)
    for area_free, record in zip(without_area["annotations"], full["annotations"], strict=True):
        del area_free["area"]
        record["area"] = 0.53 * (record["bbox"][2] * record["bbox"][3])
    found = evaluate_coco(without_area, results, SIGMAS, category_id=1).metric_values
    np.testing.assert_equal(found, evaluate_coco(full, results, SIGMAS).metric_values)
    assert found["AP"] != evaluate_coco(truth, results, SIGMAS).metric_values["AP"]


@pytest.mark.parametrize("area", [0, 1, -1, None, "large", float("nan")])
def test_invalid_area_is_replaced_by_that_of_the_box(truth, results, area) -> None:
    without_area, damaged = copy.deepcopy(truth), copy.deepcopy(truth)
    for area_free, record in zip(without_area["annotations"], damaged["annotations"], strict=True):
        del area_free["area"]
        is_person = record["num_keypoints"] and not record["iscrowd"]  # a small area is plausible for crowds
        record["area"] = area if is_person else None
    expected = evaluate_coco(without_area, results, SIGMAS, category_id=1).metric_values
    np.testing.assert_equal(evaluate_coco(damaged, results, SIGMAS, category_id=1).metric_values, expected)


def test_labelled_persons_count_whatever_num_keypoints_states(truth, results, caplog) -> None:
    stale = copy.deepcopy(truth)
    for record in stale["annotations"][::2]:
        record["num_keypoints"] = 0
    with caplog.at_level("INFO"):
        found = evaluate_coco(stale, results, SIGMAS, category_id=1)
    expected = evaluate_coco(truth, results, SIGMAS, category_id=1)
    assert found.matches.persons.sum() == expected.matches.persons.sum()
    np.testing.assert_equal(found.metric_values, expected.metric_values)
    assert "num_keypoints" in caplog.text


def test_ids_as_text_or_floats_are_converted(truth, results) -> None:
    changed = copy.deepcopy(truth)
    for image in changed["images"]:
        image["id"] = str(image["id"])
    for record in changed["annotations"]:
        record |= {"image_id": float(record["image_id"]), "category_id": "1", "id": str(record["id"])}
    found = evaluate_coco(changed, results, SIGMAS, category_id=1).metric_values
    np.testing.assert_equal(found, evaluate_coco(truth, results, SIGMAS, category_id=1).metric_values)


def test_record_without_keypoints_is_not_malformed(truth, results, caplog) -> None:
    more = copy.deepcopy(truth)
    empty = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 0, 0], "keypoints": [], "num_keypoints": 0, "area": 0}
    more["annotations"] += [{**empty, "id": 5000 + number} for number in range(5)]
    found = evaluate_coco(more, results, SIGMAS, category_id=1).metric_values
    np.testing.assert_equal(found, evaluate_coco(truth, results, SIGMAS, category_id=1).metric_values)
    assert "malformed" not in caplog.text


def test_without_persons_an_error_is_raised(truth, results) -> None:
    with pytest.raises(MetricError, match="persons"):
        evaluate_coco(truth, results, SIGMAS, image_ids=[5])


def test_wrong_number_of_joints_or_an_unknown_image_is_an_error(truth, results) -> None:
    with pytest.raises(MetricError, match="51"):
        evaluate_coco(truth, results, SIGMAS[:14])
    with pytest.raises(MetricError, match="999"):
        evaluate_coco(truth, [{**results[0], "image_id": 999}], SIGMAS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "1", True, [1.0], 1e300], ids=repr)
def test_invalid_number_is_an_error(truth, results, value) -> None:
    """In pycocotools a NaN joint matches every person, with AP 1."""
    for place in (0, 1, 2, 50):
        keypoints = [1.0] * 51
        keypoints[place] = value
        with pytest.raises(MetricError, match=f"place {place} "):
            evaluate_coco(truth, [*results, {**results[0], "keypoints": keypoints}], SIGMAS)
    if not isinstance(value, float) or value != 1e300:
        with pytest.raises(MetricError, match="score"):
            evaluate_coco(truth, [*results, {**results[0], "score": value}], SIGMAS)


def test_other_fields_of_results_are_ignored(truth, results) -> None:
    """From a caption or box in the first record, pycocotools infers another kind of results."""
    more = {"caption": "a person", "bbox": [0, 0, 1, 1], "segmentation": [], "area": -1, "id": 7}
    assert (
        evaluate_coco(truth, [{**one, **more} for one in results], SIGMAS).metric_values
        == evaluate_coco(truth, results, SIGMAS).metric_values
    )


def test_file_name_overrides_the_image_id(truth, results) -> None:
    named = copy.deepcopy(truth)
    for image in named["images"]:
        image["file_name"] = f"clip/{image['id']}.jpg"
    moved = [{**one, "file_name": f"/data/clip/{one['image_id']}.jpg", "image_id": 13 - one["image_id"]} for one in results]
    assert evaluate_coco(named, moved, SIGMAS).metric_values == evaluate_coco(truth, results, SIGMAS).metric_values


def test_results_of_another_category_only_are_an_error(truth, results) -> None:
    with pytest.raises(MetricError, match="category"):
        evaluate_coco(truth, [{**one, "category_id": 0} for one in results[:2]], SIGMAS, category_id=1)


def test_other_files_are_an_error(tmp_path) -> None:
    with pytest.raises(DataError, match="absent"):
        load_annotation_file(tmp_path / "absent.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(DataError, match="list"):
        load_annotation_file(tmp_path / "list.json")
    (tmp_path / "broken.json.gz").write_bytes(b"not gzip")
    with pytest.raises(DataError, match="JSON"):
        load_annotation_file(tmp_path / "broken.json.gz")

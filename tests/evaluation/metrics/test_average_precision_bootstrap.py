"""Tests of posescope.evaluation.metrics.average_precision_bootstrap."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posescope.core.skeleton import COCO_PERSON
from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.evaluation.bootstrap import ImageResamples, resample_images
from posescope.evaluation.metrics.average_precision import evaluate_coco
from posescope.evaluation.metrics.average_precision_bootstrap import resample_average_precision

SIGMAS = COCO_PERSON.oks_sigmas


def make_scene(seed, images=12, ties=False):
    """Return crowds, persons without keypoints, images without persons or results, wrong results, and optionally equal scores."""
    rng = np.random.default_rng(seed)
    annotations, results = [], []
    for image in range(1, images + 1):
        for _ in range(rng.integers(0, 4) if image > 1 else 2):
            x, y, side = *rng.uniform(0, 300, 2), rng.uniform(40, 200)
            visibility = rng.integers(0, 3, 17) * (rng.random() > 0.1)
            visibility[0] = 2 if image == 1 else visibility[0]
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
                    "iscrowd": int(image > 1 and rng.random() < 0.15),
                }
            )
            if image % 5:
                noise = rng.choice([0.02, 0.06, 0.5]) * side
                found = np.c_[points + rng.normal(0, noise, (17, 2)), np.ones(17)]
                score = float(rng.integers(1, 4)) if ties else float(rng.random())
                results.append({"image_id": image, "category_id": 1, "keypoints": found.ravel().tolist(), "score": score})
    category = {"id": 1, "name": "person", "keypoints": list(COCO_PERSON.joints)}
    return {"images": [{"id": i} for i in range(1, images + 1)], "annotations": annotations, "categories": [category]}, results


def every_image_once(image_ids):
    return ImageResamples(np.asarray(image_ids), np.ones((1, len(image_ids)), dtype=np.float32))


def assert_same(evaluation, tolerance=1e-9):
    found = resample_average_precision(evaluation.matches, every_image_once(evaluation.matches.image_ids))
    assert set(found) == {"AP", "AP50", "AP75", "AR"}
    for name, value in found.items():
        assert value.shape == (1,)
        assert value[0] == pytest.approx(evaluation.metric_values[name], abs=tolerance)


@pytest.mark.parametrize("ties", [False, True])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_image_drawn_once_equals_pycocotools(ties, seed) -> None:
    assert_same(evaluate_coco(*make_scene(seed, ties=ties), SIGMAS))


def copies(truth, results, counts):
    """Return the images of a draw as separate images with their records."""
    images, annotations, found = [], [], []
    for image, count in enumerate(counts, start=1):
        for _ in range(count):
            images.append({"id": len(images) + 1})
            own = {"image_id": len(images)}
            annotations += [{**a, **own, "id": len(annotations) + 1} for a in truth["annotations"] if a["image_id"] == image]
            found += [{**r, **own} for r in results if r["image_id"] == image]
    for number, record in enumerate(annotations, start=1):
        record["id"] = number
    return {**truth, "images": images, "annotations": annotations}, found


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_draw_equals_pycocotools_on_copied_images(seed) -> None:
    truth, results = make_scene(seed)
    draws = resample_images(np.arange(1, 13), seed=seed, resamples=3)
    draws.counts[:, 0] += 1  # this image has a person that counts
    resampled = resample_average_precision(evaluate_coco(truth, results, SIGMAS).matches, draws)
    for row, counts in enumerate(draws.counts.astype(int)):
        expected = evaluate_coco(*copies(truth, results, counts), SIGMAS).metric_values
        for name in ("AP", "AP50", "AP75", "AR"):
            assert resampled[name][row] == pytest.approx(expected[name], abs=1e-9)


def test_resampled_precision_by_hand() -> None:
    """Three images with one person each: found with a high score, found with a low score, and a false alarm between the two."""
    keypoints = np.c_[np.arange(17) * 10.0, np.arange(17) * 5.0, np.full(17, 2)]
    far = keypoints + np.array([5000.0, 0, 0])
    person = {"category_id": 1, "keypoints": keypoints.ravel().tolist(), "num_keypoints": 17, "bbox": [0, 0, 160, 80]}
    annotations = [{**person, "id": i, "image_id": i, "area": 6000, "iscrowd": 0} for i in (1, 2, 3)]
    truth = {"images": [{"id": i} for i in (1, 2, 3)], "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}
    results = [
        {"image_id": image, "category_id": 1, "keypoints": points.ravel().tolist(), "score": score}
        for image, points, score in ((1, keypoints, 0.9), (3, far, 0.8), (2, keypoints, 0.7))
    ]
    matches = evaluate_coco(truth, results, SIGMAS).matches
    counts = np.array([[1, 1, 1], [0, 2, 1], [3, 0, 0], [0, 0, 3]], dtype=np.float32)
    found = resample_average_precision(matches, ImageResamples(np.array([1, 2, 3]), counts))
    np.testing.assert_allclose(found["AR"], [2 / 3, 2 / 3, 1, 0])
    # Once each: recall 1/3 (34 recall points, 0 among them) at precision 1, then 2/3 (33 more) at 2/3.
    # Image 2 twice, image 3 once: a false alarm, then two hits: 67 points at 2/3. Only image 1: AP 1. Only image 3: AP 0.
    np.testing.assert_allclose(found["AP"], [(34 + 33 * 2 / 3) / 101, 67 * (2 / 3) / 101, 1, 0])
    np.testing.assert_array_equal(found["AP50"], found["AP75"])


def test_without_results_or_persons_in_the_draw() -> None:
    truth, _ = make_scene(0)
    evaluation = evaluate_coco(truth, [], SIGMAS)
    assert_same(evaluation)
    empty = ImageResamples(evaluation.matches.image_ids, np.zeros((2, 12), dtype=np.float32))
    for results in ([], make_scene(0)[1]):
        found = resample_average_precision(evaluate_coco(truth, results, SIGMAS).matches, empty)
        assert all(np.isnan(values).all() for values in found.values())


def test_order_of_results_does_not_matter() -> None:
    truth, results = make_scene(3)
    draws = resample_images(np.arange(1, 13), seed=0, resamples=20)
    one, other = (resample_average_precision(evaluate_coco(truth, r, SIGMAS).matches, draws) for r in (results, results[::-1]))
    np.testing.assert_array_equal(one["AP"], other["AP"])


@pytest.mark.real_data
def test_real_persons_with_noisy_predictions(real_data) -> None:
    (path,) = (real_data / "coco_subset" / "annotations").glob("person_keypoints_val2017.json*")
    truth = load_annotation_file(path)
    rng = np.random.default_rng(0)
    results = []
    for record in truth["annotations"]:
        points = np.array(record["keypoints"], dtype=float).reshape(17, 3)
        points[:, :2] += rng.normal(0, rng.choice([0.02, 0.1]) * np.sqrt(record["area"]), (17, 2))
        entry = {"image_id": record["image_id"], "category_id": 1, "keypoints": points.ravel().tolist()}
        results.append(entry | {"score": round(float(rng.random()), 2)})
    evaluation = evaluate_coco(truth, json.loads(json.dumps(results)), SIGMAS)
    assert 0.1 < evaluation.metric_values["AP"] < 0.9
    assert_same(evaluation)

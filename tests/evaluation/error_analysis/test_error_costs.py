import numpy as np
import pandas as pd
import pytest

from posescope.core.skeleton import Skeleton
from posescope.evaluation.bootstrap import resample_images
from posescope.evaluation.error_analysis.error_costs import ALL_ERRORS, error_cost_table

NAN = np.nan
SKELETON = Skeleton(("nose", "left_hand", "right_hand"), (), (0.1, 0.1, 0.1), category_id=7)


def truth_of(scored) -> dict:
    """Return the annotation file of these persons."""
    annotations = [
        {
            "id": number, "image_id": int(image), "category_id": 7, "iscrowd": 0, "area": float(area), "bbox": [0, 0, 100, 50],
            "num_keypoints": int((visibility > 0).sum()),
            "keypoints": np.concatenate([np.nan_to_num(joints), visibility[:, None]], axis=1).ravel().tolist(),
        }
        for number, (image, area, joints, visibility) in enumerate(
            zip(scored.image_ids, scored.areas, scored.truth, scored.visibility, strict=True), 1
        )
    ]  # fmt: skip
    images = [{"id": int(image), "width": 200, "height": 200, "file_name": f"{image}.jpg"} for image in scored.image_ids]
    return {"images": images, "annotations": annotations, "categories": [{"id": 7, "name": "person"}]}


@pytest.fixture
def scored(make_scored):
    """Two persons with an image each: the first has one miss, the second one unlabelled joint; all else is perfect."""
    truth = np.array([[[50, 50], [20, 80], [80, 80]], [[50, 50], [20, 80], [NAN, NAN]]])
    predicted = np.array([[[50, 50], [20, 80], [190, 190]], [[50, 50], [20, 80], [7, 7]]], dtype=float)
    return make_scored(predicted, truth, [[2, 2, 2], [2, 1, 0]], skeleton=SKELETON)


def test_error_costs_by_hand(scored) -> None:
    persons = pd.DataFrame({"person_id": scored.person_ids, "image_id": scored.image_ids})
    types = np.array([[0, 0, 4], [0, 0, -1]], dtype=np.int8)
    table = error_cost_table(scored, types, truth_of(scored), persons, resample_images(scored.image_ids, 0, 20))
    rows = table.set_index("type")
    # The OKS of the first person is 2 / 3: correct at four of ten thresholds. At the other six it is the first result (the
    # scores are equal) and wrong, so that precision is 1/2 at the 51 recalls up to 1/2 and 0 beyond.
    assert rows["oks_ap"].tolist() == pytest.approx([0.4 + 0.6 * 0.5 * 51 / 101] * 6)
    assert rows.loc["miss", "oks_ap_corrected"] == rows.loc[ALL_ERRORS, "oks_ap_corrected"] == pytest.approx(1)
    assert rows.loc["miss", "ap_gain"] == pytest.approx(1 - rows.loc["miss", "oks_ap"])
    assert rows.loc["miss", "oks_gain"] == pytest.approx(1 / 3 / 2)
    assert rows["joints"].to_dict() == {"jitter": 0, "inversion": 0, "swap": 0, "miss": 1, "not found": 0, "all": 1}
    free = rows.loc[["jitter", "inversion", "swap", "not found"], ["ap_gain", "oks_gain"]]
    np.testing.assert_array_equal(free, np.zeros((4, 2)))
    assert (rows[["persons", "not_found", "ap_protocol"]] == [2, 0, "coco"]).all(axis=None)


def test_precision_is_of_the_given_annotations(scored) -> None:
    """Only the second person counts. The first result is ignored where it matches (4 thresholds), else a false alarm."""
    persons = pd.DataFrame({"person_id": scored.person_ids, "image_id": scored.image_ids})
    types = np.array([[0, 0, 4], [0, 0, -1]], dtype=np.int8)
    draws, truth = resample_images(scored.image_ids, 0, 20), truth_of(scored)
    table = error_cost_table(scored, types, truth, persons, draws, annotation_ids=[2])
    assert table["oks_ap"].tolist() == pytest.approx([0.4 + 0.6 / 2] * 6)
    assert table.set_index("type").loc["miss", "oks_ap_corrected"] == pytest.approx(1)


def test_unknown_precision_is_nan_and_the_rest_stays(scored) -> None:
    persons = pd.DataFrame({"person_id": scored.person_ids, "image_id": scored.image_ids})
    types = np.array([[0, 0, 4], [0, 0, -1]], dtype=np.int8)
    draws, truth = resample_images(scored.image_ids, 0, 20), truth_of(scored)
    with_it = error_cost_table(scored, types, truth, persons, draws)
    without = error_cost_table(scored, types, truth, persons, draws, with_precision=False)
    of_precision = ["oks_ap", "oks_ap_corrected", "ap_gain"]
    assert without[of_precision].isna().all(axis=None)
    pd.testing.assert_frame_equal(without.drop(columns=of_precision), with_it.drop(columns=of_precision))


def test_corrected_person_without_prediction_is_ranked_last(make_scored) -> None:
    """A false alarm, a perfect person, and a person without prediction and with an unlabelled joint."""
    truth = np.array([[[50, 50], [20, 80], [80, 80]], [[50, 50], [20, 80], [80, 80]], [[50, 50], [20, 80], [NAN, NAN]]])
    predicted = np.array([truth[0] + 150, truth[1], np.full((3, 2), NAN)])
    scores = np.array([[0.2] * 3, [0.9] * 3, [NAN] * 3])
    scored = make_scored(predicted, truth, [[2, 2, 2], [2, 2, 2], [2, 1, 0]], scores=scores, skeleton=SKELETON)
    types = np.array([[4, 4, 4], [0, 0, 0], [5, 5, -1]], dtype=np.int8)
    persons = pd.DataFrame({"person_id": scored.person_ids, "image_id": scored.image_ids})
    table = error_cost_table(scored, types, truth_of(scored), persons, resample_images(scored.image_ids, 0, 20))
    rows = table.set_index("type")
    assert (rows[["persons", "not_found"]] == [3, 1]).all(axis=None)
    # One of three is correct and ranked first: precision 1 at the 34 recalls up to 1/3.
    assert rows.loc["not found", "oks_ap"] == pytest.approx(34 / 101)
    # With a prediction, the third is ranked after the false positive: precision 2/3 at 33 more recalls up to 2/3.
    assert rows.loc["not found", "oks_ap_corrected"] == pytest.approx(34 / 101 + 33 / 101 * 2 / 3)
    assert rows.loc["not found", ["joints", "oks_gain"]].tolist() == pytest.approx([2, 1 / 3])
    assert rows.loc["all", ["joints", "oks_ap_corrected"]].tolist() == pytest.approx([5, 1])

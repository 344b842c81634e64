"""Another system's results in the place of a model's predictions. (Asking the model: tests of crop_predictions.)"""

import json

import pytest

from posescope.errors import DataError
from posescope.inference.people import read_results


def test_read(tmp_path) -> None:
    path = tmp_path / "results.json"
    records = [{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 1], "score": 0.5}]
    path.write_text(json.dumps(records))
    assert read_results(path) == records


@pytest.mark.parametrize("text", ["not json", '{"annotations": []}', "[1, 2]"])
def test_what_are_no_results_is_refused(tmp_path, text) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"results\.json: expected .*COCO keypoint results"):
        read_results(path)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match=r"evaluation\.results"):
        read_results(tmp_path / "absent.json")

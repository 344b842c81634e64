"""FiftyOne: files that fiftyone 1.22.1 wrote, and faults."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.labelling.label_examples import SKELETON, example_labels

from posescope.labelling.coco_labels import read_coco_labels
from posescope.labelling.fiftyone_dataset import read_fiftyone, write_fiftyone
from posescope.labelling.label_set import UNLABELLED, Joint, LabelError

FILES = Path(__file__).parent / "files"


def test_samples_of_fiftyone_are_read(tmp_path: Path) -> None:
    shutil.copy(FILES / "fiftyone_1.22.1_samples.json", tmp_path / "samples.json")
    labels = read_fiftyone(tmp_path, SKELETON, images=Path("/photos"))
    assert [image.name for image in labels.images] == ["a.png", "sub/b.png"]
    first, second = labels.images[0].persons
    assert first.joints == (Joint(16, 12, 1, 0.9), UNLABELLED, Joint(32, 36, 2, 0.8))
    assert (first.box, first.side) == ((8, 6, 32, 36), {"iscrowd": 0})
    assert (second.joints[1], second.box) == (Joint(32, 24, 2), None)


def test_coco_of_fiftyone_needs_the_joints_and_has_scores_of_joints() -> None:
    path = FILES / "fiftyone_1.22.1_coco.json"
    first, second = read_coco_labels(path, skeleton=SKELETON).images[0].persons
    assert first.joints == (Joint(16, 12, 1, 0.9), UNLABELLED, Joint(32, 36, 2, 0.8))
    assert (first.score, second.labelled_count) == (None, 3)
    with pytest.raises(Exception, match="keypoints"):
        read_coco_labels(path)


def test_written_samples_name_their_classes(tmp_path: Path) -> None:
    write_fiftyone(example_labels(), tmp_path, tmp_path)
    samples = json.loads((tmp_path / "samples.json").read_text())["samples"]
    points = samples[0]["keypoints"]["keypoints"][0]
    assert samples[0]["filepath"] == str(tmp_path / "a.png")
    assert (points["_cls"], points["index"], points["visible"]) == ("Keypoint", 0, [2, 1, 0])
    assert [math.isnan(value) for value in points["points"][2]] == [True, True]
    assert read_fiftyone(tmp_path, images=tmp_path).images == example_labels().images


def sample(**fields: Any) -> dict[str, Any]:
    point = {"_cls": "Keypoint", "label": "person", "points": [[0.5, 0.5]] * 3, **fields.pop("point", {})}
    keypoints = {"_cls": "Keypoints", "keypoints": [point]}
    return {"filepath": "a.png", "metadata": {"width": 8, "height": 4}, "keypoints": keypoints, **fields}


@pytest.mark.parametrize(
    "wrong",
    [
        sample(filepath=7),
        sample(filepath="../a.png"),
        sample(metadata=None),
        sample(metadata={"width": 0, "height": 4}),
        sample(point={"points": [[0.5, 0.5]]}),
        sample(point={"points": [[0.5]] * 3}),
        sample(point={"points": [["a", 1]] * 3}),
        sample(point={"visible": [3, 0, 0]}),
        sample(boxes={"_cls": "Detections", "detections": [{"bounding_box": [1]}]}),
        sample(boxes={"_cls": "Detections", "detections": [7]}),
    ],
    ids=str,
)
def test_malformed_sample_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "samples.json").write_text(json.dumps({"samples": [wrong]}))
    with pytest.raises(LabelError) as error:
        read_fiftyone(tmp_path, SKELETON)
    assert "\n" not in str(error.value)


def test_dataset_without_skeleton_or_samples_is_refused(tmp_path: Path) -> None:
    for content in ({"samples": []}, {"samples": 7}, 7):
        (tmp_path / "samples.json").write_text(json.dumps(content))
        with pytest.raises(LabelError):
            read_fiftyone(tmp_path)
    (tmp_path / "samples.json").write_text('{"samples": []}')
    (tmp_path / "metadata.json").write_text('{"info": {"default_skeleton": {"labels": 7}}}')
    with pytest.raises(LabelError):
        read_fiftyone(tmp_path)

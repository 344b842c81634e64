"""Label Studio: an export of its own server, key points without a parent, and faults."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from tests.labelling.label_examples import SKELETON, example_labels

from posescope.labelling.label_set import Joint, LabelError
from posescope.labelling.label_studio import read_label_studio, write_label_studio
from posescope.labelling.label_studio_interface import label_studio_interface

EXPORT = Path(__file__).parent / "files" / "label_studio_1.23.2.json"


def test_export_of_the_server_is_read() -> None:
    labels = read_label_studio(EXPORT, SKELETON)
    assert labels.images[:2] == example_labels().images
    assert labels.images[2].persons == ()
    assert len(labels.notes.lines) == 1


def test_interface_has_a_label_per_joint_in_order() -> None:
    view = fromstring(label_studio_interface(example_labels()))
    points = view.findall("KeyPointLabels/Label")
    assert [(one.get("value"), one.get("model_index")) for one in points] == [
        ("head", "0"),
        ("left_hand", "1"),
        ("right_hand", "2"),
    ]
    assert view.find("Choices[@perRegion='true']/Choice[@value='occluded']") is not None


def task(*results: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": 5, "data": {"image": "/data/upload/1/a%20b.png"}, "annotations": [{"result": list(results)}], **fields}


def region(kind: str, label: str, key: str, **fields: Any) -> dict[str, Any]:
    size = {"width": 50, "height": 50} if kind == "rectanglelabels" else {"width": 0.3}
    value = {"x": 10, "y": 20, **size, kind: [label], **fields.pop("value", {})}
    return {"id": key, "type": kind, "value": value, "original_width": 200, "original_height": 100, **fields}


def read(tmp_path: Path, *tasks: Any) -> Any:
    (tmp_path / "a.json").write_text(json.dumps(list(tasks)))
    return read_label_studio(tmp_path / "a.json", SKELETON)


def test_points_without_parent_belong_to_the_smallest_box_around_them(tmp_path: Path) -> None:
    small = region("rectanglelabels", "person", "small", value={"width": 20, "height": 20})
    large = region("rectanglelabels", "person", "large", value={"x": 0, "y": 0, "width": 90, "height": 90})
    points = [region("keypointlabels", "head", key) for key in ("p", "q")]
    far = region("keypointlabels", "left_hand", "r", value={"x": 80, "y": 80})
    (image,) = read(tmp_path, task(small, large, *points, far)).images
    first, second = image.persons
    assert (image.name, image.width, image.height) == ("a b.png", 200, 100)
    assert (first.box, first.labelled_count) == ((20, 20, 40, 20), 1)
    assert (second.joints[0], second.joints[1]) == (Joint(20, 20, 2), Joint(160, 80, 2))


def test_relation_joins_a_point_and_its_box(tmp_path: Path) -> None:
    boxes = [region("rectanglelabels", "person", key) for key in ("a", "b")]
    relation = {"type": "relation", "from_id": "p", "to_id": "b"}
    (image,) = read(tmp_path, task(*boxes, region("keypointlabels", "head", "p"), relation)).images
    assert [person.labelled_count for person in image.persons] == [0, 1]


def test_newest_annotation_that_was_not_cancelled_is_read(tmp_path: Path) -> None:
    results = [
        {"result": [region("keypointlabels", "head", "p", value={"x": x})], "updated_at": date, "was_cancelled": cancelled}
        for x, date, cancelled in ((1, "2026-01-01", False), (2, "2026-02-01", False), (3, "2026-03-01", True))
    ]
    (image,) = read(tmp_path, {"data": {"image": "a.png"}, "annotations": results}).images
    assert image.persons[0].joints[0].x == 4
    assert image.persons[0].box is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": "a.png", "kp": []},
        {"data": {"image": 7}, "annotations": []},
        {
            "data": {"image": "/data/local-files/?d=../a.png"},
            "annotations": [{"result": [region("keypointlabels", "head", "p")]}],
        },
        task(region("keypointlabels", "tail", "p")),
        task(region("keypointlabels", "head", "p"), region("keypointlabels", "head", "q")),
        task(region("keypointlabels", "head", "p"), region("keypointlabels", "left_hand", "p")),
        task(region("keypointlabels", "head", "p", value={"x": "a"})),
        task(region("keypointlabels", "head", "p", value={"keypointlabels": []})),
        task(region("keypointlabels", "head", "p", image_rotation=90)),
        task(region("rectanglelabels", "person", "p", value={"rotation": 5})),
        task(region("keypointlabels", "head", "p", original_width=None)),
        task({"type": "keypointlabels", "value": []}),
        task("text"),
        {"data": {"image": "a.png"}, "annotations": [7]},
    ],
    ids=str,
)
def test_malformed_export_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(LabelError) as error:
        read(tmp_path, copy.deepcopy(wrong))
    assert "\n" not in str(error.value)


def test_joints_are_found_without_a_skeleton(tmp_path: Path) -> None:
    write_label_studio(example_labels(), tmp_path / "a.json")
    assert read_label_studio(tmp_path / "a.json").skeleton.joints == ("head", "left_hand", "right_hand")
    (tmp_path / "b.json").write_text("[]")
    with pytest.raises(LabelError):
        read_label_studio(tmp_path / "b.json")


@pytest.mark.parametrize("prefix", ["/data/local-files/?d=mydata/photos/", "s3://photos/", "https://example.org/", ""])
def test_names_of_images_return_whatever_the_address(prefix: str, tmp_path: Path) -> None:
    base = example_labels()
    names = ["sub/a & b#1%41.png", "c.png"]
    images = [replace(image, name=name) for image, name in zip(base.images, names, strict=True)]
    write_label_studio(base.with_images(images), tmp_path / "tasks.json", image_prefix=prefix)
    assert [image.name for image in read_label_studio(tmp_path / "tasks.json", SKELETON).images] == names


def test_persons_without_boxes_stay_apart(tmp_path: Path) -> None:
    base = example_labels()
    persons = tuple(replace(one, box=None) for one in base.images[0].persons[:2])
    write_label_studio(base.with_images([replace(base.images[0], persons=persons)]), tmp_path / "tasks.json")
    (image,) = read_label_studio(tmp_path / "tasks.json", SKELETON).images
    assert [(one.id, one.joints) for one in image.persons] == [(one.id, one.joints) for one in persons]


def test_key_points_of_another_rectangle_are_left_out_with_it(tmp_path: Path) -> None:
    boxes = [region("rectanglelabels", label, label) for label in ("person", "dog")]
    points = [region("keypointlabels", "head", f"{name}-head", parentID=name) for name in ("person", "dog")]
    (image,) = read(tmp_path, task(*boxes, *points)).images
    assert [person.labelled_count for person in image.persons] == [1]
    assert read_label_studio(tmp_path / "a.json", SKELETON).notes.lines

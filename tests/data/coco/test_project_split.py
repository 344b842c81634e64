"""Tests of posescope.data.coco.project_split: splits that the project makes of one annotation file."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from posescope.core.errors import DataError
from posescope.core.tables import Persons
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.joined_annotations import select_images
from posescope.data.coco.project_split import ProjectSplit, groups_of_images
from posescope.data.coco.reader import Annotations, read_annotations
from posescope.data.crops.dataset_split import sample_splits
from posescope.data.crops.options import SplitOptions

CATEGORY = {"id": 1, "name": "person", "keypoints": ["nose", "neck"], "skeleton": [[1, 2]]}
NO_CALIBRATION = SplitOptions(max_calibration_fraction=0)


def write_export(root: Path, persons_of_image: list[int], video_of_image: list[object] | None = None) -> CocoFolder:
    """Write one folder of images and one annotation file with so many persons per image."""
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    for number, count in enumerate(persons_of_image, start=1):
        name = f"{number}.png"
        assert cv2.imwrite(str(root / "images" / name), np.full((40, 40, 3), number, np.uint8))
        video = {} if video_of_image is None else {"video": video_of_image[number - 1]}
        images.append({"id": number, "file_name": name, "height": 40, "width": 40, **video})
        for place in range(count):
            box, keypoints = [2 + place, 4, 20, 30], [8 + place, 8, 2, 9, 20, 1]
            identity = {"id": len(annotations) + 1, "image_id": number, "category_id": 1}
            annotations.append({**identity, "bbox": box, "area": 300, "iscrowd": 0, "keypoints": keypoints})
    content = {"images": images, "annotations": annotations, "categories": [CATEGORY]}
    (root / "labels.json").write_text(json.dumps(content))
    return CocoFolder(root)


def source_of(**split: object) -> SourceOptions:
    return SourceOptions(images="images", annotations="labels.json", split=ProjectSplit(**split))


def read_and_split(folder: CocoFolder, source: SourceOptions) -> tuple[Annotations, dict[str, int]]:
    """Return the annotations, and the numbers of persons of each split after the draw of the test set."""
    read = read_annotations(folder, source)
    final = sample_splits(read.persons, NO_CALIBRATION, source)
    for key in ("file_name", *({"group"} & set(final))):
        assert (final.groupby(key)["split"].nunique() == 1).all()
    return read, final["split"].value_counts().to_dict()


@pytest.mark.parametrize("seed", range(5))
def test_fractions_of_the_persons_are_met_by_whole_images(tmp_path, seed) -> None:
    # 3 x 3 + 31 x 1 = 40 persons: 0.1 of them are 4, 0.2 are 8.
    folder = write_export(tmp_path, [3, 3, 3] + [1] * 31)
    read, counts = read_and_split(folder, source_of(val=0.1, test=0.2, seed=seed))
    assert read.persons["split"].value_counts().to_dict() == {"train": 36, "val": 4}
    assert counts == {"train": 28, "val": 4, "test": 8}
    assert set(read.persons["source_split"]) == {"train2017"}
    assert "group" not in read.persons
    Persons.validate(read.persons)


def test_splits_are_given_by_the_seed(tmp_path) -> None:
    folder = write_export(tmp_path, [1] * 20)
    first, same, other = (read_annotations(folder, source_of(val=0.3, seed=seed)).persons["split"].tolist() for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_groups_are_not_divided(tmp_path) -> None:
    # Five videos of two images with two persons: 20 persons, four of each video. 0.2 of the persons are one video.
    folder = write_export(tmp_path, [2] * 10, [1, 1, "b", "b", "c", "c", "d", "d", "e", "e"])
    read, counts = read_and_split(folder, source_of(val=0.2, test=0.2, by="group", group="video"))
    assert counts == {"train": 12, "val": 4, "test": 4}
    assert set(read.persons["group"]) == {"1", "b", "c", "d", "e"}
    Persons.validate(read.persons)


def test_calibration_set_shares_no_group(tmp_path) -> None:
    folder = write_export(tmp_path, [1] * 40, [f"v{i // 2}" for i in range(40)])
    source = source_of(val=0.1, test=0.1, by="group", group="video")
    final = sample_splits(read_annotations(folder, source).persons, SplitOptions(max_calibration_fraction=0.2), source)
    assert final["split"].value_counts().to_dict() == {"train": 28, "val": 4, "test": 4, "calibration": 4}
    assert (final.groupby("group")["split"].nunique() == 1).all()


def test_groups_larger_than_the_validation_set_are_an_error(tmp_path) -> None:
    folder = write_export(tmp_path, [5, 5], ["a", "b"])
    with pytest.raises(DataError, match="smallest of 2 has 5"):
        read_annotations(folder, source_of(val=0.1, test=0, by="group", group="video"))


def test_groups_larger_than_the_test_set_are_logged(tmp_path, caplog) -> None:
    folder = write_export(tmp_path, [5, 5, 1], ["a", "b", "c"])
    _, counts = read_and_split(folder, source_of(val=0.1, test=0.1, by="group", group="video"))
    assert counts == {"train": 10, "val": 1}
    assert "The test set is empty" in caplog.text


@pytest.mark.parametrize("value", [None, 1.5, "", True, ["a"]])
def test_image_without_a_usable_group_is_an_error(tmp_path, value) -> None:
    folder = write_export(tmp_path, [1, 1], ["a", value])
    with pytest.raises(DataError, match="image 2"):
        read_annotations(folder, source_of(by="group", group="video"))


def test_groups_of_images_read_ids_like_the_reader() -> None:
    options = ProjectSplit(by="group", group="subject")
    images = [{"id": "7", "subject": 3}, {"id": 8.0, "subject": "x"}, {"id": None, "subject": "y"}, "no record"]
    assert groups_of_images(images, options, Path("labels.json")) == {7: "3", 8: "x"}


@pytest.mark.parametrize(
    "wrong", [{"val": 0.5, "test": 0.5}, {"val": 0}, {"by": "group"}, {"group": "video"}, {"by": "video"}, {"seed": -1}]
)
def test_contradictory_options_are_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        ProjectSplit(**wrong)


def test_selected_images_have_their_annotations_only(tmp_path) -> None:
    folder = write_export(tmp_path, [1, 2, 1])
    content = json.loads((folder.root / "labels.json").read_text())
    content["images"][1]["id"] = "2"
    found = select_images(content, [2, 9])
    assert [image["file_name"] for image in found["images"]] == ["2.png"]
    assert [record["id"] for record in found["annotations"]] == [2, 3]
    assert found["categories"] == [CATEGORY]

import json
from pathlib import Path

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.data.coco.reader import read_annotations
from posescope.data.coco.study_folder import AnnotatedImages, find_annotated_images, keypoint_category, make_study_folder

NAMES = ["nose", "left_hand", "right_hand"]


@pytest.fixture
def many(tiny_coco, tmp_path: Path) -> AnnotatedImages:
    """Twenty photographs with one or two persons."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    folder = tmp_path / "many" / "images"
    for number in range(1, 21):
        tiny_coco.root = tmp_path / "many"
        tiny_coco.write_image("images", f"{number}.png", rng.integers(0, 256, (40, 40, 3)).astype(np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "height": 40, "width": 40})
        annotations += [
            {"id": 2 * number + k, "image_id": number, "category_id": 7, "bbox": [5, 5, 20, 20], "area": 200, "iscrowd": 0,
             "keypoints": [10, 10, 2, 15, 15, 1, 0, 0, 0]}
            for k in range(1 + number % 2)
        ]  # fmt: skip
    category = {"id": 7, "name": "robot", "keypoints": NAMES, "skeleton": [[1, 2]]}
    path = tmp_path / "many" / "robots.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}))
    return AnnotatedImages(path, folder)


def test_halves_share_no_photograph_and_lose_none(many, tmp_path) -> None:
    study, source = make_study_folder([many], tmp_path, max_persons=100, seed=0)
    assert source.category == "robot"
    persons = read_annotations(study, source).persons
    halves = {split: set(rows["file_name"]) for split, rows in persons.groupby("split")}
    assert not halves["train"] & halves["val"]
    assert len(halves["train"]) == len(halves["val"]) == 10
    assert len(persons) == 30
    assert study.image_folder(source, "judged") == many.images
    assert not study.is_generated


def test_at_most_so_many_persons_by_seed(many, tmp_path) -> None:
    def chosen(seed: int) -> list[str]:
        study, source = make_study_folder([many], tmp_path, max_persons=6, seed=seed)
        persons = read_annotations(study, source).persons
        assert persons.groupby("split").size().max() <= 6
        assert persons.groupby("split").size().min() >= 5
        return persons["file_name"].tolist()

    assert chosen(0) == chosen(0)
    assert chosen(0) != chosen(1)


def test_two_files_are_used_as_they_are(tiny_coco, tmp_path) -> None:
    sources = find_annotated_images(tiny_coco.root)
    assert [source.annotations.name for source in sources] == ["person_keypoints_train2017.json", "person_keypoints_val2017.json"]
    assert [source.images.name for source in sources] == ["train2017", "val2017"]


def test_one_file_finds_its_images(many) -> None:
    assert find_annotated_images(many.annotations)[0].images == many.images
    assert find_annotated_images(many.annotations.parent) == (many,)


def test_images_that_are_not_found(many, tmp_path) -> None:
    lost = tmp_path / "lost.json"
    lost.write_text(many.annotations.read_text())
    with pytest.raises(DataError):
        find_annotated_images(lost)


def test_folder_with_several_files(many) -> None:
    (many.annotations.parent / "more.json").write_text("{}")
    with pytest.raises(DataError):
        find_annotated_images(many.annotations.parent)


def test_missing_photographs(many, tmp_path) -> None:
    for number in range(1, 4):
        (many.images / f"{number}.png").unlink()
    with pytest.raises(DataError):
        make_study_folder([many], tmp_path, max_persons=100, seed=0)


def test_a_single_missing_photograph_is_left_out(many, tmp_path) -> None:
    (many.images / "2.png").unlink()
    study, source = make_study_folder([many], tmp_path, max_persons=100, seed=0)
    assert len(read_annotations(study, source).persons) == 29


def test_too_few_persons(tiny_coco, tmp_path) -> None:
    with pytest.raises(DataError):
        make_study_folder(find_annotated_images(tiny_coco.root / "annotations/person_keypoints_val2017.json"), tmp_path, 100, 0)


@pytest.mark.parametrize("categories", [[], [{"name": "dog"}], [{"name": n, "keypoints": NAMES} for n in ("cat", "dog")]])
def test_category_that_is_not_clear(categories) -> None:
    with pytest.raises(DataError):
        keypoint_category({"categories": categories}, Path("file.json"))


def test_person_is_chosen_among_several() -> None:
    categories = [{"name": name, "keypoints": NAMES} for name in ("dog", "person")]
    assert keypoint_category({"categories": categories}, Path("file.json"))["name"] == "person"

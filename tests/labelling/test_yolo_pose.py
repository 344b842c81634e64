"""YOLO-pose: lines that Label Studio wrote, layouts of other programs, changed lines, and faults."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.labelling.label_examples import FIRST, SKELETON, example_labels

from posescope.core.errors import DataError
from posescope.core.skeleton import COCO_PERSON
from posescope.labelling.label_set import UNLABELLED, Joint, LabelError
from posescope.labelling.yolo_pose import read_yolo, write_yolo

LINES = (Path(__file__).parent / "files" / "label_studio_1.23.2_yolo.txt").read_text()
DATA = "train: images/train\nval: images/train\nnames: [person]\nkpt_shape: [3, 3]\n"


def make(root: Path, lines: str = LINES, data: str = DATA, folder: str = "images/train", labels: str = "labels/train") -> Path:
    for path in (root / folder, root / labels):
        path.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(root / folder / "a.png")
    (root / labels / "a.txt").write_text(lines)
    (root / "data.yaml").write_text(data)
    return root


def test_lines_of_label_studio_are_read(tmp_path: Path) -> None:
    labels = read_yolo(make(tmp_path), SKELETON)
    (image,) = labels.images
    assert (image.name, image.width, image.height, len(image.persons)) == ("train/a.png", 64, 48, 4)
    assert image.persons[0].joints == (Joint(20.25, 11, 2), Joint(8.5, 30.125, 2), UNLABELLED)  # Label Studio writes no 1
    assert (image.persons[0].box, image.persons[3].box) == ((4.5, 6, 30, 36.75), (0, 0, 64, 48))


def test_layout_of_roboflow_and_two_numbers_per_joint(tmp_path: Path) -> None:
    line = "0 0.5 0.5 0.5 0.5 0 0 0.25 0.5 0.75 0.5\n"
    data = "train: ../train/images\nval: ../train/images\nnames: {0: person}\nkpt_shape: [3, 2]\n"
    (image,) = read_yolo(make(tmp_path, line, data, "train/images", "train/labels"), SKELETON).images
    assert image.name == "train/images/a.png"
    assert image.persons[0].joints == (UNLABELLED, Joint(16, 24, 2), Joint(48, 24, 2))


def test_joints_are_coco_s_by_number_and_partners(tmp_path: Path) -> None:
    flip = list(COCO_PERSON.flip_indices)
    data = DATA.replace("[3, 3]", f"[{len(COCO_PERSON)}, 3]\nflip_idx: {flip}")
    labels = read_yolo(make(tmp_path, "", data))
    assert (labels.skeleton, len(labels.notes.lines), labels.images[0].persons) == (COCO_PERSON, 1, ())
    with pytest.raises(LabelError):
        read_yolo(make(tmp_path, "", data.replace("flip_idx: [0,", "flip_idx: [1,")))


def test_images_elsewhere_and_other_classes(tmp_path: Path) -> None:
    make(tmp_path / "photos", folder="train", labels="unused")
    root = make(tmp_path / "yolo", LINES.replace("0 0.5 0.5", "1 0.5 0.5"), DATA.replace("[person]", "[person, dog]"))
    (root / "images/train/a.png").unlink()
    with pytest.raises(DataError):
        read_yolo(root, SKELETON)
    labels = read_yolo(root, SKELETON, images=tmp_path / "photos/train")
    assert (labels.images[0].name, len(labels.images[0].persons), len(labels.notes.lines)) == ("a.png", 3, 1)


def test_changed_lines_keep_the_id_if_their_box_is_unchanged(tmp_path: Path) -> None:
    write_yolo(example_labels(), tmp_path)
    path = tmp_path / "labels" / "a.txt"
    first, second, *others = path.read_text().splitlines()
    moved, words = second.split(), first.split()
    moved[1] = "0.6"
    words[5] = "0.5"
    path.write_text("\n".join([" ".join(words), " ".join(moved), *others]))
    persons = read_yolo(tmp_path).images[0].persons
    assert (persons[0].id, persons[0].joints[0].x, persons[0].side) == (FIRST.id, 32, FIRST.side)
    assert (persons[1].id, persons[1].side) == (None, {})
    assert persons[3].side["iscrowd"] == 1  # from posescope.json: crowds have no line


def test_data_file_and_link_to_the_images(tmp_path: Path) -> None:
    images = make(tmp_path / "photos", folder=".", labels="unused")
    labels = example_labels()
    write_yolo(labels.with_images(labels.images[:1]), tmp_path / "yolo", images)
    text = (tmp_path / "yolo/data.yaml").read_text()
    assert "kpt_shape: [3, 3]" in text
    assert "flip_idx: [0, 2, 1]" in text
    assert (tmp_path / "yolo/images/a.png").is_file()
    for word in (tmp_path / "yolo/labels/a.txt").read_text().split():
        assert 0 <= float(word) <= 2
    assert read_yolo(tmp_path / "yolo").images == labels.images[:1]


def test_labels_of_other_programs_are_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(LabelError):
        write_yolo(example_labels(), make(tmp_path))


@pytest.mark.parametrize(
    ("lines", "data"),
    [
        ("0 0.5 0.5 0.5", DATA),
        (LINES.replace("0 0.5 0.5", "0 a 0.5"), DATA),
        (LINES.replace(" 2\n", " 3\n"), DATA),
        (LINES.replace("0.46875", "nan", 1), DATA),
        (LINES, DATA.replace("[3, 3]", "[3, 4]")),
        (LINES, DATA.replace("[3, 3]", "[2, 3]")),
        (LINES, DATA.replace("images/train", "../../etc")),
        (LINES, DATA.replace("images/train", "/etc")),
        (LINES, DATA.replace("[person]", "[cat, dog]")),
        (LINES, DATA.replace("[person]", "7")),
        (LINES, "names: &a [*a]\n"),
        (LINES, "a: &b [1]\nc: [*b, *b]\n"),
        (LINES, ": ["),
        (LINES, "7"),
    ],
    ids=str,
)
def test_malformed_data_set_is_refused(lines: str, data: str, tmp_path: Path) -> None:
    with pytest.raises(LabelError) as error:
        read_yolo(make(tmp_path, lines, data), SKELETON)
    assert "\n" not in str(error.value)


def test_damaged_side_file_and_repeated_stems_are_refused(tmp_path: Path) -> None:
    labels = example_labels()
    write_yolo(labels, tmp_path)
    for text in ("{}", "[]", '{"format": 2}', '{"format": 1, "images": {"a": 7}, "skeleton": {}}'):
        (tmp_path / "posescope.json").write_text(text)
        with pytest.raises(LabelError):
            read_yolo(tmp_path)
    twin = labels.images[0].__class__("a.jpg", 64, 48)
    with pytest.raises(LabelError):
        write_yolo(labels.with_images([labels.images[0], twin]), tmp_path / "new")


@pytest.mark.parametrize("split", ["train2017.txt", "nowhere/images", "."])
def test_missing_folder_is_an_error(split: str, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"data\.yaml"):
        read_yolo(make(tmp_path, data=DATA.replace("train: images/train", f"train: {split}")), SKELETON)

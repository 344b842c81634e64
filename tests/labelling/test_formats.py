"""Round trips of all formats, and what each keeps."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.labelling.label_examples import BOX_ONLY, SKELETON, example_labels, predicted_labels

from posescope.core.errors import DataError, OptionsError
from posescope.core.skeleton import COCO_PERSON
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations
from posescope.labelling.formats import FORMATS, ReadOptions, read_labels, read_skeleton_file, write_labels
from posescope.labelling.label_set import LabelError, LabelledPerson, LabelSet
from posescope.labelling.restoring import restore

OPTIONS = ReadOptions(skeleton=SKELETON)


def plain(labels: LabelSet, *, without: tuple[str, ...] = ()) -> list[object]:
    """Return the labels in a form that compares by value, without some side fields."""
    return [
        (image.name, image.width, image.height, [replace(one, side={k: v for k, v in one.side.items() if k not in without})
         for one in image.persons])
        for image in labels.images
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_round_trip_keeps_all_labels(name: str, tmp_path: Path) -> None:
    labels = example_labels()
    write_labels(labels, name, tmp_path / name)
    back = read_labels(tmp_path / name, name, OPTIONS)
    lost = ("segmentation",) if name == "cvat" else ()
    assert plain(back, without=lost) == plain(labels, without=lost)
    assert back.skeleton.joints == labels.skeleton.joints
    assert back.skeleton.limbs == labels.skeleton.limbs
    if name != "cvat":
        assert back.images == labels.images


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_round_trip_with_the_original_is_the_identity(name: str, tmp_path: Path) -> None:
    labels = example_labels()
    write_labels(labels, name, tmp_path / name)
    done = restore(read_labels(tmp_path / name, name, OPTIONS), labels)
    assert done.labels.images == labels.images
    assert (done.images, done.changed, done.added, done.removed) == (2, 0, 0, 0)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_labels_without_images_are_written_and_read(name: str, tmp_path: Path) -> None:
    write_labels(LabelSet(SKELETON, "person", ()), name, tmp_path / name)
    assert read_labels(tmp_path / name, name, OPTIONS).images == ()


@pytest.mark.parametrize("name", ["coco", "fiftyone", "label_studio", "yolo"])
def test_scores_of_predictions_are_kept(name: str, tmp_path: Path) -> None:
    labels = predicted_labels()
    write_labels(labels, name, tmp_path / name)
    person = read_labels(tmp_path / name, name, OPTIONS).images[0].persons[0]
    assert (person.joints, person.score) == (labels.images[0].persons[0].joints, 0.5)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_export_is_read_from_a_zip_archive(name: str, tmp_path: Path) -> None:
    files = write_labels(example_labels(), name, tmp_path / name)
    kept = files[:1] if name in ("label_studio", "cvat") else sorted((tmp_path / name).rglob("*"))
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for path in kept:
            archive.write(path, Path("task", path.relative_to(tmp_path / name)))
    assert read_labels(tmp_path / "export.zip", name, OPTIONS).person_count == 4


def test_written_coco_is_read_by_the_pipeline(tmp_path: Path) -> None:
    write_labels(example_labels(), "coco", tmp_path)
    source = SourceOptions(train_split="t", val_split="t", images=None, annotations="annotations.json")
    found = read_annotations(CocoFolder(tmp_path), source.model_copy(update={"split": None}))
    first = found.persons[found.persons["split"] == "train"].set_index("annotation_id").loc[7]
    assert (first["bbox_x"], first["area"], bool(first["is_crowd"])) == (4.0, 321.5, False)
    assert found.skeleton == SKELETON


def test_missing_box_and_area_follow_the_reader_of_the_project(tmp_path: Path) -> None:
    labels = example_labels()
    person = replace(labels.images[0].persons[1], box=None, side={}, id=None)
    image = replace(labels.images[0], persons=(person, replace(BOX_ONLY, box=None)))
    write_labels(labels.with_images([image]), "coco", tmp_path)
    first, second = json.loads((tmp_path / "annotations.json").read_text())["annotations"]
    assert first["bbox"] == pytest.approx([32.09, 3.79, 20.52, 19.49], abs=1e-3)  # margin 1.71
    assert first["area"] == pytest.approx(0.53 * 20.52 * 19.49, rel=1e-3)
    assert (first["id"], second["id"]) == (13, 12)
    assert second["bbox"] == [0, 0, 1, 1]


def test_unknown_format_and_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionsError):
        read_labels(tmp_path, "voc", OPTIONS)
    with pytest.raises(DataError):
        read_labels(tmp_path, "cvat", OPTIONS)
    with pytest.raises(DataError):
        read_labels(tmp_path / "none.zip", "cvat", OPTIONS)


def test_skeleton_is_read_from_annotations_and_from_a_run(tmp_path: Path) -> None:
    write_labels(example_labels(), "coco", tmp_path)
    assert read_skeleton_file(tmp_path / "annotations.json") == SKELETON
    (tmp_path / "skeleton.json").write_text(json.dumps(COCO_PERSON.to_dict()))
    assert read_skeleton_file(tmp_path / "skeleton.json") == COCO_PERSON
    (tmp_path / "skeleton.json").write_text('{"joints": ["head"]}')
    with pytest.raises(LabelError):
        read_skeleton_file(tmp_path / "skeleton.json")


def test_copied_person_gets_a_new_id(tmp_path: Path) -> None:
    labels = example_labels()
    image = labels.images[0]
    copy: LabelledPerson = replace(image.persons[0], box=(5, 6, 30, 36))
    write_labels(labels.with_images([replace(image, persons=(*image.persons, copy))]), "label_studio", tmp_path)
    back = read_labels(tmp_path, "label_studio", OPTIONS)
    assert [person.id for person in back.images[0].persons] == [7, 9, 12, 15, None]
    assert len(back.notes.lines) == 1

"""Tests of posescope.data.coco.folder: names and folders of the files of a data set."""

import gzip

import pytest
from pydantic import ValidationError

from posescope.core.errors import DataError
from posescope.data.coco.folder import CocoFolder, SourceOptions


def test_files_and_folders_follow_the_patterns(tiny_coco):
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    assert source.splits() == {"train": "train2017", "val": "val2017"}
    assert folder.annotation_file(source, "train2017") == tiny_coco.root / "annotations" / "person_keypoints_train2017.json"
    assert folder.image_folder(source, "val2017") == tiny_coco.root / "val2017"
    folder.check(source)


def test_folder_without_images_is_complete_if_no_images_are_configured(tmp_path):
    (tmp_path / "labels.json").touch()
    folder, source = CocoFolder(tmp_path), SourceOptions(images=None, annotations="labels.json")
    folder.check(source)
    with pytest.raises(DataError, match="images"):
        folder.image_folder(source, "train2017")


def test_annotations_are_required_if_no_images_are_configured(tmp_path):
    with pytest.raises(DataError, match="annotation"):
        CocoFolder(tmp_path).check(SourceOptions(images=None))


def test_other_patterns_are_applied(tmp_path):
    (tmp_path / "a" / "photos").mkdir(parents=True)
    (tmp_path / "a" / "labels.json").touch()
    source = SourceOptions(train_split="a", val_split="a", images="{split}/photos", annotations="{split}/labels.json")
    CocoFolder(tmp_path).check(source)
    assert CocoFolder(tmp_path).image_folder(source, "a") == tmp_path / "a" / "photos"


def test_gzipped_annotation_file_is_found_and_the_plain_one_is_preferred(tiny_coco):
    plain = tiny_coco.annotation_file("val2017")
    zipped = plain.with_name(f"{plain.name}.gz")
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    assert folder.annotation_file(source, "val2017") == plain
    plain.unlink()
    assert folder.annotation_file(source, "val2017") == zipped


def test_missing_annotation_file_is_named_with_a_remedy(tiny_coco):
    tiny_coco.annotation_file("val2017").unlink()
    with pytest.raises(DataError, match=r"\.json\.gz"):
        CocoFolder(tiny_coco.root).check(SourceOptions())


def test_missing_image_folder_is_named(tiny_coco):
    with pytest.raises(DataError, match="photos"):
        CocoFolder(tiny_coco.root).check(SourceOptions(images="photos"))


def test_missing_data_set_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        CocoFolder(tmp_path / "nowhere").check(SourceOptions())


def test_folder_is_complete_only_with_content(tmp_path):
    folder = CocoFolder(tmp_path / "data")
    assert not folder.is_finished()
    folder.root.mkdir()
    assert not folder.is_finished()
    (folder.root / "annotations").mkdir()
    assert folder.is_finished()


@pytest.mark.parametrize("field", ["images", "annotations"])
@pytest.mark.parametrize("pattern", ["/etc/{split}", "../{split}", "{split}/../../x"])
def test_patterns_that_leave_the_folder_are_refused(field, pattern):
    with pytest.raises(ValidationError, match="below"):
        SourceOptions(**{field: pattern})


@pytest.mark.parametrize("pattern", ["{splt}", "{split", "{}", "{split.name}"])
def test_patterns_with_another_placeholder_are_refused(pattern):
    with pytest.raises(ValidationError, match="placeholder"):
        SourceOptions(images=pattern)


@pytest.mark.parametrize("sigma", [0, -0.1, float("nan"), float("inf")])
def test_sigmas_of_zero_or_below_are_refused(sigma):
    with pytest.raises(ValidationError, match=r"oks_sigmas\.nose"):
        SourceOptions(oks_sigmas={"nose": sigma})


def test_test_persons_come_from_the_training_split():
    source = SourceOptions(train_split="a", val_split="b")
    assert [source.source_split_of(split) for split in ("train", "val", "test")] == ["a", "b", "a"]

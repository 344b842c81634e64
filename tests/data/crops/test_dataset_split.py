"""Tests of posescope.data.crops.dataset_split: sampling of test and calibration set by image, and counts of the splits."""

import json
import logging

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.core.plugins import ComponentSpec
from posescope.core.tables import Distribution, Persons
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import filter_persons
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.dataset_split import count_distribution, sample_splits
from posescope.data.crops.options import CropOptions, SplitOptions
from posescope.geometry.crop_recipe import CropRecipe

STATISTICS = CropStatistics((0.5, 0.5, 0.5), (32, 32), CropRecipe(rule=ComponentSpec(name="padded_square")), "d" * 16)


def persons(train, val):
    """Return persons of images with the given counts; training and validation images have the same ids and names."""
    rows = [
        (split, image) for split, counts in (("train", train), ("val", val)) for image, n in enumerate(counts) for _ in range(n)
    ]
    return Persons.validate(
        pd.DataFrame(
            {
                "person_id": np.arange(len(rows)),
                "source_split": [f"{split}2017" for split, _ in rows],
                "annotation_id": np.arange(len(rows)),
                "image_id": [image for _, image in rows],
                "file_name": [f"{image}.png" for _, image in rows],
                "split": [split for split, _ in rows],
                **dict.fromkeys(("image_h", "image_w", "bbox_w", "bbox_h", "area"), 9),
                **dict.fromkeys(("bbox_x", "bbox_y"), 0),
                "is_crowd": False,
            }
        )
    )


def without_calibration(**options):
    return SplitOptions(max_calibration_fraction=0, **options)


TRAIN, VAL = [1, 2, 3, 1, 2, 3, 1, 2, 3, 1] * 4, [2, 1, 3]  # 76 and 6 persons


@pytest.mark.parametrize("seed", range(5))
def test_test_set_has_the_requested_size_and_all_persons_of_its_images(seed):
    found = sample_splits(persons(TRAIN, VAL), without_calibration(seed=seed))
    assert found["split"].value_counts().to_dict() == {"train": 70, "val": 6, "test": 6}
    # No training image has persons in two splits; the validation set, with the same image ids, is unchanged.
    assert (found.groupby(["source_split", "image_id"])["split"].nunique() == 1).all()
    assert (found.loc[found["source_split"] == "val2017", "split"] == "val").all()
    assert (found.loc[found["split"] == "test", "source_split"] == "train2017").all()


def test_only_the_column_split_changes():
    before = persons(TRAIN, VAL)
    copy = before.copy()
    found = sample_splits(before, without_calibration())
    assert before.equals(copy)
    assert found.drop(columns="split").equals(before.drop(columns="split"))


def test_sampling_is_seeded():
    draws = [sample_splits(persons(TRAIN, VAL), without_calibration(seed=seed))["split"].tolist() for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]


def test_sampling_is_independent_of_the_row_order():
    table = persons(TRAIN, VAL)
    expected = sample_splits(table, without_calibration())
    reversed_rows = sample_splits(table[::-1].reset_index(drop=True), without_calibration())
    assert expected["split"].tolist() == reversed_rows["split"].tolist()[::-1]


def test_image_that_exceeds_the_size_is_skipped():
    # The test set has one person, as val. Only image 2 has a single person, so that it is selected with every seed.
    for seed in range(5):
        found = sample_splits(persons([3, 3, 1, 3], [1]), without_calibration(seed=seed))
        assert found.loc[found["split"] == "test", "image_id"].tolist() == [2]


def test_two_records_of_one_image_get_the_same_split():
    # Images 2k and 2k + 1 are the same file, with one person each.
    table = persons([1] * 20, [5])
    duplicates = table.assign(file_name=[f"{image // 2}.png" for image in table["image_id"]])
    for seed in range(5):
        found = sample_splits(duplicates, without_calibration(seed=seed, max_test_fraction=0.5))
        assert (found["split"] == "test").sum() == 4
        assert (found.groupby(["source_split", "file_name"])["split"].nunique() == 1).all()


def test_sampling_depends_on_image_ids_and_not_on_file_names():
    """Renamed files have the same test set."""
    table = persons(TRAIN, VAL)
    renamed = table.assign(file_name=[f"{999 - image}.png" for image in table["image_id"]])
    expected = sample_splits(table, without_calibration())
    assert sample_splits(renamed, without_calibration())["split"].tolist() == expected["split"].tolist()


def test_one_image_file_in_two_splits_is_an_error():
    duplicates = persons([1] * 10, [1]).assign(source_split="all", image_id=range(11))
    with pytest.raises(DataError, match=r"0\.png"):
        sample_splits(duplicates, without_calibration(max_test_fraction=0))


def test_limit_of_the_test_set_is_logged(caplog):
    with caplog.at_level(logging.WARNING):
        found = sample_splits(persons([1] * 10, [4]), without_calibration(max_test_fraction=0.2))
    # 0.2 * 10 training persons = 2 < 4.
    assert (found["split"] == "test").sum() == 2
    assert "max_test_fraction = 0.2 of 10" in caplog.text


def test_test_set_below_the_limit_logs_no_warning(caplog):
    sample_splits(persons(TRAIN, VAL), without_calibration())
    assert caplog.text == ""


def test_test_fraction_of_zero_has_no_test_set():
    found = sample_splits(persons([1, 1], [1]), without_calibration(max_test_fraction=0))
    assert found["split"].tolist() == ["train", "train", "val"]


@pytest.mark.parametrize("seed", range(5))
def test_calibration_set_leaves_the_test_set_unchanged_and_shares_no_image(seed):
    table = persons(TRAIN, VAL)
    without = sample_splits(table, without_calibration(seed=seed))
    found = sample_splits(table, SplitOptions(seed=seed, max_calibration_fraction=0.05))
    # 0.05 * 76 training persons = 3; at most as many as the validation set, 6.
    assert found["split"].value_counts().to_dict() == {"train": 67, "val": 6, "test": 6, "calibration": 3}
    assert sample_splits(table, SplitOptions(seed=seed))["split"].value_counts()["calibration"] == 6
    assert (found["split"] == "test").equals(without["split"] == "test")
    assert (found.groupby(["source_split", "image_id"])["split"].nunique() == 1).all()
    assert (found.loc[found["split"] == "calibration", "source_split"] == "train2017").all()


@pytest.mark.parametrize(("train", "val", "missing"), [([1], [], "val"), ([], [1], "train"), ([], [], "train")])
def test_empty_split_is_an_error(train, val, missing):
    with pytest.raises(DataError, match=missing):
        sample_splits(persons(train, val), without_calibration())


def test_image_in_two_splits_is_an_error():
    one_split = persons([1] * 10, [1]).assign(source_split="all")
    with pytest.raises(DataError, match="Image"):
        sample_splits(one_split, without_calibration(max_test_fraction=0))


def store_of(folder, person_ids):
    """Return a finished store with a crop of each person."""
    store = CropStore(folder)
    store.begin()
    with store.shard_writer("shard-00000", "f", len(person_ids), crop_size=(2, 2)) as writer:
        for person in person_ids:
            writer.append(person, np.zeros((2, 2, 3), np.uint8), (0, 0, 0), 4)
    store.finish(["shard-00000"])
    return store


def test_distribution_by_hand(tmp_path):
    read = persons([1, 2, 2, 2, 2, 1], [2])
    drawn = sample_splits(read, without_calibration(seed=1, max_test_fraction=0.5))
    found = count_distribution(drawn, store_of(tmp_path, range(12)), read, STATISTICS)
    Distribution.validate(found)
    assert set(found["data"]) == {"d" * 16}
    table = found.set_index("split")
    # 12 persons are on 7 images; 2 of the 10 training persons are test persons, on one image or two.
    assert table["persons"].to_dict() == {"train": 8, "val": 2, "test": 2, "calibration": 0, "all": 12}
    assert table.loc["all", "images"] == table["images"][:4].sum() == 7
    assert table["images_with_persons"].equals(table["images"])  # no person was rejected
    np.testing.assert_allclose(table["persons_fraction"], [8 / 12, 2 / 12, 2 / 12, 0, 1])
    np.testing.assert_allclose(table["images_fraction"], table["images"] / 7)


def test_persons_without_crop_are_not_counted(tmp_path):
    # Training images with persons 0, (1, 2) and 3; validation image with 4. Persons 0 and 2 have no crop.
    read = persons([1, 2, 1], [1])
    found = count_distribution(read, store_of(tmp_path, [4, 1, 3]), read, STATISTICS).set_index("split")
    assert found["persons"].to_dict() == {"train": 2, "val": 1, "test": 0, "calibration": 0, "all": 3}
    assert found["images"].to_dict() == {"train": 2, "val": 1, "test": 0, "calibration": 0, "all": 3}
    assert found["images_with_persons"].to_dict() == {"train": 3, "val": 1, "test": 0, "calibration": 0, "all": 4}
    np.testing.assert_allclose(found["persons_fraction"], [2 / 3, 1 / 3, 0, 0, 1])


def test_images_with_persons_are_counted_before_any_rejection(tmp_path):
    # Images: training 0 (persons 0, 1), 1 (2), 2 (3, a crowd), 3 (4, rejected), 4 (5, 6; 6 is rejected); validation 0 (7), 1 (8,
    # rejected).
    read = persons([2, 1, 1, 1, 2], [1, 1]).assign(is_crowd=[number == 3 for number in range(9)])
    accepted = read[read["person_id"].isin([0, 2, 5, 7])]
    # Image 1 is in the test set, image 4 in the calibration set. Image 0 has one accepted person and counts once.
    final = accepted.assign(split=["train", "test", "calibration", "val"])
    found = count_distribution(final, store_of(tmp_path, [0, 2, 5, 7]), read, STATISTICS).set_index("split")
    assert found["images"].to_dict() == {"train": 1, "val": 1, "test": 1, "calibration": 1, "all": 4}
    assert found["images_with_persons"].to_dict() == {"train": 3, "val": 2, "test": 1, "calibration": 1, "all": 7}
    assert list(read["split"]) == ["train"] * 7 + ["val"] * 2  # the input is not changed


@pytest.mark.real_data
def test_images_with_persons_on_photographs(real_data, tmp_path):
    """Images with any person annotation are counted, which gives 66,808 on the official files."""
    source = real_data / "coco_subset"
    expected = {}
    for split in ("train", "val"):
        content = json.loads((source / "annotations" / f"person_keypoints_{split}2017.json").read_text())
        expected[split] = len({record["image_id"] for record in content["annotations"]})
    read = read_annotations(CocoFolder(source), SourceOptions())
    accepted = box_persons(filter_persons(read.persons, read.keypoints, ()).persons, read.keypoints, CropOptions()).persons
    drawn = sample_splits(accepted, without_calibration())
    found = count_distribution(drawn, store_of(tmp_path, drawn["person_id"]), read.persons, STATISTICS).set_index("split")
    images = found["images_with_persons"]
    assert images["val"] == expected["val"]
    assert images["train"] + images["test"] + images["calibration"] == expected["train"]
    assert images["all"] == sum(expected.values())
    assert images["test"] == found.loc["test", "images"] > 0
    assert (found["images"] <= images).all()
    assert found.loc["val", "images"] < images["val"]  # some photographs have no person that can be centred

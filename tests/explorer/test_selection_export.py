"""Export of a selection: round trip through the reader, ids of two splits, and errors."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from posescope.core.errors import DataError
from posescope.core.files import write_json
from posescope.data.coco.reader import Annotations, read_coco
from posescope.explorer.run_places import RunPlaces
from posescope.explorer.selection_export import EXPORT_USES, export_selection


@pytest.fixture
def run(tiny_coco: Any, tmp_path: Path) -> tuple[Annotations, Path]:
    """Return the annotations of the tiny data set, and a data_dir with them."""
    read = read_coco(tiny_coco.root)
    data_dir = tmp_path / "data"
    for folder in ("02_intermediate", "03_primary"):
        (data_dir / folder).mkdir(parents=True)
    read.persons.to_parquet(data_dir / "03_primary" / "persons.parquet")
    read.keypoints.to_parquet(data_dir / "02_intermediate" / "keypoints.parquet")
    write_json(data_dir / "02_intermediate" / "skeleton.json", read.skeleton.to_dict())
    return read, data_dir


def test_all_persons_come_back_through_the_reader(run: tuple[Annotations, Path], tiny_coco: Any, tmp_path: Path) -> None:
    read, data_dir = run
    copy = tmp_path / "copy"
    (copy / "annotations").mkdir(parents=True)
    for one in export_selection(RunPlaces.of_data_dir(data_dir), read.persons["person_id"].to_numpy(), "person"):
        (copy / "annotations" / f"person_keypoints_{one.split}.json").write_text(json.dumps(one.content))
        shutil.copytree(tiny_coco.root / one.split, copy / one.split)
    again = read_coco(copy)
    pd.testing.assert_frame_equal(again.persons, read.persons)
    pd.testing.assert_frame_equal(again.keypoints, read.keypoints)
    assert again.skeleton == read.skeleton
    assert again.issues.empty


def test_each_split_has_its_file_with_the_original_ids(run: tuple[Annotations, Path]) -> None:
    read, data_dir = run
    chosen = read.persons[read.persons["annotation_id"] == 1]["person_id"].to_numpy()[::-1]
    files = export_selection(RunPlaces.of_data_dir(data_dir), chosen, "dog")
    assert [(one.split, one.name, one.persons) for one in files] == [
        ("train2017", "selected_train2017.json", 1),
        ("val2017", "selected_val2017.json", 1),
    ]
    assert [one["name"] for one in files[0].content["categories"]] == ["dog"]
    record = files[0].content["annotations"][0]
    assert (record["id"], record["bbox"], record["num_keypoints"]) == (1, [10, 10, 20, 30], 3)
    assert record["posescope"] == {"person_id": int(chosen[1])}
    assert [image["file_name"] for image in files[0].content["images"]] == ["one.png"]


def test_no_person_gives_no_file(run: tuple[Annotations, Path]) -> None:
    assert export_selection(RunPlaces.of_data_dir(run[1]), np.empty(0, dtype=np.int64), "person") == ()


def test_unknown_person_and_missing_table_are_errors(run: tuple[Annotations, Path]) -> None:
    with pytest.raises(DataError, match="999"):
        export_selection(RunPlaces.of_data_dir(run[1]), np.array([999]), "person")
    (run[1] / "02_intermediate" / "keypoints.parquet").unlink()
    with pytest.raises(DataError, match="keypoints"):
        export_selection(RunPlaces.of_data_dir(run[1]), np.array([0]), "person")


def test_three_uses_are_explained_in_a_line_each() -> None:
    assert [name for name, _ in EXPORT_USES] == ["Relabel", "Remove", "Train on"]
    assert all("\n" not in text and text.endswith(".") for _, text in EXPORT_USES)

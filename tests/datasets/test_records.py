"""Tests of posescope.datasets.records."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from kedro.io import DatasetError

from posescope.core.errors import DataError
from posescope.core.skeleton import COCO_PERSON
from posescope.datasets import RecordDataset


@pytest.fixture
def dataset(tmp_path: Path) -> RecordDataset:
    return RecordDataset(record="posescope.core.skeleton.Skeleton", filepath=str(tmp_path / "below" / "skeleton.json"))


def test_round_trip(dataset: RecordDataset) -> None:
    assert not dataset.exists()
    dataset.save(COCO_PERSON)
    assert dataset.exists()
    assert dataset.load() == COCO_PERSON


def test_missing_file_is_named(dataset: RecordDataset) -> None:
    with pytest.raises(DatasetError, match=r"skeleton\.json") as caught:
        dataset.load()
    assert isinstance(caught.value.__cause__, DataError)


def test_file_that_is_not_json_is_named(dataset: RecordDataset, tmp_path: Path) -> None:
    dataset.save(COCO_PERSON)
    (tmp_path / "below" / "skeleton.json").write_text("{")
    with pytest.raises(DatasetError, match="JSON"):
        dataset.load()


def test_another_type_is_refused(dataset: RecordDataset) -> None:
    with pytest.raises(DatasetError, match="dict"):
        dataset.save({"joints": []})
    assert not dataset.exists()


def test_failed_save_keeps_the_old_file(dataset: RecordDataset, tmp_path: Path) -> None:
    dataset.save(COCO_PERSON)
    before = (tmp_path / "below" / "skeleton.json").read_bytes()
    with pytest.raises(DatasetError, match="JSON"):
        dataset.save(replace(COCO_PERSON, oks_sigmas=(float("nan"),)))
    assert (tmp_path / "below" / "skeleton.json").read_bytes() == before
    assert [path.name for path in (tmp_path / "below").iterdir()] == ["skeleton.json"]


def test_unknown_record_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match="Skeletton"):
        RecordDataset(record="posescope.core.skeleton.Skeletton", filepath=str(tmp_path / "skeleton.json"))


def test_description_contains_record_and_path(dataset: RecordDataset, tmp_path: Path) -> None:
    assert dataset._describe() == {"record": "Skeleton", "filepath": str(tmp_path / "below" / "skeleton.json")}


def test_preview_is_the_file(dataset: RecordDataset) -> None:
    dataset.save(COCO_PERSON)
    assert COCO_PERSON.from_dict(json.loads(dataset.preview())) == COCO_PERSON


def test_record_loads_a_dotted_path_only_if_allowed(tmp_path: Path) -> None:
    """The record of a search contains its recipe, which is validated by its components."""
    dotted = "posescope.models.hourglass:Hourglass"
    recipe = {"codec": {"name": "gaussian"}, "model": {"name": dotted}, "training": {}}
    content = {"fingerprint": "f", "data_fingerprint": "d", "recipe": recipe, "space": {}, "trials": []}
    arguments = {"record": "posescope.tuning.records.TuningRecord", "filepath": str(tmp_path / "tuning.json")}
    (tmp_path / "tuning.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=f"{dotted}.* by a dotted path"):
        RecordDataset(**arguments).load()
    assert RecordDataset(**arguments, allow=[dotted]).load().recipe.model.name == dotted

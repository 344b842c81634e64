"""Requests of explanations: equal for the same model, photographs and options, and answered by complete results only."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.cli.untrained_models import save_untrained

from posescope.core.errors import DataError
from posescope.explorer.run_places import RunPlaces
from posescope.kedro_support.explanation_request import ExplanationRequest, read_request
from posescope.kedro_support.model_explanation import ExplanationOptions
from posescope.sample.generator import generate_sample
from posescope.sample.options import SampleOptions

VAL = "annotations/person_keypoints_val2017.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `model` and `sample`."""
    root = tmp_path_factory.mktemp("request")
    save_untrained(root / "model")
    generate_sample(root / "sample", SampleOptions(train_persons=3, val_persons=6, workers=1))
    return root


def request(folder: Path, **options: Any) -> ExplanationRequest:
    return read_request(folder / "model", folder / "sample" / VAL, None, ExplanationOptions(**options))


def test_same_model_photographs_and_options_have_one_fingerprint(folder: Path, tmp_path: Path) -> None:
    first = request(folder)
    shutil.copytree(folder, tmp_path / "copy")  # with the times of the files
    assert request(tmp_path / "copy").fingerprint == request(folder, device="cpu").fingerprint == first.fingerprint
    assert len(first.fingerprint) == 16


@pytest.mark.parametrize("changed", [{"seed": 1}, {"max_persons": 7}, {"keep_inputs": True}, {"analyses": ("truncation",)}])
def test_other_options_are_another_request(folder: Path, changed: dict[str, Any]) -> None:
    assert request(folder, **changed).fingerprint != request(folder).fingerprint


def test_other_model_annotations_or_images_are_another_request(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    known = {request(copy).fingerprint}
    save_untrained(copy / "model", seed=1)
    known.add(request(copy).fingerprint)
    (copy / "model" / "uncertainty.json").write_text("{}")
    known.add(request(copy).fingerprint)
    content = json.loads((copy / "sample" / VAL).read_text())
    content["annotations"].pop()
    (copy / "sample" / VAL).write_text(json.dumps(content))
    known.add(request(copy).fingerprint)
    os.utime(copy / "sample" / "val2017" / content["images"][-1]["file_name"], ns=(1, 1))
    known.add(request(copy).fingerprint)
    (copy / "sample" / "val2017" / content["images"][-1]["file_name"]).unlink()
    known.add(request(copy).fingerprint)
    assert len(known) == 6


def test_only_a_complete_folder_of_this_request_answers_it(folder: Path, tmp_path: Path) -> None:
    own = request(folder)
    assert not own.is_answered_in(tmp_path)
    table, record = RunPlaces.of_output(tmp_path).table, tmp_path / "results" / "explanation.json"
    table.parent.mkdir(parents=True)
    record.write_text(json.dumps(own.record))
    assert not own.is_answered_in(tmp_path)  # no table
    table.write_bytes(b"")
    assert own.is_answered_in(tmp_path)
    assert not request(folder, seed=1).is_answered_in(tmp_path)
    record.write_text("{")
    assert not own.is_answered_in(tmp_path)


def test_record_of_an_earlier_request_is_removed_before_the_work(folder: Path, tmp_path: Path) -> None:
    record = tmp_path / "results" / "explanation.json"
    record.parent.mkdir()
    record.write_text("{}")
    with pytest.raises(DataError, match="photographs"):  # two persons in each half are too few
        request(folder, max_persons=3).answer_in(tmp_path, lambda step: None)
    assert not record.exists()

"""Tests of posescope.artifacts.migration: model folders of earlier format versions load with their fingerprint."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from posescope.artifacts.description import ModelFolderError, add_description_checksum, model_fingerprint, read_description
from posescope.artifacts.migration import FORMAT_VERSION, codec_of_format_2, migrate_to_current
from posescope.artifacts.model_folder import fingerprint_of_model, load_model, save_model
from posescope.core.files import fingerprint, sha256_of
from posescope.core.plugins import ComponentSpec, build

STORED = Path(__file__).with_name("model_format_2") / "model.json"
FIELDS = ("architecture", "codec", "skeleton", "crop_size", "mean_rgb", "crop", "weights_sha256")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a model folder of format 2: the stored description with new weights."""
    content = json.loads(STORED.read_text())
    network = build("models", ComponentSpec(**content["architecture"]), crop_size=tuple(content["crop_size"]), joint_count=17)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    content["weights_sha256"] = sha256_of(tmp_path / "model.safetensors")
    (tmp_path / "model.json").write_text(json.dumps(add_description_checksum(content)))
    return tmp_path


def test_format_2_loads_with_the_current_names(folder: Path) -> None:
    model = load_model(folder)
    assert model.codec_spec.options == {"decoder": "dark", "sigma_heatmap_px": 1.5, "stride": 4}
    provenance = model.provenance
    assert provenance["test_set_fingerprint"] == "53bfa8bbfd76ae0a"
    assert provenance["device"]["cuda_graph"] is False
    training = provenance["training"]
    assert training["image_grid_every_epochs"] == 5
    assert training["loss"]["options"] == {"foreground_weight": 40}
    assert training["schedule"]["options"] == {"warmup_fraction": 0.2, "start_fraction": 0.04, "final_fraction": 0.001}
    assert training["augmentations"] == [
        {"name": "colour_jitter", "options": {}},
        {"name": "half_body", "options": {"upper_probability": 0.25, "min_labelled_fraction": 0.8, "min_joints": 4}},
    ]


def test_migration_keeps_the_fingerprint(folder: Path, tmp_path: Path) -> None:
    stored = json.loads((folder / "model.json").read_text())
    expected = fingerprint({name: stored[name] for name in FIELDS})  # as format 2 computed it
    model = load_model(folder)
    assert model_fingerprint(folder) == expected
    assert fingerprint_of_model(model) == expected
    save_model(tmp_path / "again", model)
    assert json.loads((tmp_path / "again" / "model.json").read_text())["format_version"] == FORMAT_VERSION
    assert model_fingerprint(tmp_path / "again") == expected


def test_changed_description_of_format_2_is_refused(folder: Path) -> None:
    content = json.loads((folder / "model.json").read_text())
    content["codec"]["options"]["sigma_cells"] = 2.5
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelFolderError, match="changed"):
        read_description(folder)


@pytest.mark.parametrize("codec", [None, [], {"name": 3, "options": {}}, {"name": "gaussian", "options": 7}, {"name": "other"}])
def test_malformed_components_are_left_to_their_reader(codec: Any) -> None:
    content = {"codec": codec, "provenance": {"training": {"augmentations": [3, {"name": []}]}, "device": 1}}
    assert migrate_to_current(content) == {**content, "format_version": FORMAT_VERSION}
    assert codec_of_format_2(codec) == codec


def test_parts_of_a_model_are_migrated_too() -> None:
    content = {"codec": {}, "provenance": {"parts": {"hourglass": {"test_people": "ab"}}}}
    assert migrate_to_current(content)["provenance"] == {"parts": {"hourglass": {"test_set_fingerprint": "ab"}}}

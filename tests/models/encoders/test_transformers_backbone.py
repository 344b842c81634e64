"""Tests of posescope.models.encoders.transformers_backbone, on tiny networks with random weights."""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from posescope.core.errors import DataError, OptionsError
from posescope.core.plugins import ComponentSpec, build, restrict_dotted_paths
from posescope.models.encoders.base import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB
from posescope.models.encoders.transformers_backbone import TransformersBackbone

CONFIGS: dict[str, dict[str, Any]] = {
    "resnet": {"embedding_size": 8, "hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 1, 1], "layer_type": "basic"},
    "convnext": {"hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 1, 1]},
    "swin": {"embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 7},
    "dinov2": {"hidden_size": 16, "num_hidden_layers": 8, "num_attention_heads": 2, "mlp_ratio": 2, "image_size": 56},
}
STRIDES = {"resnet": (4, 8, 16, 32), "convnext": (4, 8, 16, 32), "swin": (4, 8, 16, 32), "dinov2": (14,) * 4}
SIZES = {"resnet": (64, 96), "convnext": (64, 96), "swin": (64, 96), "dinov2": (56, 84)}


def make(kind: str, **options: Any) -> TransformersBackbone:
    torch.manual_seed(0)
    given = {"config": {"model_type": kind, **CONFIGS[kind]}, "pretrained": False, **options}
    encoder: TransformersBackbone = build("encoders", ComponentSpec(name="transformers", options=given))
    return encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier as on the hub: its weights have a prefix, and its preprocessor states the normalisation."""
    from transformers import AutoConfig, AutoModelForImageClassification  # noqa: PLC0415

    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("resnet")
    AutoModelForImageClassification.from_config(AutoConfig.for_model("resnet", **CONFIGS["resnet"])).save_pretrained(path)
    preprocessor = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "image_processor_type": "ConvNextImageProcessor"}
    (path / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return path


@pytest.mark.parametrize("kind", CONFIGS)
def test_maps_have_the_declared_channels_and_strides(kind: str) -> None:
    encoder, (height, width) = make(kind).eval(), SIZES[kind]
    maps = encoder(torch.randn(2, 3, height, width))
    assert encoder.strides == STRIDES[kind]
    assert [tuple(item.shape) for item in maps] == [
        (2, channels, height // stride, width // stride)
        for channels, stride in zip(encoder.channels, encoder.strides, strict=True)
    ]


@pytest.mark.parametrize("kind", CONFIGS)
def test_stored_options_rebuild_the_encoder(kind: str) -> None:
    encoder = make(kind)
    stored = json.loads(json.dumps(encoder.stored_options()))
    again = build("encoders", ComponentSpec(name="transformers", options=stored))
    again.load_state_dict(encoder.state_dict())
    images = torch.randn(1, 3, *SIZES[kind])
    for first, second in zip(encoder.eval()(images), again.eval()(images), strict=True):
        assert torch.equal(first, second)
    assert again.stored_options() == stored


@pytest.mark.parametrize("kind", CONFIGS)
def test_encoder_can_be_built_without_memory_and_copied(kind: str) -> None:
    encoder = make(kind)
    with torch.device("meta"):
        empty = make(kind)
    shapes = {name: value.shape for name, value in encoder.state_dict().items()}
    assert {name: value.shape for name, value in empty.state_dict().items()} == shapes
    images, copied = torch.randn(1, 3, *SIZES[kind]), copy.deepcopy(encoder.eval())
    assert torch.equal(encoder(images)[-1], copied(images)[-1])


def test_four_layers_of_a_vision_transformer_are_read() -> None:
    assert make("dinov2").stored_options()["out_indices"] == [2, 4, 6, 8]
    assert len(make("dinov2", out_indices=[3, 8]).channels) == 2


def test_weights_and_normalisation_of_a_folder(folder: Path) -> None:
    from transformers import AutoModelForImageClassification  # noqa: PLC0415

    encoder = build("encoders", ComponentSpec(name="transformers", options={"folder": folder}))
    origin = encoder.load_initial_weights()
    assert (origin["name"], len(origin["sha256_of_tensors"])) == (folder.as_posix(), 64)
    assert (encoder.mean_rgb, encoder.std_rgb) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    whole = AutoModelForImageClassification.from_pretrained(folder).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = whole.resnet(images, output_hidden_states=True).hidden_states[1:]
        for found, state in zip(encoder.eval()(images), expected, strict=True):
            torch.testing.assert_close(found, state, atol=1e-6, rtol=0)
    stored = encoder.stored_options()
    assert "folder" not in stored
    assert (stored["mean_rgb"], stored["std_rgb"]) == ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    assert folder.name not in json.dumps(stored)


def test_normalisation_is_that_of_imagenet_unless_stated() -> None:
    assert (make("resnet").mean_rgb, make("resnet").std_rgb) == (IMAGENET_MEAN_RGB, IMAGENET_STD_RGB)
    assert make("resnet", mean_rgb=[0.5, 0.5, 0.5]).mean_rgb == (0.5, 0.5, 0.5)


def test_folder_with_pickled_weights_only_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    torch.save({"a": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    encoder = build("encoders", ComponentSpec(name="transformers", options={"folder": tmp_path}))
    with pytest.raises(DataError, match="weights"):
        encoder.load_initial_weights()


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    other = {"folder": folder, "config": {"model_type": "convnext", **CONFIGS["convnext"]}}
    with pytest.raises(DataError, match="missing"):
        build("encoders", ComponentSpec(name="transformers", options=other)).load_initial_weights()


def test_settings_that_load_code_or_kernels_are_left_out() -> None:
    config = {
        "model_type": "dinov2",
        **CONFIGS["dinov2"],
        "attn_implementation": "other/kernel",
        "auto_map": {"AutoModel": "a.B"},
    }
    encoder = make("dinov2", config=config)
    assert encoder._config._attn_implementation in ("sdpa", "eager")
    assert {"auto_map", "attn_implementation"}.isdisjoint(encoder.stored_options()["config"])


@pytest.mark.parametrize("kind", ["bert", "timm_backbone", "no_such_type", None])
def test_configuration_of_no_backbone_is_refused(kind: str | None) -> None:
    with pytest.raises(OptionsError, match="transformers"):
        make("resnet", config={"model_type": kind})


@pytest.mark.parametrize("changes", [{"out_indices": [9]}, {"config": {"model_type": "resnet", "hidden_sizes": "wide"}}])
def test_wrong_fields_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(OptionsError, match="resnet"):
        make("resnet", **changes)


@pytest.mark.parametrize("options", [{}, {"folder": "a", "hub_id": "b/c"}, {"folder": "a", "unknown": 1}])
def test_exactly_one_source_is_expected(options: dict[str, Any]) -> None:
    with pytest.raises(OptionsError):
        build("encoders", ComponentSpec(name="transformers", options=options))


def test_missing_folder_is_an_error_without_a_download(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="configuration"):
        build("encoders", ComponentSpec(name="transformers", options={"folder": tmp_path / "absent"}))


@pytest.mark.parametrize("source", [{"hub_id": "a/b"}, {"folder": "weights"}])
def test_model_folder_reads_no_other_source(source: dict[str, str]) -> None:
    spec = ComponentSpec(name="transformers", options=source)
    with restrict_dotted_paths([]), pytest.raises(OptionsError, match="config"):
        build("encoders", spec)


def test_pretrained_without_a_source_is_refused() -> None:
    with pytest.raises(OptionsError, match="hub_id"):
        make("resnet", pretrained=True).load_initial_weights()


def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(OptionsError, match=r"posescope\[networks\]"):
        make("resnet")


def test_training_mode_is_kept() -> None:
    assert all(module.training for module in make("resnet").modules() if isinstance(module, nn.BatchNorm2d))

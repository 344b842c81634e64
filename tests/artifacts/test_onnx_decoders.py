"""Tests of exported models of each kind of network with each decoder: they predict as the model folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from posescope.artifacts.model_folder import save_model
from posescope.artifacts.onnx_export import export_onnx
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.crop_recipe import CropRecipe
from posescope.prediction.estimator import PoseEstimator
from posescope.training.initialisation import build_untrained

CROPS = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)
LITE = {"name": "efficientnet_lite", "options": {"pretrained": False}}
VITPOSE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2}
NETWORKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "hourglass": ("hourglass", {"channels": 8, "depth": 2, "bottleneck_residuals": 1}, "edges"),
    "fpn": ("encoder_decoder", {"encoder": LITE, "channels": 8}, "edges"),
    "deconvolution": ("encoder_decoder", {"encoder": LITE, "channels": 8, "decoder": "deconvolution"}, "edges"),
    "vitpose": ("vitpose", {"config": VITPOSE}, "corners"),
}


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["argmax", "quarter", "dark", "integral"])
@pytest.mark.parametrize("network", NETWORKS)
def test_exported_decoder_predicts_as_the_folder(network: str, decoder: str, tmp_path: Path) -> None:
    if network == "vitpose":
        pytest.importorskip("transformers")
    name, options, alignment = NETWORKS[network]
    model = build_untrained(
        model_spec=ComponentSpec(name=name, options=options),
        codec_spec=ComponentSpec(name="gaussian", options={"decoder": decoder, "alignment": alignment}),
        skeleton=COCO_PERSON,
        crop_size=(64, 64),
        mean_rgb=(0.1, 0.2, 0.3),
        crop=CropRecipe(rule=ComponentSpec(name="centred_square")),
        seed=0,
    )
    for layer in model.network.head_layers or ["head"]:
        for weight in model.network.get_submodule(layer).parameters() if name != "hourglass" else ():
            torch.nn.init.normal_(weight)  # heatmaps with distinct peaks
    save_model(tmp_path / "torch", model)
    check = export_onnx(tmp_path / "torch", tmp_path / "onnx", CROPS)
    assert check.joints_px < 0.01
    image = np.random.default_rng(1).integers(0, 256, (90, 70, 3)).astype(np.uint8)
    for flip_test in (False, True):
        first, second = (
            PoseEstimator.load(tmp_path / folder).predict_one(image, flip_test=flip_test) for folder in ("torch", "onnx")
        )
        assert np.isfinite(first.joints).all()
        np.testing.assert_allclose(first.joints, second.joints, atol=0.02)

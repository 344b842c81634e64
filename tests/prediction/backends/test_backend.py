"""Tests of posescope.prediction.backends.backend."""

from typing import Any

import numpy as np
import pytest

from posescope.artifacts.description import ModelFolderError, read_description
from posescope.prediction.backends.backend import open_backend


def test_exported_models_use_onnx_runtime_and_trained_ones_torch(model_folders: Any) -> None:
    assert open_backend(read_description(model_folders.onnx)).name == "onnx"
    assert open_backend(read_description(model_folders.torch), device="cpu").name == "torch"


def test_onnx_needs_an_exported_model(model_folders: Any) -> None:
    with pytest.raises(ModelFolderError, match="export"):
        open_backend(read_description(model_folders.torch), "onnx")


@pytest.mark.parametrize("flip_test", [False, True])
def test_both_backends_have_equal_predictions(model_folders: Any, flip_test: bool) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    found = [
        open_backend(read_description(folder), device="cpu").run(crops, flip_test)
        for folder in (model_folders.onnx, model_folders.torch)
    ]
    np.testing.assert_allclose(found[0].joints, found[1].joints, atol=1e-2)
    np.testing.assert_allclose(found[0].scores, found[1].scores, atol=1e-5)

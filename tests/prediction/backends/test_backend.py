"""Tests of posescope.prediction.backends.backend."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posescope.artifacts.description import ModelFolderError, model_fingerprint, read_description
from posescope.core.errors import OptionsError
from posescope.prediction.backends.backend import find_backend, open_backend


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


def test_backend_of_a_folder_is_the_one_that_it_names(model_folders: Any) -> None:
    about = read_description(model_folders.onnx)
    assert find_backend(about).name == "onnx"
    assert find_backend(about, "openvino").name == "openvino"
    other = about.model_copy(update={"export": {**about.export, "backend": {"name": "openvino"}}})
    assert find_backend(other).name == "openvino"
    assert find_backend(other, "onnx").name == "onnx"


@pytest.mark.parametrize(
    "backend", [{"name": "tensorrt"}, {"name": "os:system"}, {"name": "onnx", "options": {"x": 1}}, "onnx", {}]
)
def test_folder_that_names_another_backend_is_refused(model_folders: Any, backend: Any) -> None:
    about = read_description(model_folders.onnx)
    with pytest.raises(ModelFolderError, match=r"export\.backend"):
        open_backend(about.model_copy(update={"export": {**about.export, "backend": backend}}))


def test_unknown_backend_lists_the_installed_ones(model_folders: Any) -> None:
    with pytest.raises(OptionsError, match="onnx, openvino, torch"):
        open_backend(read_description(model_folders.onnx), "tensorrt")


def test_first_exports_name_no_backend(model_folders: Any, tmp_path: Path) -> None:
    shutil.copytree(model_folders.onnx, tmp_path, dirs_exist_ok=True)
    content = json.loads((tmp_path / "model.json").read_text())
    export = content.pop("export")
    content["onnx"] = {name: export[name] for name in ("files", "opset", "largest_difference")}
    (tmp_path / "model.json").write_text(json.dumps(content))
    about = read_description(tmp_path)
    assert (about.export["format"], about.export["files"]) == ("onnx", export["files"])
    assert open_backend(about).name == "onnx"
    assert model_fingerprint(tmp_path) == model_fingerprint(model_folders.torch)


def test_dotted_path_of_a_backend_is_listed(model_folders: Any) -> None:
    about = read_description(model_folders.onnx)
    assert about.dotted_paths == ()
    other = about.model_copy(update={"export": {**about.export, "backend": {"name": "my_runtime:Run"}}})
    assert other.dotted_paths == ("my_runtime:Run",)

"""Tests of posescope.artifacts.openvino_model: predictions equal those of PyTorch, and refused folders."""

import threading
from typing import Any

import numpy as np
import pytest
import torch

from posescope.artifacts.description import ModelFolderError, read_description
from posescope.artifacts.exported_model import NETWORK
from posescope.artifacts.model_folder import load_model
from posescope.artifacts.openvino_model import OpenVinoModel
from posescope.core.files import sha256_of

pytest.importorskip("openvino", reason="the extra `formats` is not installed")

CROPS = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def opened(model_folders: Any) -> OpenVinoModel:
    return OpenVinoModel(read_description(model_folders.onnx), threads=1)


@pytest.mark.parametrize("flip_test", [False, True])
@pytest.mark.parametrize("count", [1, 5])
def test_predictions_equal_those_of_pytorch(model_folders: Any, opened: OpenVinoModel, count: int, flip_test: bool) -> None:
    expected = load_model(model_folders.torch).predict(torch.from_numpy(CROPS[:count]), flip_test=flip_test)
    found = opened.run(CROPS[:count], flip_test)
    assert (found.joints.shape, found.scores.shape) == ((count, 3, 2), (count, 3))
    np.testing.assert_allclose(found.joints, expected.joints.numpy(), atol=1e-3)
    np.testing.assert_allclose(found.scores, expected.scores.numpy(), atol=1e-5)


def test_threads_share_a_model(opened: OpenVinoModel) -> None:
    expected, found = [opened.heatmaps(CROPS[row : row + 1]) for row in range(5)], [np.empty(0)] * 5

    def run(row: int) -> None:
        for _ in range(10):
            found[row] = opened.heatmaps(CROPS[row : row + 1])

    threads = [threading.Thread(target=run, args=(row,)) for row in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(np.stack(found), np.stack(expected))


def test_wrong_size_is_an_error_that_names_the_input(opened: OpenVinoModel) -> None:
    with pytest.raises(ModelFolderError, match=r"\(5, 16, 32, 3\)"):
        opened.run(CROPS[:, :16])


def test_unknown_precision_is_an_error(model_folders: Any) -> None:
    about = read_description(model_folders.onnx)
    with pytest.raises(ModelFolderError, match=r"export\.precision.*float4"):
        OpenVinoModel(about.model_copy(update={"export": {**about.export, "precision": "float4"}}))


def test_file_that_is_no_onnx_is_an_error(model_folders: Any, tmp_path: Any) -> None:
    about = read_description(model_folders.onnx)
    for path in model_folders.onnx.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / NETWORK).write_bytes(b"")
    files = {**about.export["files"], NETWORK: sha256_of(tmp_path / NETWORK)}
    changed = about.model_copy(update={"folder": tmp_path, "export": {**about.export, "files": files}})
    with pytest.raises(ModelFolderError, match=r"model\.onnx"):
        OpenVinoModel(changed)

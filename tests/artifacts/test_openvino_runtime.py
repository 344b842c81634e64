"""Tests of posescope.artifacts.openvino_runtime: no usage data is sent, and devices that it lacks are refused."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posescope.artifacts.exported_model import DECODER, NETWORK
from posescope.artifacts.openvino_runtime import load_openvino
from posescope.core.errors import OptionsError

pytest.importorskip("openvino", reason="the extra `formats` is not installed")


def test_import_neither_loads_telemetry_nor_writes_into_the_home_folder(tmp_path: Path, model_folders: Any) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom posescope.artifacts.openvino_runtime import load_openvino\n"
        f"load_openvino('It').open(Path({str(model_folders.onnx / DECODER)!r}), 'float32')\n"
        "print(sorted(name for name in sys.modules if name.startswith(('openvino_telemetry.', 'torch'))))"
    )
    home = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=home)
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_shapes_have_no_batch_axis(model_folders: Any) -> None:
    graph = load_openvino("It").open(model_folders.onnx / NETWORK, "float32", threads=1)
    assert (graph.inputs, graph.outputs) == ({"crops": [32, 32, 3]}, [[3, 8, 8]])
    assert graph.run({"crops": np.zeros((2, 32, 32, 3), np.uint8)})[0].shape == (2, 3, 8, 8)


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "npu"])
def test_other_devices_are_refused(model_folders: Any, device: str) -> None:
    with pytest.raises(OptionsError, match=device):
        load_openvino("It").open(model_folders.onnx / NETWORK, "float32", device=device)


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(OptionsError, match=r"posescope\[formats\]"):
        load_openvino("This model")

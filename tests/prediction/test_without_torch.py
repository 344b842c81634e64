"""Prediction with an exported model imports neither PyTorch nor pandas nor Kedro."""

import subprocess
import sys

TORCH_FREE = (
    "posescope.core.plugins",
    "posescope.geometry.affine",
    "posescope.geometry.square_boxes",
    "posescope.geometry.crop_recipe",
    "posescope.data.crops.crop_resampling",
    "posescope.drawing.skeletons",
    "posescope.artifacts.onnx_model",
    "posescope.artifacts.openvino_model",
    "posescope.prediction.backends.backend",
    "posescope.prediction.backends.exported_backends",
    "posescope.prediction.benchmark",
    "posescope.prediction.detectors.boxes_file",
    "posescope.prediction.detectors.onnx_detector",
    "posescope.prediction.estimator",
    "posescope.prediction.image_io.image_source",
    "posescope.prediction.overlays",
    "posescope.prediction.poses",
    "posescope.prediction.prediction_run",
    "posescope.prediction.predictor",
    "posescope.cli.benchmark",
    "posescope.cli.serve",
    "posescope.serving.application",
    "posescope.serving.engine",
    "posescope.serving.server",
)


def test_prediction_imports_neither_torch_nor_pandas() -> None:
    lines = [f"import {module}" for module in TORCH_FREE]
    lines += ["import sys", "print(sorted({'torch', 'pandas', 'kedro', 'onnxruntime'} & set(sys.modules)))"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr

"""What an exported model needs on the way from a picture to its poses must not load torch."""

import subprocess
import sys

TORCH_FREE = (
    "posescope.core.plugins",
    "posescope.geometry.affine",
    "posescope.geometry.square_boxes",
    "posescope.geometry.crop_recipe",
    "posescope.data.crops.square_crop",
    "posescope.drawing.skeletons",
    "posescope.prediction.poses",
    "posescope.prediction.image_io.image_folder",
    "posescope.prediction.image_io.image_folder",
    "posescope.prediction.detectors.detector",
    "posescope.prediction.prediction_run",
    "posescope.prediction.image_io.video",
    "posescope.prediction.detectors.onnx_detector",
    "posescope.prediction.overlays",
)


def test_from_picture_to_pose_without_torch_or_pandas() -> None:
    lines = [f"import {module}" for module in TORCH_FREE]
    lines += ["import sys", "print(sorted({'torch', 'pandas', 'kedro', 'onnxruntime', 'PIL'} & set(sys.modules)))"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr

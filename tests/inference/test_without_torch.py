"""What an exported model needs on the way from a picture to its poses must not load torch."""

import subprocess
import sys

TORCH_FREE = (
    "posescope.plugins",
    "posescope.geometry.affine",
    "posescope.geometry.boxes",
    "posescope.geometry.recipe",
    "posescope.crops.cutting",
    "posescope.drawing.skeletons",
    "posescope.inference.records",
    "posescope.inference.reading",
    "posescope.inference.images",
    "posescope.inference.detectors",
    "posescope.inference.finding",
    "posescope.inference.video",
    "posescope.inference.onnx_detector",
    "posescope.inference.outputs",
)


def test_from_picture_to_pose_without_torch_or_pandas() -> None:
    lines = [f"import {module}" for module in TORCH_FREE]
    lines += ["import sys", "print(sorted({'torch', 'pandas', 'kedro', 'onnxruntime', 'PIL'} & set(sys.modules)))"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr

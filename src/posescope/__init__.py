"""posescope: train, understand and ship a single-person 2D pose model from COCO-format keypoints.

    import posescope

    estimator = posescope.PoseEstimator.load("data/06_models/model/<version>/model")
    poses = estimator.predict_one("image.jpg")

The names in `__all__` are the public API. Each is imported when it is first used, so `import posescope` is fast. PyTorch is
imported when a model of PyTorch is loaded.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posescope.__main__ import main as run
    from posescope.artifacts.model_folder import load_model, save_model
    from posescope.artifacts.onnx_export import export_onnx
    from posescope.artifacts.pose_model import PoseModel
    from posescope.core.errors import DataError, OptionsError, PosescopeError
    from posescope.core.plugins import ComponentSpec, Options
    from posescope.core.skeleton import COCO_PERSON, Skeleton
    from posescope.data.coco.reader import Annotations, read_coco
    from posescope.drawing.skeletons import draw_skeleton
    from posescope.prediction.estimator import PoseEstimator
    from posescope.prediction.poses import ImagePoses, PersonPose

__all__ = [
    "COCO_PERSON", "Annotations", "ComponentSpec", "DataError", "ImagePoses", "Options", "OptionsError", "PersonPose",
    "PoseEstimator", "PoseModel", "PosescopeError", "Skeleton", "draw_skeleton", "export_onnx", "load_model", "read_coco", "run",
    "save_model",
]  # fmt: skip

__version__ = "1.0.0"

# Public name -> module, and the name there if it differs.
_MODULES = {
    "Annotations": "posescope.data.coco.reader",
    "COCO_PERSON": "posescope.core.skeleton",
    "ComponentSpec": "posescope.core.plugins",
    "DataError": "posescope.core.errors",
    "ImagePoses": "posescope.prediction.poses",
    "Options": "posescope.core.plugins",
    "OptionsError": "posescope.core.errors",
    "PersonPose": "posescope.prediction.poses",
    "PoseEstimator": "posescope.prediction.estimator",
    "PoseModel": "posescope.artifacts.pose_model",
    "PosescopeError": "posescope.core.errors",
    "Skeleton": "posescope.core.skeleton",
    "draw_skeleton": "posescope.drawing.skeletons",
    "export_onnx": "posescope.artifacts.onnx_export",
    "load_model": "posescope.artifacts.model_folder",
    "read_coco": "posescope.data.coco.reader",
    "run": "posescope.__main__:main",
    "save_model": "posescope.artifacts.model_folder",
}
# Public name -> extra that installs all of its packages, if the import of its module does not need them all.
_EXTRAS = {"export_onnx": "export", "run": "pipelines"}

# Opt out of Kedro's telemetry: an installed wheel has neither the .telemetry file of the checkout nor its Makefile.
os.environ.setdefault("DO_NOT_TRACK", "1")

# Outside a checkout there is no conf/logging.yml, and Kedro's default format breaks every path at 80 columns.
if not Path("conf/logging.yml").is_file():
    os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(Path(__file__).with_name("logging.yml")))


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562). A missing package is an error that names its extra."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _MODULES[name].partition(":")
    from posescope.core.extras import translate_missing  # noqa: PLC0415  (as all imports here: when a name is first used)

    with translate_missing(f"posescope.{name}", _EXTRAS.get(name, "")):
        value = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public API and the module's own names."""
    return sorted({*globals(), *__all__})

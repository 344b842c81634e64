"""Nodes of the pipeline `inference`."""

from typing import Any

from posescope.core.plugins import ComponentSpec, build
from posescope.data.images.headers import ImageLimits
from posescope.prediction.detectors.detector import Detections
from posescope.prediction.estimator import ModelFolder
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.options import PredictionOptions
from posescope.prediction.overlays import OverlayFolder, OverlayOptions
from posescope.prediction.prediction_run import predict_folder

__all__: list[str] = []


def predict_poses(
    model: ModelFolder,
    images: ImageFolder,
    detections: Detections,
    overlays_workspace: OverlayFolder,
    detector: ComponentSpec,
    prediction: PredictionOptions,
    overlays: OverlayOptions,
    image_limits: ImageLimits,
) -> dict[str, Any]:
    """Predict the persons of all images, image by image, and draw them."""
    results, summary = predict_folder(
        model.load(prediction.device),
        images.with_limits(image_limits),
        build("detectors", detector),
        detections,
        overlays_workspace,
        prediction,
        overlays.draw_threshold,
    )
    return {"results": results, "summary": summary, "overlays": overlays_workspace}

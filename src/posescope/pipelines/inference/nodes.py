"""Nodes of the pipeline `inference`."""

from typing import Any

from posescope.core.plugins import ComponentSpec, build
from posescope.data.images.limits import ImageLimits
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
    """Predict the persons of all images, image by image, and draw them.

    Args:
        model: folder of the model.
        images: folder of the images.
        detections: file of boxes, for detectors that read one.
        overlays_workspace: folder of the overlays.
        detector: component of posescope.detectors.
        prediction: batch size, device and flip test.
        overlays: drawing of the poses.
        image_limits: the largest image that is decoded.

    Returns:
        `results` (COCO results), `summary` and `overlays` (the finished folder).
    """
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

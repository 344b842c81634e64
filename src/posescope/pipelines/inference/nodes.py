"""Nodes of inference: unpack, one call, return."""

from typing import Any

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec, build
from posescope.data.images.headers import ImageLimits
from posescope.prediction.crop_predictions import PredictionOptions
from posescope.prediction.detectors.detector import Detections
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.overlays import OverlayFolder, OverlayOptions
from posescope.prediction.poses import DetectedPerson, PersonPose, pose_results
from posescope.prediction.prediction_run import find_in_folder
from posescope.prediction.predictor import predict_people

__all__: list[str] = []


def find_people(
    images: ImageFolder, detections: Detections, detector: ComponentSpec, image_limits: ImageLimits
) -> dict[str, Any]:
    """Boxes of the people in all images, and an account of what was left out."""
    found = find_in_folder(images.with_limits(image_limits), build("detectors", detector), detections)
    return {"people": list(found.persons), "summary": found.summary.to_dict()}


def pose_people(
    model: PoseModel,
    images: ImageFolder,
    people: list[DetectedPerson],
    prediction: PredictionOptions,
    image_limits: ImageLimits,
) -> list[PersonPose]:
    """Everybody's joints, in image px."""
    return list(predict_people(model, images.with_limits(image_limits), people, prediction))


def write_poses(model: PoseModel, posed: list[PersonPose]) -> list[dict[str, Any]]:
    """The poses as COCO results."""
    return pose_results(posed, model.skeleton)


def draw_overlays(
    model: PoseModel,
    images: ImageFolder,
    posed: list[PersonPose],
    overlays_workspace: OverlayFolder,
    overlays: OverlayOptions,
    image_limits: ImageLimits,
) -> OverlayFolder:
    """The poses drawn on the images."""
    overlays_workspace.draw(posed, images.with_limits(image_limits), model.skeleton, overlays.draw_threshold)
    return overlays_workspace

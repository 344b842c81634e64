"""Nodes of inference: unpack, one call, return."""

from typing import Any

from posescope.artifacts.pose_model import PoseModel
from posescope.inference.crop_predictions import PredictionOptions
from posescope.inference.detectors import DetectedPerson, Detections
from posescope.inference.images import ImageFolder
from posescope.inference.outputs import OverlayFolder
from posescope.inference.poses import PosedPerson, pose_results
from posescope.inference.predictor import list_images, predict_people
from posescope.plugins import ComponentSpec, build

__all__: list[str] = []


def find_people(images: ImageFolder, detections: Detections, detector: ComponentSpec) -> list[DetectedPerson]:
    """Boxes of the people in all images."""
    return build("detectors", detector)(list_images(images), detections)  # type: ignore[no-any-return]


def pose_people(
    model: PoseModel, images: ImageFolder, people: list[DetectedPerson], prediction: PredictionOptions
) -> list[PosedPerson]:
    """Everybody's joints, in image px."""
    return list(predict_people(model, images, people, prediction))


def write_poses(model: PoseModel, posed: list[PosedPerson]) -> list[dict[str, Any]]:
    """The poses as COCO results."""
    return pose_results(posed, model.skeleton)


def draw_overlays(
    model: PoseModel, images: ImageFolder, posed: list[PosedPerson], overlays_workspace: OverlayFolder
) -> OverlayFolder:
    """The poses drawn on the images."""
    overlays_workspace.draw(posed, images, model.skeleton)
    return overlays_workspace

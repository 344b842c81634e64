"""Nodes of inference: unpack, one call, return."""

from typing import Any

from posescope.artifacts.pose_model import PoseModel
from posescope.inference.crop_predictions import PredictionOptions
from posescope.inference.detectors import Detections
from posescope.inference.finding import find_people_in
from posescope.inference.images import ImageFolder
from posescope.inference.outputs import OverlayFolder
from posescope.inference.poses import pose_results
from posescope.inference.predictor import predict_people
from posescope.inference.records import DetectedPerson, PosedPerson
from posescope.plugins import ComponentSpec, build

__all__: list[str] = []


def find_people(images: ImageFolder, detections: Detections, detector: ComponentSpec) -> list[DetectedPerson]:
    """Boxes of the people in all images."""
    return list(find_people_in(images, build("detectors", detector), detections))


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

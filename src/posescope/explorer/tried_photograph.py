"""A new photograph in a trained network: joints with their radii, the place among the run's persons, and what the network used.

    photograph -> box -> crop -> joints, scores, radii               as `posescope predict` computes them for the same box
                          |
                          +-> features -> component scores, place on the map, nearest persons, how unusual
                          +-> attribution map of a joint (integrated gradients), when it is asked for

The engine has its own frozen copy of the network and uses it one call at a time, so threads may share it.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from posescope.artifacts.pose_model import PoseModel, normalise_images
from posescope.core.errors import DataError
from posescope.core.skeleton import Skeleton
from posescope.explainability.attribution.attribution_maps import HeatmapValues, attribute_gradients
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.activations import read_activations
from posescope.explainability.features.feature_extraction import pool_over_space
from posescope.explorer.neighbourhood import Neighbourhood
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.person_boxes import FoundBoxes, PersonFinder, find_configured_detector
from posescope.prediction.backends.torch_backend import TorchBackend
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.person_crops import crop_persons
from posescope.prediction.poses import DetectedPerson, ImageInfo, PersonPose
from posescope.prediction.predictor import ImagePersons, Predictor

__all__ = ["Box", "PhotographTrial", "PlaceAmongPersons", "TriedPerson", "describe_unusualness"]

Box: TypeAlias = Sequence[float]

NEAREST = 8
_BETWEEN = 5  # persons between which a photograph is placed on a map that is not of components
_STEPS = 16  # of integrated gradients
_UNUSUAL, _VERY_UNUSUAL = 0.9, 0.99


@dataclass(frozen=True, eq=False)
class PlaceAmongPersons:
    """Where a crop is among the persons of a run, by the features of their layer.

    Attributes:
        component_scores: (P,) float64, scores along the components of the table.
        map_position: (x, y) on the run's map.
        map_source: `components`: the scores along the first two; `nearest persons`: between the nearest persons, weighted by the
            inverse of their distance, because the map has no formula for new persons.
        nearest: (n,) person ids, the nearest first.
        distances: (n,) Euclidean distances in feature space.
        quantile: fraction 0..1 of the run's persons whose own nearest neighbour is nearer; NaN if it is unknown.
        measured: number of persons that the quantile compares with.
    """

    component_scores: NDArray[np.float64]
    map_position: tuple[float, float]
    map_source: Literal["components", "nearest persons"]
    nearest: NDArray[np.int64]
    distances: NDArray[np.float64]
    quantile: float
    measured: int


@dataclass(frozen=True, eq=False)
class TriedPerson:
    """One person of a photograph, as the network sees it.

    Attributes:
        box: (4,) float64 x, y, w, h px; the photograph's left and upper edges are 0.
        pose: joints in image px and crop px, scores, and radii in image px.
        crop: (H, W, 3) uint8 RGB, the input of the network.
        heatmaps: (K, h, w) float32.
        place: where it is among the run's persons.
    """

    box: NDArray[np.float64]
    pose: PersonPose
    crop: NDArray[np.uint8]
    heatmaps: NDArray[np.float32]
    place: PlaceAmongPersons


class PhotographTrial:
    """Tries photographs with the network of a finished run.

    Args:
        opened: the run.
        finder: finds persons; None: the detector that the run is configured with.

    Example:
        >>> trial = PhotographTrial(open_run(Path("data")))  # doctest: +SKIP
        >>> tried = trial.try_photograph(image, (40, 10, 120, 300))  # doctest: +SKIP
        >>> describe_unusualness(tried.place)  # doctest: +SKIP
    """

    def __init__(self, opened: OpenedRun, finder: PersonFinder | None = None) -> None:
        self._opened = opened
        self._finder = find_configured_detector(opened.data_dir, opened.allow) if finder is None else finder
        self._lock = threading.RLock()

    @property
    def skeleton(self) -> Skeleton:
        """Skeleton of the network."""
        return self._model.skeleton

    def find_persons(self, image: NDArray[np.uint8]) -> FoundBoxes:
        """Find the persons in a photograph.

        Args:
            image: (H, W, 3) uint8 RGB, upright.
        """
        with self._lock:
            return self._finder.find(image)

    def try_photograph(self, image: NDArray[np.uint8], box: Box | None = None) -> TriedPerson:
        """Predict one person of a photograph, and place it among the run's persons.

        Args:
            image: (H, W, 3) uint8 RGB, upright.
            box: x, y, w, h px, the photograph's left and upper edges at 0, as in COCO; None: the first of `find_persons`.

        Raises:
            DataError: if the box is malformed or outside the photograph, or a file of the run is missing.
        """
        chosen = self.find_persons(image).boxes[0] if box is None else box
        person = _person_in(image, chosen)
        with self._lock:
            (posed,) = self._predictor.predict_images([ImagePersons(NamedImage(person.image.name, image), [person])])
            found = crop_persons(image, np.array([person.box]), self._model.crop, self._model.crop_size)
            heatmaps = self._model.heatmaps(torch.from_numpy(found.crops))[0].cpu().numpy()
            place = self._place(self._features_of(found.crops))
        return TriedPerson(
            box=np.asarray(chosen, dtype=np.float64),
            pose=posed.poses.persons[0],
            crop=found.crops[0],
            heatmaps=heatmaps,
            place=place,
        )

    def evidence(self, tried: TriedPerson, joint: int) -> NDArray[np.float32]:
        """Compute which pixels made the network place a joint where it did, by integrated gradients.

        Args:
            tried: a person.
            joint: index of the joint.

        Returns:
            (H, W) attribution of the heatmap's maximum to the pixels of the crop; negative where a pixel lowers it.

        Raises:
            DataError: if there is no such joint.
            MissingCaptumError: if Captum is not installed.
        """
        if not 0 <= joint < len(self.skeleton):
            raise DataError(f"Evidence: expected a joint from 0 to {len(self.skeleton) - 1}, found {joint}.")
        with self._lock:
            images = normalise_images(torch.from_numpy(tried.crop[None]).to(self._model.device), self._model.mean_rgb)
            peak = torch.tensor([[int(tried.heatmaps[joint].argmax())]], device=self._model.device)
            values = HeatmapValues(self._model.network, np.array([joint]))
            found: NDArray[np.float32] = attribute_gradients(values, images, peak, steps=_STEPS, batch_size=_STEPS)[0, 0]
        return found

    @cached_property
    def _model(self) -> PoseModel:
        model = self._opened.copy_model()
        model.network.eval().requires_grad_(requires_grad=False)
        return model

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor(self._model, TorchBackend(self._model), batch_size=1, uncertainty=self._opened.uncertainty())

    @cached_property
    def _neighbourhood(self) -> Neighbourhood:
        return Neighbourhood(self._opened.features(), self._opened.image_groups)

    def _features_of(self, crops: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Return (D,) features of one crop (1, H, W, 3), pooled and rounded as those of the run's persons."""
        stored = self._opened.features()
        value = read_activations(self._model, torch.from_numpy(crops), [stored.layer])[stored.layer]
        found = pool_over_space(value.float(), stored.pooling).flatten().cpu().numpy()
        with np.errstate(over="ignore"):  # an overflow becomes infinite and is reported
            rounded = found.astype(stored.values.dtype)
        if not np.isfinite(rounded).all():
            raise ExplainabilityError(f"Features of '{stored.layer}': expected finite numbers for this photograph, found others.")
        return rounded

    def _place(self, features: NDArray[np.floating]) -> PlaceAmongPersons:
        opened, persons = self._opened, self._neighbourhood
        scores = opened.components().project(features[None], len(opened.about.components))[0]
        near = persons.nearest(features, NEAREST)
        if opened.about.map == "components":
            position = (float(scores[0]), float(scores[1]) if len(scores) > 1 else 0.0)
        else:
            places = opened.persons[["map_x", "map_y"]].to_numpy(dtype=np.float64)
            position = _between(places[near.rows[:_BETWEEN]], near.distances[:_BETWEEN])
        return PlaceAmongPersons(
            component_scores=scores,
            map_position=position,
            map_source="components" if opened.about.map == "components" else "nearest persons",
            nearest=opened.person_ids[near.rows],
            distances=near.distances,
            quantile=persons.own_distances.quantile(float(near.distances[0])),
            measured=len(persons.own_distances.distances),
        )


def describe_unusualness(place: PlaceAmongPersons) -> str:
    """Return how unusual a photograph is for the network, in one sentence."""
    if np.isnan(place.quantile):
        return "How unusual this person is cannot be said: the run has no two photographs with persons."
    if place.distances[0] == 0:
        return f"The network sees the same as for person {place.nearest[0]} of the run: it is the same picture."
    word = "Usual"
    if place.quantile >= _UNUSUAL:
        word = "Very unusual" if place.quantile >= _VERY_UNUSUAL else "Unusual"
    share = "all" if place.quantile == 1 else f"{math.floor(100 * place.quantile)}%"
    return (
        f"{word} for this network: the nearest person of the run is farther away than the nearest neighbour of {share} of "
        f"{place.measured:,} persons of the run."
    )


def _person_in(image: NDArray[np.uint8], box: Box | NDArray[np.float64]) -> DetectedPerson:
    """COCO's edges lose 0.5 here."""
    try:
        x, y, width, height = (float(value) for value in box)
    except (TypeError, ValueError) as error:
        raise DataError(f"Box: expected four numbers x, y, width, height, found {str(box)[:99]}.") from error
    size = (image.shape[0], image.shape[1])
    person = DetectedPerson(ImageInfo("photograph", 0, size), (x - 0.5, y - 0.5, width, height))
    if not (np.isfinite([x, y, width, height]).all() and width > 0 and height > 0 and person.is_in_image):
        raise DataError(
            f"Box: expected a box in the photograph of {size[1]} x {size[0]} px (width x height), found x {x:g}, y {y:g}, width "
            f"{width:g}, height {height:g}."
        )
    return person


def _between(places: NDArray[np.float64], distances: NDArray[np.float64]) -> tuple[float, float]:
    weights = 1 / np.maximum(distances, 1e-9)
    x, y = (places * weights[:, None]).sum(axis=0) / weights.sum()
    return float(x), float(y)

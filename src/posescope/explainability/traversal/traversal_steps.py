"""Steps of latent traversals: points in feature space, decoded by the network and compared with the nearest persons."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.artifacts.pose_model import PoseModel
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.components.pca import Components
from posescope.explainability.features.activation_patching import ActivationPatcher
from posescope.explainability.features.activations import predict_persons
from posescope.explainability.features.row_blocks import batches_of_rows
from posescope.explainability.traversal.neighbour_distances import (
    NearestPersons,
    NeighbourDistances,
    fractions_beyond,
    nearest_persons,
)
from posescope.explainability.traversal.random_directions import mean_joint_distances_px
from posescope.models.layers import Interventions

__all__ = [
    "DecodedFeatures",
    "Traversal",
    "decode_features",
    "tabulate_steps",
    "traversal_points",
    "traverse_components",
]


@dataclass(frozen=True)
class DecodedFeatures:
    """Decoded points: heatmaps (M, K, h, w), joints (M, K, 2) in crop px, scores (M, K); all float32."""

    heatmaps: NDArray[np.float32]
    joints: NDArray[np.float32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Traversal:
    """The M points of all traversals, component by component.

    Attributes:
        steps: (S,) steps of every traversal, in standard deviations.
        nearest: person nearest to each point.
        decoded: decoded points.
        mean_joints: (K, 2) joints of the decoded mean features, crop px.
        predicted: (M, K, 2) predicted joints of the nearest person of each point, crop px.
    """

    steps: NDArray[np.float64]
    nearest: NearestPersons
    decoded: DecodedFeatures
    mean_joints: NDArray[np.float32]
    predicted: NDArray[np.float32]

    @property
    def count(self) -> int:
        """Number of traversed components."""
        return len(self.nearest.rows) // len(self.steps)

    @property
    def distinct(self) -> NDArray[np.int64]:
        """Distinct points in order: the mean, which all traversals share, counts once."""
        step = np.tile(self.steps, self.count)
        first_mean = np.arange(len(step)) == (int(np.argmax(step == 0)) if (step == 0).any() else -1)
        return np.flatnonzero((step != 0) | first_mean)


def traversal_points(components: Components, count: int, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the points of the traversals of the first components.

    Args:
        components: the components.
        count: number of first components.
        steps: (S,) in standard deviations.

    Returns:
        (count * S, D) features, component by component.
    """
    deviations = np.sqrt(components.variances[:count, None, None]) * components.axes[:count, None, :]
    points = components.mean + steps[None, :, None] * deviations
    return points.reshape(-1, points.shape[-1])


def decode_features(
    points: NDArray[np.float64],
    *,
    model: PoseModel,
    layer: str,
    shape: tuple[int, ...],
    image: Tensor,
    interventions: Interventions,
    batch_size: int,
    keep_heatmaps: bool = True,
) -> DecodedFeatures:
    """Decode features by patching them into their layer.

    Args:
        points: (M, D) features.
        model: the network and its codec.
        layer: name of the features' layer.
        shape: (C, h, w) of one.
        image: (1, H, W, 3) uint8, the input of the layers before it.
        interventions: functions of activations of other layers, such as the skip connections.
        batch_size: points per forward pass.
        keep_heatmaps: whether the result has heatmaps; of many points they take gigabytes.

    Returns:
        Heatmaps, joints and scores of the points; the heatmaps are (0, K, h, w) if they are not kept.
    """
    values = torch.from_numpy(points.astype(np.float32)).reshape(len(points), *shape)
    batches = tqdm(batches_of_rows(np.arange(len(points)), batch_size), desc="decode features", leave=False)
    patcher = ActivationPatcher(model, layer, image, interventions)
    maps, joints, scores = [], [], []
    for batch in batches:
        heatmaps = patcher.heatmaps(values[batch])
        decoded = model.codec.decode(heatmaps)
        joints.append(decoded.joints.float().cpu().numpy())
        scores.append(decoded.scores.float().cpu().numpy())
        maps.append((heatmaps if keep_heatmaps else heatmaps[:0]).float().cpu().numpy())
    return DecodedFeatures(heatmaps=np.concatenate(maps), joints=np.concatenate(joints), scores=np.concatenate(scores))


def traverse_components(
    inputs: AnalysisInputs, count: int, steps: NDArray[np.float64], decode: Callable[[NDArray[np.float64]], DecodedFeatures]
) -> Traversal:
    """Traverse the first components and find the nearest person of each step.

    Args:
        inputs: persons and components.
        count: number of first components.
        steps: (S,) in standard deviations.
        decode: function from (M, D) points to their decoded features.

    Returns:
        The points of all traversals.
    """
    points = traversal_points(inputs.components, count, steps)
    nearest = nearest_persons(inputs.judged.features, points)
    decoded = decode(np.concatenate([points, inputs.components.mean[None]]))  # the mean is the last point
    rows, where = np.unique(nearest.rows, return_inverse=True)
    predicted = predict_persons(inputs.model, inputs.judged.crops, rows, inputs.batch_size).joints[where]
    of_points = DecodedFeatures(decoded.heatmaps[:-1], decoded.joints[:-1], decoded.scores[:-1])
    return Traversal(steps, nearest, of_points, decoded.joints[-1], predicted)


def tabulate_steps(inputs: AnalysisInputs, traversal: Traversal, neighbours: NeighbourDistances) -> pd.DataFrame:
    """Tabulate the steps of all traversals, one row per step.

    Args:
        inputs: persons and components.
        traversal: the points.
        neighbours: distribution of distances between persons.

    Returns:
        Columns component, step, nearest_person_id, distance, distance_quantile, fraction_beyond, nearest_person_distance_px (mean
        joint distance from the prediction for the nearest person), displacement_px (from the decoded mean), mean_score.
    """
    steps, nearest, decoded = traversal.steps, traversal.nearest, traversal.decoded
    beyond = fractions_beyond(inputs.components, inputs.judged.features, traversal.count, steps)
    return pd.DataFrame(
        {
            "component": np.repeat(np.arange(1, traversal.count + 1), len(steps)),
            "step": np.tile(steps, traversal.count),
            "nearest_person_id": inputs.judged.features.person_ids[nearest.rows],
            "distance": nearest.distances,
            "distance_quantile": neighbours.quantiles(nearest.distances),
            "fraction_beyond": beyond.ravel(),
            "nearest_person_distance_px": mean_joint_distances_px(decoded.joints, traversal.predicted),
            "displacement_px": mean_joint_distances_px(decoded.joints, traversal.mean_joints),
            "mean_score": decoded.scores.mean(axis=1).astype(np.float64),
        }
    )

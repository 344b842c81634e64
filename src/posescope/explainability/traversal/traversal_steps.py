"""Points of feature space: steps along components, the persons nearest to them, and what the network makes of them."""

from collections.abc import Callable, Sequence
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
from posescope.explainability.features.activations import batches_of_rows, predict_persons
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.traversal.neighbour_distances import NeighbourDistances, fractions_beyond
from posescope.explainability.traversal.perturbation import Displacement
from posescope.explainability.traversal.random_directions import TraversalEnds, mean_joint_distances_px
from posescope.models.base import Interventions

__all__ = [
    "DecodedFeatures",
    "NearestPersons",
    "decode_features",
    "nearest_persons",
    "traversal_points",
    "Traversal",
    "tabulate_components",
    "tabulate_steps",
    "traverse_components",
]

_BLOCK_NUMBERS = 4_000_000  # float64 numbers a block: 32 MB


@dataclass(frozen=True)
class NearestPersons:
    """The nearest person to each of M points of feature space: (M,) rows of the features, (M,) Euclidean distances."""

    rows: NDArray[np.int64]
    distances: NDArray[np.float64]


@dataclass(frozen=True)
class DecodedFeatures:
    """What the network makes of M points: heatmaps (M, K, h, w), joints (M, K, 2) crop px, scores (M, K); all float32."""

    heatmaps: NDArray[np.float32]
    joints: NDArray[np.float32]
    scores: NDArray[np.float32]


def traversal_points(components: Components, count: int, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The points of the walks: (count * len(steps), D), component by component."""
    deviations = np.sqrt(components.variances[:count, None, None]) * components.axes[:count, None, :]
    points = components.mean + steps[None, :, None] * deviations
    return points.reshape(-1, points.shape[-1])


def nearest_persons(features: FeatureSet, points: NDArray[np.float64]) -> NearestPersons:
    """The person nearest to each of M points (M, D), by Euclidean distance; the first of equals. Reads blocks of persons."""
    best = np.full(len(points), np.inf)
    rows = np.zeros(len(points), dtype=np.int64)
    # |f - p|^2 = |f|^2 - 2 f.p + |p|^2 loses digits far from the origin: measure from the points' own centre.
    centre = points.mean(axis=0)
    shifted = points - centre
    for batch in batches_of_rows(np.arange(len(features)), max(1, _BLOCK_NUMBERS // points.shape[1])):
        block = features.values[batch[0] : batch[-1] + 1].astype(np.float64) - centre
        squared = (block**2).sum(axis=1)[:, None] - 2 * block @ shifted.T + (shifted**2).sum(axis=1)
        here = squared.argmin(axis=0)
        found = squared[here, np.arange(len(points))]
        better = found < best
        best[better], rows[better] = found[better], batch[here][better]
    return NearestPersons(rows=rows, distances=np.sqrt(np.maximum(best, 0.0)))


def decode_features(
    model: PoseModel,
    layer: str,
    points: NDArray[np.float64],
    shape: tuple[int, ...],
    *,
    image: Tensor,
    interventions: Interventions,
    batch_size: int,
) -> DecodedFeatures:
    """Put points (M, D) of feature space back into the network at the features' tap and decode them.

    A network that can be paused at its bottleneck is, for taps from there on: then the places before it are computed once.

    Args:
        model: the network and its codec.
        layer: where they are put, in the place of what the forward pass brings.
        points: features, one a person to decode.
        shape: (C, h, w) of one.
        image: (1, H, W, 3) uint8 that the places before the tap see.
        interventions: for other taps, such as the skips.
        batch_size: points a forward pass.
    """
    values = torch.from_numpy(points.astype(np.float32)).reshape(len(points), *shape)
    batches = tqdm(batches_of_rows(np.arange(len(points)), batch_size), desc="decode walks", leave=False)
    put_back = ActivationPatcher(model, layer, image, interventions)
    heatmaps = torch.cat([put_back.heatmaps(values[batch]) for batch in batches])
    decoded = model.codec.decode(heatmaps)
    heatmaps_np, joints, scores = (value.float().cpu().numpy() for value in (heatmaps, decoded.joints, decoded.scores))
    return DecodedFeatures(heatmaps=heatmaps_np, joints=joints, scores=scores)


# MERGED from walk_steps: The steps of the walks: decoded, beside the nearest persons, in one table; and the components
# walked, in another.


@dataclass(frozen=True)
class Traversal:
    """All points of all walks, M of them, component by component.

    Attributes:
        steps: (S,) of every walk, standard deviations.
        nearest: the person nearest to each point.
        decoded: each point.
        origin: (K, 2) joints of the decoded mean.
        predicted: (M, K, 2) what the network predicts for the nearest person of each point.
    """

    steps: NDArray[np.float64]
    nearest: NearestPersons
    decoded: DecodedFeatures
    origin: NDArray[np.float32]
    predicted: NDArray[np.float32]

    @property
    def count(self) -> int:
        """Number of components walked."""
        return len(self.nearest.rows) // len(self.steps)

    @property
    def distinct(self) -> NDArray[np.int64]:
        """Points in order, the mean once though every walk goes through it."""
        step = np.tile(self.steps, self.count)
        first_mean = np.arange(len(step)) == (int(np.argmax(step == 0)) if (step == 0).any() else -1)
        return np.flatnonzero((step != 0) | first_mean)


def traverse_components(
    inputs: AnalysisInputs, count: int, steps: NDArray[np.float64], decode: Callable[[NDArray[np.float64]], DecodedFeatures]
) -> Traversal:
    """Walk along the first `count` components, and look who is nearest to each step.

    Args:
        inputs: persons and components.
        count: how many components.
        steps: standard deviations.
        decode: (M, D) points -> what the network makes of them.
    """
    points = traversal_points(inputs.components, count, steps)
    nearest = nearest_persons(inputs.features, points)
    # The mean goes along as the last point: what the steps are measured from.
    every = decode(np.concatenate([points, inputs.components.mean[None]]))
    rows, where = np.unique(nearest.rows, return_inverse=True)
    predicted = predict_persons(inputs.model, inputs.crops, rows, inputs.batch_size).joints[where]
    decoded = DecodedFeatures(every.heatmaps[:-1], every.joints[:-1], every.scores[:-1])
    return Traversal(steps, nearest, decoded, every.joints[-1], predicted)


def tabulate_steps(inputs: AnalysisInputs, walked: Traversal, spacing: NeighbourDistances) -> pd.DataFrame:
    """One row a step: nearest person, how far from the data, agreement_px and moved_px (mean joint distances)."""
    steps, nearest, decoded = walked.steps, walked.nearest, walked.decoded
    beyond = fractions_beyond(inputs.components, inputs.features, walked.count, steps)
    return pd.DataFrame(
        {
            "component": np.repeat(np.arange(1, walked.count + 1), len(steps)),
            "step": np.tile(steps, walked.count),
            "nearest_person_id": inputs.features.person_ids[nearest.rows],
            "distance": nearest.distances,
            "distance_quantile": spacing.quantiles(nearest.distances),
            "fraction_beyond": beyond.ravel(),
            # Decoded step against the prediction for the nearest person, and against the decoded mean.
            "nearest_person_distance_px": mean_joint_distances_px(decoded.joints, walked.predicted),
            "displacement_px": mean_joint_distances_px(decoded.joints, walked.origin),
            "mean_score": decoded.scores.mean(axis=1).astype(np.float64),
        }
    )


def tabulate_components(
    components: Components, count: int, walks: Sequence[TraversalEnds], displacements: Sequence[Displacement]
) -> pd.DataFrame:
    """A row a component: its share of the variance, and how far it moves the skeleton, beside random directions.

    Args:
        components: of which the first are walked.
        count: how many.
        latent_traversal: the ends of each, from which come moved_px (from the decoded mean), random_moved_px and random_moved_high_px; may
            be empty, then they are NaN.
        displacements: of people pushed along each (pushed_px between both ends, its interval, and the same along random
            directions); may be empty likewise.
    """
    intervals = {
        "perturbed_displacement": [one.own for one in displacements],
        "random_perturbed_displacement": [one.random for one in displacements],
    }
    pushed = {
        f"{name}{end}_px": [getattr(one, field) for one in found] or np.nan
        for name, found in intervals.items()
        for end, field in (("", "estimate"), ("_low", "low"), ("_high", "high"))
    }
    return pd.DataFrame(
        {
            "component": np.arange(1, count + 1),
            "explained_variance_ratio": components.explained_variance_ratio[:count],
            "displacement_px": [walk.displacement_px[0] for walk in walks] or np.nan,
            "random_displacement_px": [float(np.median(walk.displacement_px[1:])) for walk in walks] or np.nan,
            "random_displacement_high_px": [float(np.quantile(walk.displacement_px[1:], 0.975)) for walk in walks] or np.nan,
            **pushed,
        }
    )

"""Latent space: move the features of a person along their components, replace activations, and run the rest of the network.

    features = start kept to k components + sum_i offset_i * sd_i * axis_i          sd_i: standard deviation along component i

The start is the person's own activation of the layer; if all components are kept it includes what the components do not
represent, so that at offset 0 the answer is the network's own prediction. See `latent_network` for the mean person and for
patches, `latent_traversal` for the same steps as an analysis.
"""

import threading
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from posescope.artifacts.pose_model import PoseModel
from posescope.explainability.explained_persons import FITTED
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explorer.errors import ExplorerError
from posescope.explorer.latent_network import (
    DecodedPoint,
    LatentNetwork,
    LatentStart,
    LayerPatch,
    describe_decoding_obstacle,
)
from posescope.explorer.latent_requests import MOST_COMPONENTS, LatentAnswer, LatentRequest, Patch
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.person_distances import DistancesFromStart, PersonDistances

__all__ = ["LatentSpace"]

_MEAN_PERSONS = 64  # for the mean activations of layers
_NEAREST = 5
_KEPT_STARTS = 8  # persons and patches whose passes are kept in memory


@dataclass(frozen=True, eq=False)
class _Truncated:
    """A start whose features are kept to some components, and the persons' distances from it."""

    features: NDArray[np.float64]
    distances: DistancesFromStart


class LatentSpace:
    """Answers requests on the latent space of a finished run, one at a time. Threads may share it.

    Args:
        opened: the run.
        seed: random seed of the persons of mean activations, and of those that are compared.

    Example:
        >>> space = LatentSpace(open_run(Path("data")))  # doctest: +SKIP
        >>> space.answer(LatentRequest(person_id=7, offsets=(2.0,))).moved_px  # doctest: +SKIP
    """

    def __init__(self, opened: OpenedRun, seed: int = 0) -> None:
        self._opened, self._seed = opened, seed
        self._lock = threading.Lock()
        self._start = lru_cache(_KEPT_STARTS)(self._make_start)
        self._truncated = lru_cache(4 * _KEPT_STARTS)(self._truncate)
        self._unchanged = lru_cache(4 * _KEPT_STARTS)(self._decode_unchanged)

    @property
    def obstacle(self) -> str:
        """One line on why the features of the run cannot be decoded; empty if they can."""
        with self._lock:
            return self._obstacle

    @property
    def component_count(self) -> int:
        """Number of components that have a slider."""
        return min(MOST_COMPONENTS, len(self._opened.components()))

    @property
    def layers(self) -> tuple[str, ...]:
        """Skip connections and bottlenecks, which are usually patched; any other layer can be."""
        return self._network.layers

    def answer(self, request: LatentRequest) -> LatentAnswer:
        """Run the rest of the network on changed features.

        Raises:
            ExplorerError: if the features cannot be decoded, or there is no such component.
            DataError: if there is no such person.
            OptionsError: if a patched layer does not exist, or its activation cannot be replaced.
        """
        with self._lock:
            if self._obstacle:
                raise ExplorerError(self._obstacle)
            shifts = self._shifts(request)
            start = self._start(request.person_id, request.patches)
            origin = self._truncated(request.person_id, request.patches, self._kept(request))
            features = origin.features + shifts @ self._opened.components().axes[: len(shifts)]
            found, unchanged = self._network.decode(start, features), self._unchanged(request.person_id)
            left_out = None if start.row is None else int(self._opened.image_groups[start.row])
            rows, distances = self._distances.nearest(origin.distances, shifts, _NEAREST, left_out)
        return LatentAnswer(
            joints=found.joints,
            scores=found.scores,
            heatmaps=found.heatmaps,
            unchanged_joints=unchanged.joints,
            unchanged_scores=unchanged.scores,
            unchanged_peak=float(unchanged.heatmaps.max()),
            moved_px=np.linalg.norm(found.joints.astype(np.float64) - unchanged.joints, axis=1),
            nearest=tuple(self._opened.person_ids[rows].tolist()),
            distance_quantile=self._distances.own_distances.quantile(distances[0]) if len(distances) else float("nan"),
        )

    @cached_property
    def _model(self) -> PoseModel:
        return self._opened.copy_model()

    @cached_property
    def _obstacle(self) -> str:
        return describe_decoding_obstacle(self._model, self._opened.components())

    @cached_property
    def _network(self) -> LatentNetwork:
        fitted = np.flatnonzero(self._opened.persons["role"].to_numpy() == FITTED)
        known = fitted if len(fitted) else np.arange(len(self._opened.persons))
        rows = known[sample_rows(len(known), _MEAN_PERSONS, self._seed)].astype(np.int64)
        return LatentNetwork(self._model, self._opened.crops(), self._opened.components(), rows)

    @cached_property
    def _distances(self) -> PersonDistances:
        opened = self._opened
        return PersonDistances(opened.features(), opened.image_groups, opened.components(), self.component_count, self._seed)

    def _shifts(self, request: LatentRequest) -> NDArray[np.float64]:
        """Return (C,) shifts along all components that have a slider."""
        count = self.component_count
        if len(request.offsets) > count:
            raise ExplorerError(
                f"Latent space: expected at most {count} offsets, one per component, found {len(request.offsets)}."
            )
        offsets = np.zeros(count)
        offsets[: len(request.offsets)] = request.offsets
        shifts: NDArray[np.float64] = offsets * np.sqrt(self._opened.components().variances[:count])
        return shifts

    def _kept(self, request: LatentRequest) -> int | None:
        """Return the number of kept components; None: the features as they are."""
        kept = request.kept_components
        return None if kept is None or kept >= len(self._opened.components()) else kept

    def _make_start(self, person_id: int | None, patches: tuple[Patch, ...]) -> LatentStart:
        made = [LayerPatch(patch.layer, patch.kind, self._row(patch.person_id)) for patch in patches]
        return self._network.start(self._row(person_id), made)

    def _truncate(self, person_id: int | None, patches: tuple[Patch, ...], kept: int | None) -> _Truncated:
        features, components = self._start(person_id, patches).features, self._opened.components()
        if kept is not None:
            features = components.reconstruct(components.project(features[None], kept))[0]
        return _Truncated(features, self._distances.from_start(features))

    def _decode_unchanged(self, person_id: int | None) -> DecodedPoint:
        if person_id is None:
            start = self._start(None, ())
            return self._network.decode(start, start.features)
        return self._network.predict(int(self._opened.rows_of([person_id])[0]))

    def _row(self, person_id: int | None) -> int | None:
        return None if person_id is None else int(self._opened.rows_of([person_id])[0])

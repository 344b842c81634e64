"""Scoring of a network whose layer receives only a part of the features."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.evaluation.metrics.pck_thesis import pck_thesis_hits
from posescope.explainability.base import AnalysisInputs, StudyPersons
from posescope.explainability.features.activation_patching import ActivationPatcher, constant_patches
from posescope.explainability.features.activations import mean_activations, mean_colour_image
from posescope.explainability.features.row_blocks import batches_of_rows, sample_rows
from posescope.explainability.paired_pck import Hits
from posescope.explainability.truncation.component_subsets import INTACT, ComponentSubset, TruncatedFeatures
from posescope.explainability.truncation.person_spans import PersonSpans, deal_draws
from posescope.explainability.truncation.truncation_curve import SkipMode

__all__ = ["SubsetScorer"]


class SubsetScorer:
    """Scores persons with subsets of their features.

    Args:
        inputs: the network and its components.
        spans: spans of random persons.
        mean_persons: maximum number of fitted persons for the mean activations of the skip connections.
    """

    def __init__(self, inputs: AnalysisInputs, spans: PersonSpans, mean_persons: int) -> None:
        self._inputs, self._spans, self._mean_persons = inputs, spans, mean_persons
        self._mean_patcher: ActivationPatcher | None = None

    def score(
        self, persons: StudyPersons, rows: NDArray[np.int64], skips: SkipMode, subsets: Sequence[ComponentSubset]
    ) -> dict[ComponentSubset, Hits]:
        """Return the hits (n, K) of each subset.

        Args:
            persons: fitted or judged persons.
            rows: (n,) their rows.
            skips: treatment of the skip connections.
            subsets: what is left of the features.
        """
        parts: dict[ComponentSubset, list[Hits]] = {subset: [] for subset in subsets}
        targets, size, codec = persons.crops.targets, persons.crops.crop_size, self._inputs.model.codec
        for batch, patcher, features in tqdm(self.batches(persons, rows, skips), desc=f"truncation, skips {skips}"):
            for subset in subsets:
                # With mean skip activations the input image is no person's, so the intact network needs the whole features.
                whole = subset == INTACT and skips != "mean"
                decoded = codec.decode(patcher.heatmaps(None if whole else features.reconstruct(subset)))
                predicted = decoded.joints.float().cpu().numpy()
                parts[subset].append(pck_thesis_hits(predicted, targets.joints[batch], targets.visibility[batch], size))
        return {subset: np.concatenate(hits) for subset, hits in parts.items()}

    def batches(
        self, persons: StudyPersons, rows: NDArray[np.int64], skips: SkipMode
    ) -> Iterator[tuple[NDArray[np.int64], ActivationPatcher, TruncatedFeatures]]:
        """Yield rows of persons, the patched network and the persons' features.

        Args:
            persons, rows, skips: see `score`.
        """
        model, features, components = self._inputs.model, persons.features, self._inputs.components
        draws = deal_draws(persons.groups[rows], len(self._spans.rows), self._inputs.seed)
        for indices in batches_of_rows(np.arange(len(rows)), self._inputs.batch_size):
            batch = rows[indices]
            values = features.values[batch]
            truncated = TruncatedFeatures(components, values, features.shape, self._spans, draws[indices], model.device)
            yield batch, self._patcher(persons, batch, skips), truncated

    def _patcher(self, persons: StudyPersons, batch: NDArray[np.int64], skips: SkipMode) -> ActivationPatcher:
        layer = self._inputs.components.layer
        if skips != "mean":
            return ActivationPatcher(self._inputs.model, layer, torch.from_numpy(persons.crops.read_images(batch)))
        if self._mean_patcher is None:
            self._mean_patcher = self._patch_mean(layer)
        return self._mean_patcher

    def _patch_mean(self, layer: str) -> ActivationPatcher:
        """Patch a network whose skip connections carry their mean and whose image has the mean colour."""
        inputs, model, fitted = self._inputs, self._inputs.model, self._inputs.fitted
        rows = sample_rows(len(fitted), self._mean_persons, inputs.seed)
        means = mean_activations(model, fitted.crops, rows, model.network.skip_layers, inputs.batch_size)
        return ActivationPatcher(model, layer, mean_colour_image(model), constant_patches(means))

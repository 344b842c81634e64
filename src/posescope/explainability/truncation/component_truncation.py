"""Analysis `truncation`: how many principal components of a layer does the rest of the network need?

    f  = mean + sum over all components of  score_i * axis_i  (+ directions beyond the stored axes)
    f' = mean + sum over a subset of them                     replaces f in the forward pass

The thesis called the components after the 50th noise because they explain little variance. Here f' is decoded by the rest of the
network and the predicted joints are scored. The controls are k random components and the last k components.

The skip connections carry either each person's own activations, or their mean over persons together with an image of the mean
colour, so that only the patched layer differs between persons. With their own skip activations the layer may matter little.

The components are computed from the features of the same persons; annotated joints are not used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from tqdm import tqdm

from posescope.core.plugins import Component, Options
from posescope.evaluation.metrics.pck_thesis import pck_thesis_hits
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.features.activation_patching import ActivationPatcher, constant_patches, describe_patching_obstacle
from posescope.explainability.features.activations import mean_activations, mean_colour_image
from posescope.explainability.features.row_blocks import batches_of_rows
from posescope.explainability.paired_pck import Hits, PairedPck, labelled_rows
from posescope.explainability.truncation.component_subsets import INTACT, ComponentSubset, TruncatedFeatures, subset_of
from posescope.explainability.truncation.truncation_curve import SkipMode, TruncationCurve, tabulate_curves, tabulate_joints
from posescope.explainability.truncation.truncation_findings import describe, facts_of, findings_of
from posescope.explainability.truncation.truncation_plots import plot_curves, plot_joint_drops

__all__ = ["Truncation", "TruncationOptions"]

_NOISE_FROM = 50  # the study: later components are noise; the first ones explain this fraction of its variance
_NOISE_VARIANCE = 0.76


class TruncationOptions(Options):
    """Options of the analysis `truncation`."""

    skips: tuple[Literal["own", "mean"], ...] = Field(
        ("own", "mean"),
        min_length=1,
        max_length=2,
        description="Activations of the skip connections: each person's own, the mean",
    )
    counts: tuple[int, ...] = Field(
        (1, 2, 5, 10, 20, 50, 100, 200, 500), max_length=200, description="Numbers of first components; none and all are added"
    )
    control_counts: tuple[int, ...] = Field(
        (5, 20, 50, 200, 500), max_length=200, description="Numbers of random and of last components"
    )
    persons: int = Field(200, ge=2, description="Maximum number of persons with labelled joints")
    tolerance: float = Field(0.01, ge=0, lt=1, description="Drop of PCK that does not count")
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples of images for each interval")

    @field_validator("counts", "control_counts")
    @classmethod
    def _not_negative(cls, counts: tuple[int, ...]) -> tuple[int, ...]:
        if counts and min(counts) < 0:
            raise ValueError(f"expected numbers of components >= 0, found {min(counts)}")
        return tuple(sorted(set(counts)))


class Truncation(Component[TruncationOptions]):
    """Analysis `truncation`.

    Tables: truncation, truncation_joints. Image: truncation_joints. Plot: truncation_curve.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Score the persons with an increasing number of components.

        Raises:
            ExplainabilityError: if no person has labelled joints.
        """
        obstacle = describe_patching_obstacle(inputs.model, inputs.judged.features)
        if obstacle:
            return AnalysisResult({}, note=obstacle)
        rows = labelled_rows(inputs, self.options.persons, "truncation")
        noise_after = _noise_after(inputs.components)
        curves = [self._measure(inputs, rows, skips, noise_after) for skips in self._modes(inputs)]
        joints = tabulate_joints(curves, inputs.model.skeleton.joints)
        return AnalysisResult(
            facts=facts_of(curves, inputs, noise_after),
            tables={"truncation": tabulate_curves(curves), "truncation_joints": joints},
            images={"truncation_joints": plot_joint_drops(joints)},
            note=describe(curves, inputs),
            findings=findings_of(curves, inputs, noise_after),
            plots={"truncation_curve": plot_curves(curves)},
        )

    def _modes(self, inputs: AnalysisInputs) -> tuple[SkipMode, ...]:
        return tuple(dict.fromkeys(self.options.skips)) if inputs.model.network.skip_layers else ("none",)

    def _measure(
        self, inputs: AnalysisInputs, rows: NDArray[np.int64], skips: SkipMode, noise_after: int | None
    ) -> TruncationCurve:
        options, targets = self.options, inputs.judged.crops.targets
        scores = PairedPck(targets.visibility[rows] > 0, inputs.judged.groups[rows], inputs.seed, options.resamples)
        hits = _score(inputs, rows, skips, self._subsets(len(inputs.components), noise_after))
        curve = TruncationCurve(skips, hits, scores, len(inputs.components), options.tolerance)
        control = subset_of("random", curve.sufficient or 0, curve.axes)
        if control in hits:
            return curve
        return replace(curve, hits={**hits, **_score(inputs, rows, skips, [control])})

    def _subsets(self, axes: int, noise_after: int | None) -> list[ComponentSubset]:
        """List the intact network, the first k, the controls, and the subsets for the thesis's claim, each once."""
        controls = [count for count in self.options.control_counts if count < axes]
        counts = [0, *(count for count in self.options.counts if 0 < count < axes), axes]
        subsets = [INTACT, *(ComponentSubset("first", count) for count in counts)]
        subsets += [subset_of("random", count, axes) for count in controls]
        subsets += [subset_of("last", count, axes) for count in controls]
        if noise_after:
            subsets += [ComponentSubset("first", noise_after), subset_of("random", noise_after, axes)]
            subsets += [subset_of("last", axes - noise_after, axes)]
        return list(dict.fromkeys(subsets))


def _noise_after(components: Components) -> int | None:
    """Apply the thesis's claim: noise begins after 50 components, or after the variance that its first 50 components explain."""
    axes = len(components)
    count = _NOISE_FROM if axes > _NOISE_FROM else components.components_for(_NOISE_VARIANCE)
    return count if count < axes else None


def _score(
    inputs: AnalysisInputs, rows: NDArray[np.int64], skips: SkipMode, subsets: Sequence[ComponentSubset]
) -> dict[ComponentSubset, Hits]:
    """Return the hits (n, K) of each subset."""
    parts: dict[ComponentSubset, list[Hits]] = {subset: [] for subset in subsets}
    targets, size = inputs.judged.crops.targets, inputs.judged.crops.crop_size
    for batch, patcher, features in tqdm(_batches(inputs, rows, skips), desc=f"truncation, skips {skips}"):
        for subset in subsets:
            # With mean skip activations the input image is no person's, so the intact network needs the whole features.
            whole = subset == INTACT and skips != "mean"
            decoded = inputs.model.codec.decode(patcher.heatmaps(None if whole else features.reconstruct(subset)))
            predicted = decoded.joints.float().cpu().numpy()
            parts[subset].append(pck_thesis_hits(predicted, targets.joints[batch], targets.visibility[batch], size))
    return {subset: np.concatenate(hits) for subset, hits in parts.items()}


def _batches(
    inputs: AnalysisInputs, rows: NDArray[np.int64], skips: SkipMode
) -> Iterator[tuple[NDArray[np.int64], ActivationPatcher, TruncatedFeatures]]:
    """Yield rows of persons, the patched network and the persons' features."""
    model, features, components = inputs.model, inputs.judged.features, inputs.components
    axes = np.tile(np.arange(len(components)), (len(rows), 1))
    orders = np.random.default_rng(inputs.seed).permuted(axes, axis=1)
    mean_patcher = _mean_patcher(inputs, rows) if skips == "mean" else None
    for indices in batches_of_rows(np.arange(len(rows)), inputs.batch_size):
        batch = rows[indices]
        patcher = mean_patcher or ActivationPatcher(
            model, features.layer, torch.from_numpy(inputs.judged.crops.read_images(batch))
        )
        yield batch, patcher, TruncatedFeatures(components, features.values[batch], features.shape, orders[indices], model.device)


def _mean_patcher(inputs: AnalysisInputs, rows: NDArray[np.int64]) -> ActivationPatcher:
    """Patch a network whose skip connections carry their mean and whose image has the mean colour."""
    model = inputs.model
    means = mean_activations(model, inputs.judged.crops, rows, model.network.skip_layers, inputs.batch_size)
    return ActivationPatcher(model, inputs.judged.features.layer, mean_colour_image(model), constant_patches(means))

"""How many components of a feature does the rest of the network need? Keep some of them, decode, score.

    f  = mean + sum over all components of  score_i * axis_i  (+ what lies beyond the axes)
    f' = mean + sum over the kept ones                          goes back into the network in the place of f

The study called the components from the 50th on noise because they hold little variance. Variance is no use, though: here f' is
decoded through the rest of the network and the skeleton is scored, so that the claim is tested by what it would cause. Beside
the first k components stand as many at random and the last k: if those do as well, the first k are nothing special.

What goes round the tap, in the skip connections, is either each person's own, or the mean over persons with an image of the mean
colour, so that nothing but the tap tells one person from another. With their own skips the tap may matter little.

The components come from the same persons, but from their features alone; no joint was looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from tqdm import tqdm

from posescope.core.plugins import Options
from posescope.evaluation.metrics.pck_thesis import pck_thesis_hits
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.components.pca import Components
from posescope.explainability.features.activation_patching import ActivationPatcher, describe_patching_obstacle
from posescope.explainability.features.activations import batches_of_rows, constant_patches, mean_activations, mean_colour_image
from posescope.explainability.paired_pck import Hits, PairedPck, labelled_rows
from posescope.explainability.truncation.component_subsets import (
    INTACT,
    ComponentSubset,
    TruncatedFeatures,
    component_counts,
    sample_axis_orders,
    subset_of,
)
from posescope.explainability.truncation.truncation_curve import SkipMode, TruncationCurve, tabulate_curves, tabulate_joints
from posescope.explainability.truncation.truncation_findings import NoiseClaim, TruncationSetup, describe, facts_of, findings_of
from posescope.explainability.truncation.truncation_plots import draw_curves, draw_joints, plot_curves

__all__ = ["Truncation", "TruncationOptions"]

_NOISE_FROM = 50  # the study: what comes after so many components is noise; they held this share of its variance
_NOISE_SHARE = 0.76


class TruncationOptions(Options):
    """What is kept, what goes round the tap, and how many persons are scored."""

    skips: tuple[Literal["own", "mean"], ...] = Field(
        ("own", "mean"), min_length=1, max_length=2, description="What goes round the tap: each person's own, the mean; or both"
    )
    counts: tuple[int, ...] = Field(
        (1, 2, 5, 10, 20, 50, 100, 200, 500), max_length=200, description="Keep so many; none and all are added"
    )
    control_counts: tuple[int, ...] = Field(
        (5, 20, 50, 200, 500), max_length=200, description="Keep so many at random, and so many of the last"
    )
    persons: int = Field(200, ge=2, description="Persons with labelled joints that are decoded anew each time, at most")
    tolerance: float = Field(0.01, ge=0, lt=1, description="A drop of PCK up to this one does not count, however certain")
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples of the images behind each interval")

    @field_validator("counts", "control_counts")
    @classmethod
    def _not_negative(cls, counts: tuple[int, ...]) -> tuple[int, ...]:
        if counts and min(counts) < 0:
            raise ValueError("expected numbers of components from 0")
        return tuple(sorted(set(counts)))


class Truncation:
    """Analysis `truncation`. Tables: truncation, truncation_joints. Pictures: likewise. Figure: truncation_curve."""

    Options = TruncationOptions

    def __init__(self, options: TruncationOptions) -> None:
        self.options = options

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Decode the persons with more and more components kept.

        Raises:
            ExplainError: if nobody has labelled joints.
        """
        why_not = describe_patching_obstacle(inputs.model, inputs.features)
        if why_not:
            return AnalysisResult({}, note=why_not)
        rows = labelled_rows(inputs, self.options.persons, "truncation")
        noise = _noise_claim(inputs.components)
        curves = [self._measure(inputs, rows, skips, noise) for skips in self._modes(inputs)]
        axes, ratio = len(inputs.components), inputs.components.explained_variance_ratio
        studied = TruncationSetup(
            inputs.features.layer, len(rows), inputs.features.values.shape[1], axes, float(ratio[:axes].sum()), noise
        )
        joints = tabulate_joints(curves, inputs.model.skeleton.joints)
        return AnalysisResult(
            facts=facts_of(curves, studied),
            tables={"truncation": tabulate_curves(curves), "truncation_joints": joints},
            images={"truncation": draw_curves(curves), "truncation_joints": draw_joints(joints)},
            note=describe(curves, studied),
            findings=findings_of(curves, studied),
            plots={"truncation_curve": plot_curves(curves)},
        )

    def _modes(self, inputs: AnalysisInputs) -> tuple[SkipMode, ...]:
        """Without skips nothing goes round the tap, and every way of filling them is the same."""
        return tuple(dict.fromkeys(self.options.skips)) if inputs.model.network.skip_layers else ("none",)

    def _measure(
        self, inputs: AnalysisInputs, rows: NDArray[np.int64], skips: SkipMode, noise: NoiseClaim | None
    ) -> TruncationCurve:
        options, targets = self.options, inputs.crops.targets
        scores = PairedPck(targets.visibility[rows] > 0, inputs.groups[rows], inputs.seed, options.resamples)
        hits = _score(inputs, rows, skips, self._plan(len(inputs.components), noise))
        curve = TruncationCurve(skips, hits, scores, len(inputs.components), options.tolerance)
        control = subset_of("random", curve.sufficient or 0, curve.axes)
        if control in hits:
            return curve
        return replace(curve, hits={**hits, **_score(inputs, rows, skips, [control])})

    def _plan(self, axes: int, noise: NoiseClaim | None) -> list[ComponentSubset]:
        """The intact network, the first k, the controls, and what the study's claim needs; each once."""
        controls = [count for count in self.options.control_counts if count < axes]
        wanted = [INTACT, *(ComponentSubset("first", count) for count in component_counts(self.options.counts, axes))]
        wanted += [subset_of("random", count, axes) for count in controls] + [
            subset_of("last", count, axes) for count in controls
        ]
        if noise:
            wanted += [ComponentSubset("first", noise.count), subset_of("random", noise.count, axes)]
            wanted += [subset_of("last", axes - noise.count, axes)]
        return list(dict.fromkeys(wanted))


def _noise_claim(components: Components) -> NoiseClaim | None:
    """From where on the study would speak of noise: after 50 components, or after those that hold as much variance as its 50."""
    axes, ratio = len(components), components.explained_variance_ratio
    count = _NOISE_FROM if axes > _NOISE_FROM else components.components_for(_NOISE_SHARE)
    return NoiseClaim(count, float(ratio[:count].sum())) if count < axes else None


def _score(
    inputs: AnalysisInputs, rows: NDArray[np.int64], skips: SkipMode, wanted: Sequence[ComponentSubset]
) -> dict[ComponentSubset, Hits]:
    """For everything that is kept (n, K): labelled and right."""
    parts: dict[ComponentSubset, list[Hits]] = {kept: [] for kept in wanted}
    targets, size = inputs.crops.targets, inputs.crops.crop_size
    for batch, put_back, truncated in tqdm(_batches(inputs, rows, skips), desc=f"truncation, skips {skips}"):
        for kept in wanted:
            # The mean surroundings know nobody: there the intact network is the whole feature, put back.
            whole = kept == INTACT and skips != "mean"
            decoded = inputs.model.codec.decode(put_back.heatmaps(None if whole else truncated.keep(kept)))
            predicted = decoded.joints.float().cpu().numpy()
            parts[kept].append(pck_thesis_hits(predicted, targets.joints[batch], targets.visibility[batch], size))
    return {kept: np.concatenate(own) for kept, own in parts.items()}


def _batches(
    inputs: AnalysisInputs, rows: NDArray[np.int64], skips: SkipMode
) -> Iterator[tuple[NDArray[np.int64], ActivationPatcher, TruncatedFeatures]]:
    """Rows of persons, the network about to go on from the tap, and their features."""
    model, features, components = inputs.model, inputs.features, inputs.components
    orders = sample_axis_orders(len(rows), len(components), inputs.seed)
    surroundings = _mean_surroundings(inputs, rows) if skips == "mean" else None
    for places in batches_of_rows(np.arange(len(rows)), inputs.batch_size):
        batch = rows[places]
        put_back = surroundings or ActivationPatcher(model, features.layer, torch.from_numpy(inputs.crops.read_images(batch)))
        yield batch, put_back, TruncatedFeatures(components, features.values[batch], features.shape, orders[places], model.device)


def _mean_surroundings(inputs: AnalysisInputs, rows: NDArray[np.int64]) -> ActivationPatcher:
    """Nothing but the tap tells one person from another: the skips at their mean, an image of the mean colour."""
    model = inputs.model
    means = mean_activations(model, inputs.crops, rows, model.network.skip_layers, inputs.batch_size)
    return ActivationPatcher(model, inputs.features.layer, mean_colour_image(model), constant_patches(means))

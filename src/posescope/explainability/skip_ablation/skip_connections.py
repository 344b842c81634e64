"""Analysis `skip_ablation`: the drop of PCK when the activations of skip connections are replaced, joint by joint.

    zero        zeros; the sums behind the skip then lie outside the training distribution
    mean        the mean over persons; only the differences between persons are lost
    shuffled    the activation of another person in another image; every value is a usual one
    own         control: the person's own activation, read and patched; nothing may change

The network is not retrained. A drop shows what the trained network relies on, not what a network without the skip could learn.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from tqdm import tqdm

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import Component, Options
from posescope.evaluation.metrics.pck_thesis import pck_thesis_hits
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.features.activation_patching import constant_patches, zero_patch
from posescope.explainability.features.activations import mean_activations, read_activations
from posescope.explainability.features.row_blocks import batches_of_rows
from posescope.explainability.paired_pck import Hits, PairedPck, labelled_rows
from posescope.explainability.skip_ablation.skip_findings import ALL, INTACT, OWN, Ablation, describe, facts_of, findings_of
from posescope.explainability.static_plots import plot_matrix
from posescope.models.base import Resumable
from posescope.models.layers import Interventions

__all__ = ["ALL", "INTACT", "OWN", "SkipAblation", "SkipAblationOptions", "sample_derangement"]

_Decode: TypeAlias = Callable[[Interventions], Tensor]
_MOST_ROWS = 40  # of the heat map; for deeper networks it shows the mode `shuffled` only


class SkipAblationOptions(Options):
    """Options of the analysis `skip_ablation`."""

    persons: int = Field(400, ge=2, description="Maximum number of persons with labelled joints")
    tolerance: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="A skip is redundant if the interval of its drop of PCK is within this tolerance in every mode",
    )
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples of images for each interval")


class SkipAblation(Component[SkipAblationOptions]):
    """Analysis `skip_ablation`.

    Tables: skip_ablation (by joint), skip_ablation_levels. Image: skip_ablation.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Ablate every skip connection alone, and all together, in every mode.

        Raises:
            ExplainabilityError: if no person has labelled joints.
        """
        layers = inputs.model.network.skip_layers
        if not layers:
            return AnalysisResult({"skips": 0}, note="The network has no skip connections.")
        rows = labelled_rows(inputs, self.options.persons, "skip_ablation")
        scores = PairedPck(
            inputs.judged.crops.targets.visibility[rows] > 0, inputs.judged.groups[rows], inputs.seed, self.options.resamples
        )
        joints = inputs.model.skeleton.joints
        ablation = Ablation(layers, joints, _hits(inputs, rows), scores, self.options.tolerance)
        by_joint = _joint_table(ablation)
        return AnalysisResult(
            facts=facts_of(ablation, len(rows)),
            tables={"skip_ablation": by_joint, "skip_ablation_levels": _level_table(ablation)},
            images={"skip_ablation": _plot_drops(by_joint, len(layers))},
            note=describe(ablation, len(rows)),
            findings=findings_of(ablation, inputs.seed),
        )


def _hits(inputs: AnalysisInputs, rows: NDArray[np.int64]) -> dict[tuple[str, str], Hits]:
    """Return the hits (n, K) by level and mode."""
    model, targets, size = inputs.model, inputs.judged.crops.targets, inputs.judged.crops.crop_size
    layers = model.network.skip_layers
    means = constant_patches(mean_activations(model, inputs.judged.crops, rows, layers, inputs.batch_size))
    partners = sample_derangement(inputs.judged.groups[rows], inputs.seed)
    parts: dict[tuple[str, str], list[Hits]] = {}
    for indices in tqdm(batches_of_rows(np.arange(len(rows)), inputs.batch_size), desc="skip ablation"):
        batch, images = rows[indices], torch.from_numpy(inputs.judged.crops.read_images(rows[indices]))
        modes: dict[str, Interventions] = {"zero": dict.fromkeys(layers, zero_patch), "mean": means}
        if partners is not None:
            others = torch.from_numpy(inputs.judged.crops.read_images(rows[partners[indices]]))
            modes["shuffled"] = constant_patches(read_activations(model, others, layers))
        decode = _decoder(model, images)
        for key, interventions in _ablations(layers, modes, constant_patches(read_activations(model, images, layers))).items():
            predicted = model.codec.decode(decode(interventions)).joints.float().cpu().numpy()
            own = pck_thesis_hits(predicted, targets.joints[batch], targets.visibility[batch], size)
            parts.setdefault(key, []).append(own)
    return {key: np.concatenate(own) for key, own in parts.items()}


def _ablations(
    layers: tuple[str, ...], modes: Mapping[str, Interventions], own: Interventions
) -> dict[tuple[str, str], Interventions]:
    """List interventions by level and mode; the intact network first, the control second."""
    interventions: dict[tuple[str, str], Interventions] = {INTACT: {}, OWN: own}
    for mode, changes in modes.items():
        interventions |= {(layer, mode): {layer: changes[layer]} for layer in layers} | {(ALL, mode): changes}
    return interventions


def _decoder(model: PoseModel, images: Tensor) -> _Decode:
    """Return a function that computes heatmaps of the images under interventions in the skip connections.

    In a single hourglass no skip connection affects the bottleneck, so the encoder runs once. Other networks run whole each time.
    """
    network = model.network
    if isinstance(network, Resumable):
        paused = model.pause(images)
        if len(paused.skips) == len(network.skip_layers):

            def resume(interventions: Interventions) -> Tensor:
                carried = zip(network.skip_layers, paused.skips, strict=True)
                skips = tuple(interventions[layer](value) if layer in interventions else value for layer, value in carried)
                return model.resume(replace(paused, skips=skips))

            return resume
    return lambda interventions: model.heatmaps(images, interventions)


def _level_table(ablation: Ablation) -> pd.DataFrame:
    """Tabulate PCK and its paired drop with a 95 % interval over images, one row per ablation."""
    return pd.DataFrame(
        [
            {"level": level, "mode": mode, "pck": ablation.pck(level, mode).estimate} | ablation.drop(level, mode).columns("drop")
            for level, mode in ablation.hits
        ]
    )


def _joint_table(ablation: Ablation) -> pd.DataFrame:
    """Tabulate PCK and its drop from the intact network with a 95 % interval over images, one row per ablation and joint.

    The joint `all` is the mean over persons, as in `pck_thesis`. NaN for a joint without labels.
    """
    rows = []
    for (level, mode), hits in ablation.hits.items():
        drops = [*ablation.scores.joint_drops(ablation.hits[INTACT], hits), ablation.drop(level, mode)]
        values = [*ablation.scores.joint_pck(hits), ablation.pck(level, mode).estimate]
        for joint, pck, drop in zip([*ablation.joints, ALL], values, drops, strict=True):
            rows.append({"level": level, "mode": mode, "joint": joint, "pck": pck, **drop.columns("drop")})
    return pd.DataFrame(rows)


def _plot_drops(by_joint: pd.DataFrame, skips: int) -> NDArray[np.uint8]:
    modes = ["zero", "mean", "shuffled"]
    if 3 * (skips + 1) > _MOST_ROWS and (by_joint["mode"] == "shuffled").any():
        modes = ["shuffled"]
    shown = by_joint[by_joint["mode"].isin(modes)]
    joints = list(dict.fromkeys(shown["joint"]))
    names = [f"{level}, {mode}" for level, mode in dict.fromkeys(zip(shown["level"], shown["mode"], strict=True))]
    drops = shown["drop"].to_numpy(dtype=np.float64).reshape(len(names), len(joints))
    title = "Drop of PCK when a skip connection is replaced by zeros, the mean or another person's activation (shuffled)"
    return plot_matrix(drops, names, joints, title=title, unit="drop of PCK")


def sample_derangement(groups: NDArray[np.int64], seed: int) -> NDArray[np.int64] | None:
    """Draw a permutation that assigns to each person one in another image.

    Args:
        groups: (n,) image of each person.
        seed: random seed of the draw.

    Returns:
        (n,) row of the other person; None if there are no persons or more than half of them share one image, since no such
        permutation exists then.
    """
    rng = np.random.default_rng(seed)
    _, members = np.unique(groups, return_inverse=True)
    largest = int(np.bincount(members, minlength=1).max())
    if 2 * largest > len(groups) or not len(groups):
        return None
    # Groups in a random order, each in a random order of its own; a shift by the largest group leaves every group.
    order = np.lexsort((rng.random(len(groups)), rng.permutation(int(members.max()) + 1)[members]))
    partners = np.empty(len(groups), dtype=np.int64)
    partners[order] = np.roll(order, -largest)
    return partners

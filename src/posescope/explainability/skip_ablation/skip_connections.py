"""What the skip connections carry: each is cut, and the PCK is taken again, joint by joint.

    zero        the skip is switched off: this also moves the sums behind it away from all that they were trained on
    mean        the average over persons stays and only what tells one person from another goes
    shuffled    another person's values, from another photograph: nothing is out of the ordinary but that they are of somebody
                else; what the network then gets wrong, it had taken from there
    own         the control: everybody's own values, taken out and put back. Nothing may change

The network is not retrained, so a drop says what the trained network relies on, not what a network without the skip could learn.
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
from posescope.core.plugins import Options
from posescope.evaluation.metrics.pck_thesis import pck_thesis_hits
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.features.activations import (
    batches_of_rows,
    constant_patches,
    mean_activations,
    read_activations,
    zeros,
)
from posescope.explainability.paired_pck import Hits, PairedPck, labelled_rows
from posescope.explainability.skip_ablation.skip_findings import ALL, INTACT, OWN, Ablation, describe, facts_of, findings_of
from posescope.explainability.static_plots import plot_matrix
from posescope.models.base import Interventions, Resumable

__all__ = ["ALL", "INTACT", "OWN", "SkipAblation", "SkipAblationOptions", "sample_derangement"]

_Decode: TypeAlias = Callable[[Interventions], Tensor]
_MOST_ROWS = 40  # of the heat map; of a deeper network it shows the shuffled values alone


class SkipAblationOptions(Options):
    """How many persons are looked at."""

    persons: int = Field(
        400, ge=2, description="Persons with labelled joints that are predicted anew for every ablation, at most"
    )
    tolerance: float = Field(0.01, ge=0, lt=1, description="A skip is idle if not more PCK than this hangs on it, for certain")
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples of the images behind each interval")


class SkipAblation:
    """Analysis `skip_ablation`. Tables: skip_ablation (by joint), skip_ablation_levels. Picture: skip_ablation."""

    Options = SkipAblationOptions

    def __init__(self, options: SkipAblationOptions) -> None:
        self.options = options

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Ablate every skip alone, and all together, in every mode.

        Raises:
            ExplainError: if nobody has labelled joints.
        """
        layers = inputs.model.network.skip_layers
        if not layers:
            return AnalysisResult({"skips": 0}, note="The network has no skip connections: there is nothing to switch off.")
        rows = labelled_rows(inputs, self.options.persons, "skip_ablation")
        scores = PairedPck(inputs.crops.targets.visibility[rows] > 0, inputs.groups[rows], inputs.seed, self.options.resamples)
        joints = inputs.model.skeleton.joints
        ablation = Ablation(layers, joints, _hits(inputs, rows), scores, self.options.tolerance)
        by_joint = _joint_table(ablation)
        return AnalysisResult(
            facts=facts_of(ablation, len(rows)),
            tables={"skip_ablation": by_joint, "skip_ablation_levels": _level_table(ablation)},
            images={"skip_ablation": _chart(by_joint, len(layers))},
            note=describe(ablation, len(rows)),
            findings=findings_of(ablation, inputs.seed),
        )


def _hits(inputs: AnalysisInputs, rows: NDArray[np.int64]) -> dict[tuple[str, str], Hits]:
    """For every level and mode (n, K): labelled and right. Each batch of images is read once, and once more for others."""
    model, targets, size = inputs.model, inputs.crops.targets, inputs.crops.crop_size
    layers = model.network.skip_layers
    means = constant_patches(mean_activations(model, inputs.crops, rows, layers, inputs.batch_size))
    partners = sample_derangement(inputs.groups[rows], inputs.seed)
    parts: dict[tuple[str, str], list[Hits]] = {}
    for places in tqdm(batches_of_rows(np.arange(len(rows)), inputs.batch_size), desc="skip ablation"):
        batch, images = rows[places], torch.from_numpy(inputs.crops.read_images(rows[places]))
        modes: dict[str, Interventions] = {"zero": dict.fromkeys(layers, zeros), "mean": means}
        if partners is not None:
            others = torch.from_numpy(inputs.crops.read_images(rows[partners[places]]))
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
    """Edits by level and mode; the intact network first, the control second."""
    interventions: dict[tuple[str, str], Interventions] = {INTACT: {}, OWN: own}
    for mode, changes in modes.items():
        interventions |= {(layer, mode): {layer: changes[layer]} for layer in layers} | {(ALL, mode): changes}
    return interventions


def _decoder(model: PoseModel, images: Tensor) -> _Decode:
    """Heatmaps of the images under edits of the skips.

    In a single hourglass no skip reaches the bottleneck, so the way down is gone once. Other networks pass whole each time.
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
    """A row an ablation: PCK, and its drop with a 95 % interval over images, of the same persons (paired)."""
    rows = []
    for level, mode in ablation.hits:
        drop = ablation.drop(level, mode)
        rows.append((level, mode, ablation.pck(level, mode).estimate, drop.estimate, drop.low, drop.high))
    return pd.DataFrame(rows, columns=["level", "mode", "pck", "drop", "drop_low", "drop_high"])


def _joint_table(ablation: Ablation) -> pd.DataFrame:
    """A row an ablation and joint: share of the labelled joints that is right, and its drop against the intact network with a
    95 % interval over images.

    The joint `all` is the mean over persons, as in `pck_thesis`. NaN for a joint that nobody has labelled.
    """  # fmt: skip
    frames = []
    for (level, mode), hits in ablation.hits.items():
        drops = [*ablation.scores.joint_drops(ablation.hits[INTACT], hits), ablation.drop(level, mode)]
        columns = {
            "level": level,
            "mode": mode,
            "joint": [*ablation.joints, ALL],
            "pck": [*ablation.scores.joint_pck(hits), ablation.pck(level, mode).estimate],
            "drop": [drop.estimate for drop in drops],
            "drop_low": [drop.low for drop in drops],
            "drop_high": [drop.high for drop in drops],
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _chart(by_joint: pd.DataFrame, skips: int) -> NDArray[np.uint8]:
    modes = ["zero", "mean", "shuffled"]
    if 3 * (skips + 1) > _MOST_ROWS and (by_joint["mode"] == "shuffled").any():
        modes = ["shuffled"]
    shown = by_joint[by_joint["mode"].isin(modes)]
    joints = list(dict.fromkeys(shown["joint"]))
    names = [f"{level}, {mode}" for level, mode in dict.fromkeys(zip(shown["level"], shown["mode"], strict=True))]
    drops = shown["drop"].to_numpy(dtype=np.float64).reshape(len(names), len(joints))
    title = "What each skip connection carries: loss of PCK when it is cut (zero, mean) or somebody else's (shuffled)"
    return plot_matrix(drops, names, joints, title=title, unit="drop of PCK")


# MERGED from derangement: Giving everybody something of somebody else in another photograph.


def sample_derangement(groups: NDArray[np.int64], seed: int) -> NDArray[np.int64] | None:
    """For each of n persons another one, from another group; each is used once.

    Args:
        groups: (n,) a number a photograph.
        seed: of the draw.

    Returns:
        (n,) the place of the other person; none where more than half of the persons share one photograph (or nobody is there),
        for then there is no such exchange.
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

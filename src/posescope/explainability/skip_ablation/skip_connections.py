"""Analysis `skip_ablation`: the drop of PCK when the activations of skip connections are replaced, joint by joint.

    zero        zeros; the sums behind the skip then lie outside the training distribution
    mean        the mean over persons; only the differences between persons are lost
    shuffled    the activation of another person in another photograph; every value is a usual one
    own         check: the person's own activation, read and patched; nothing may change

The same is done to the bottleneck, which is the control: do the skip connections carry more of what distinguishes persons than
the bottleneck does? With both of another person, only the other person is left.

The network is not retrained. A drop shows what the trained network relies on, not what a network without the skip could learn.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from tqdm import tqdm

from posescope.artifacts.pose_model import PoseModel, normalise_images
from posescope.core.plugins import Component, Options
from posescope.evaluation.metrics.pck_thesis import pck_thesis_hits
from posescope.explainability.answers import state_sample
from posescope.explainability.base import AnalysisInputs, AnalysisResult
from posescope.explainability.features.activation_patching import constant_patches, zero_patch
from posescope.explainability.features.activations import mean_activations, read_activations
from posescope.explainability.features.module_replay import find_shared_modules, record_pass
from posescope.explainability.features.row_blocks import batches_of_rows, sample_rows
from posescope.explainability.paired_pck import Hits, PairedPck, labelled_rows, tabulate_hits
from posescope.explainability.skip_ablation.ablation import (
    ALL,
    BOTTLENECK,
    EVERYTHING,
    INTACT,
    OWN,
    Ablation,
    words_of_bottlenecks,
    words_of_layer,
)
from posescope.explainability.skip_ablation.skip_findings import caption_results, describe, facts_of, findings_of
from posescope.explainability.static_plots import plot_matrix
from posescope.models.base import Resumable
from posescope.models.layers import Interventions, bottleneck_layers

__all__ = ["SkipAblation", "SkipAblationOptions", "sample_derangement"]

_Decode: TypeAlias = Callable[[Interventions], Tensor]
_LEVELS = {ALL: "all skip connections", EVERYTHING: "both"}
_MODES = {"mean": "the average person", "shuffled": "another person"}


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

    Tables: skip_ablation (by joint), skip_ablation_levels, and to recompute them skip_ablation_hits and skip_ablation_partners.
    Image: skip_ablation.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Ablate every skip connection alone, all together, and the bottleneck, in every mode.

        Raises:
            ExplainabilityError: if no person has labelled joints.
        """
        layers = inputs.model.network.skip_layers
        if not layers:
            return AnalysisResult({"skips": 0}, note="This analysis does not apply: the network names no skip connections.")
        judged = inputs.judged
        rows = labelled_rows(judged, self.options.persons, "skip_ablation", inputs.seed)
        labelled, partners = judged.crops.targets.visibility[rows] > 0, sample_derangement(judged.groups[rows], inputs.seed)
        scores = PairedPck(labelled, judged.groups[rows], inputs.seed, self.options.resamples)
        hits = _hits(inputs, rows, partners, self.options.persons)
        middle = words_of_bottlenecks(bottleneck_layers(inputs.model.network))
        ablation = Ablation(layers, inputs.model.skeleton.joints, hits, scores, self.options.tolerance, middle)
        by_joint = _joint_table(ablation)
        tables = {
            "skip_ablation": by_joint,
            "skip_ablation_levels": _level_table(ablation),
            "skip_ablation_hits": tabulate_hits(
                judged.person_ids[rows], labelled, hits, lambda key: {"level": key[0], "mode": key[1]}
            ),
            "skip_ablation_partners": _partner_table(judged.person_ids[rows], judged.groups[rows], partners),
        }
        return AnalysisResult(
            facts=facts_of(ablation, len(rows)),
            tables=tables,
            images={"skip_ablation": _plot_drops(by_joint, ablation)},
            note=describe(ablation, len(rows)),
            findings=state_sample(findings_of(ablation, inputs.seed), judged.groups[rows]),
            captions=caption_results(ablation),
            photographs=inputs.photographs,
        )


def _hits(
    inputs: AnalysisInputs, rows: NDArray[np.int64], partners: NDArray[np.int64] | None, mean_persons: int
) -> dict[tuple[str, str], Hits]:
    """Return the hits (n, K) by level and mode; the means are those of the fitted persons."""
    model, crops, fitted = inputs.model, inputs.judged.crops, inputs.fitted
    skips, bottlenecks = model.network.skip_layers, bottleneck_layers(model.network)
    layers = (*skips, *bottlenecks)
    sample = sample_rows(len(fitted), mean_persons, inputs.seed)
    means = constant_patches(mean_activations(model, fitted.crops, sample, layers, inputs.batch_size))
    decoder_of = _choose_decoder(model, layers, torch.from_numpy(crops.read_images(rows[:1])))
    parts: dict[tuple[str, str], list[Hits]] = {}
    for indices in tqdm(batches_of_rows(np.arange(len(rows)), inputs.batch_size), desc="skip ablation"):
        batch, images = rows[indices], torch.from_numpy(crops.read_images(rows[indices]))
        modes: dict[str, Interventions] = {"zero": dict.fromkeys(layers, zero_patch), "mean": means}
        if partners is not None:
            others = torch.from_numpy(crops.read_images(rows[partners[indices]]))
            modes["shuffled"] = constant_patches(read_activations(model, others, layers))
        own, decode = constant_patches(read_activations(model, images, skips)), decoder_of(images)
        for key, interventions in _ablations(skips, bottlenecks, modes, own).items():
            predicted = model.codec.decode(decode(interventions)).joints.float().cpu().numpy()
            joints, visibility = crops.targets.joints[batch], crops.targets.visibility[batch]
            parts.setdefault(key, []).append(pck_thesis_hits(predicted, joints, visibility, crops.crop_size))
    return {key: np.concatenate(found) for key, found in parts.items()}


def _ablations(
    skips: tuple[str, ...], bottlenecks: tuple[str, ...], modes: Mapping[str, Interventions], own: Interventions
) -> dict[tuple[str, str], Interventions]:
    """List interventions by level and mode; the intact network first, the check second."""
    interventions: dict[tuple[str, str], Interventions] = {INTACT: {}, OWN: own}
    for mode, changes in modes.items():
        interventions |= {(layer, mode): {layer: changes[layer]} for layer in skips}
        interventions[ALL, mode] = {layer: changes[layer] for layer in skips}
        if bottlenecks:
            interventions[BOTTLENECK, mode] = {layer: changes[layer] for layer in bottlenecks}
    if bottlenecks:
        mode = "shuffled" if "shuffled" in modes else "mean"
        interventions[EVERYTHING, mode] = modes[mode]
    return interventions


def _choose_decoder(model: PoseModel, layers: tuple[str, ...], image: Tensor) -> Callable[[Tensor], _Decode]:
    """Choose how passes that differ only in interventions in some layers share what is the same in all of them.

    Args:
        model: the network.
        layers: skip connections and bottlenecks.
        image: (1, H, W, 3) uint8, for checks.

    Returns:
        A function from images to a function from interventions to heatmaps.
    """
    network = model.network
    if isinstance(network, Resumable) and len(model.pause(image).skips) == len(network.skip_layers):
        return partial(_resume_pass, model)
    modules = find_shared_modules(network, layers, normalise_images(image.to(model.device), model.mean_rgb))
    return partial(_replay_pass, model, layers, modules)


def _resume_pass(model: PoseModel, images: Tensor) -> _Decode:
    """Run a single hourglass up to its bottleneck, on which no skip connection has an effect."""
    network, paused = model.network, model.pause(images)

    def resume(interventions: Interventions) -> Tensor:
        carried = zip(network.skip_layers, paused.skips, strict=True)
        skips = tuple(interventions[layer](value) if layer in interventions else value for layer, value in carried)
        change = interventions.get(network.bottleneck_layer or "")
        bottleneck = paused.bottleneck if change is None else change(paused.bottleneck)
        return model.resume(replace(paused, skips=skips, bottleneck=bottleneck))

    return resume


def _replay_pass(model: PoseModel, layers: tuple[str, ...], modules: frozenset[str], images: Tensor) -> _Decode:
    """Run the modules before all of the layers once, such as the encoder."""
    recorded = record_pass(model.network, layers, normalise_images(images.to(model.device), model.mean_rgb), modules)
    return lambda interventions: recorded.heatmaps(interventions) if interventions else recorded.maps


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


def _partner_table(person_ids: NDArray[np.int64], groups: NDArray[np.int64], partners: NDArray[np.int64] | None) -> pd.DataFrame:
    """Tabulate the photograph and the partner of each person; no rows if there are no partners."""
    if partners is None:
        person_ids, groups, partners = person_ids[:0], groups[:0], np.empty(0, dtype=np.int64)
    return pd.DataFrame({"person_id": person_ids, "image_group": groups, "partner_person_id": person_ids[partners]})


def _plot_drops(by_joint: pd.DataFrame, ablation: Ablation) -> NDArray[np.uint8]:
    """Plot the drops of the mode that the findings use; the table has the others."""
    shown = by_joint[by_joint["mode"] == ablation.mode]
    joints, levels = list(dict.fromkeys(shown["joint"])), list(dict.fromkeys(shown["level"]))
    drops = shown["drop"].to_numpy(dtype=np.float64).reshape(len(levels), len(joints))
    words = {**_LEVELS, BOTTLENECK: ablation.middle.removeprefix("the ")}
    rows = [words.get(level) or words_of_layer(level, ablation.layers) for level in levels]
    columns = ["all joints" if joint == ALL else joint.replace("_", " ") for joint in joints]
    title = f"Drop of PCK with values of {_MODES[ablation.mode]}"
    return plot_matrix(drops, rows, columns, title=title, unit="drop of PCK")


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

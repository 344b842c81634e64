"""What the skip connections carry: each is switched off or held at its mean, and the PCK is taken again, joint by joint.

`zero` removes a skip altogether, which also moves the sums behind it away from all that they were trained on; `mean` leaves
the average in place and removes only what tells one person from another. The network is not retrained, so a drop says what
the trained network relies on, not what a network without the skip could learn.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from tqdm import tqdm

from posescope.explain.base import AnalysisInputs, AnalysisResult, sample_rows
from posescope.explain.charts import heat_map
from posescope.explain.errors import ExplainError
from posescope.explain.taps import batches_of_rows, held, mean_of_taps, zeros
from posescope.metrics.base import mean_over_labelled, share_per_person
from posescope.metrics.confidence import bootstrap_mean
from posescope.metrics.pck_thesis import pck_thesis_hits
from posescope.models.network import Edits
from posescope.plugins import Options

__all__ = ["ALL", "INTACT", "SkipAblation", "SkipAblationOptions"]

ALL = "all"
INTACT = ("intact", "none")


class SkipAblationOptions(Options):
    """How many persons are looked at."""

    persons: int = Field(
        400, ge=2, description="Persons with labelled joints that are predicted anew for every ablation, at most"
    )
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples behind each interval")


class SkipAblation:
    """Analysis `skip_ablation`. Tables: skip_ablation (by joint), skip_ablation_levels. Picture: skip_ablation."""

    Options = SkipAblationOptions

    def __init__(self, options: SkipAblationOptions) -> None:
        self.options = options

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Ablate every skip alone, and all together, in both modes.

        Raises:
            ExplainError: if nobody has labelled joints.
        """
        taps = inputs.model.network.skip_taps
        if not taps:
            return AnalysisResult({"skips": 0}, note="The network has no skip connections: there is nothing to switch off.")
        rows = self._rows(inputs)
        hits = _hits(inputs, rows, _ablations(inputs, rows))
        visibility = inputs.crops.targets.visibility[rows]
        by_joint = _joint_table(hits, visibility, inputs.model.skeleton.joints)
        by_level = self._level_table(hits, visibility, inputs.seed)
        facts = _facts(by_level, by_joint, len(taps), len(rows))
        return AnalysisResult(
            facts=facts,
            tables={"skip_ablation": by_joint, "skip_ablation_levels": by_level},
            pictures={"skip_ablation": _chart(by_joint)},
            note=_note(facts),
        )

    def _rows(self, inputs: AnalysisInputs) -> NDArray[np.int64]:
        labelled = np.flatnonzero((inputs.crops.targets.visibility > 0).any(axis=1))
        if not len(labelled):
            raise ExplainError("skip_ablation: none of the persons has labelled joints, so nothing can be scored.")
        return labelled[sample_rows(len(labelled), self.options.persons, inputs.seed)].astype(np.int64)

    def _level_table(
        self, hits: Mapping[tuple[str, str], NDArray[np.bool_]], visibility: NDArray[np.uint8], seed: int
    ) -> pd.DataFrame:
        """A row an ablation: PCK, and its drop with a 95 % interval over the same persons (paired)."""
        intact = share_per_person(hits[INTACT], visibility > 0)
        records = []
        for (level, mode), own in hits.items():
            shares = share_per_person(own, visibility > 0)
            drop = bootstrap_mean(intact - shares, seed, self.options.resamples)
            records.append((level, mode, float(shares.mean()), drop.estimate, drop.low, drop.high))
        return pd.DataFrame(records, columns=["level", "mode", "pck", "drop", "drop_low", "drop_high"])


def _ablations(inputs: AnalysisInputs, rows: NDArray[np.int64]) -> dict[tuple[str, str], Edits]:
    """Edits by level and mode; the intact network first."""
    taps = inputs.model.network.skip_taps
    means = mean_of_taps(inputs.model, inputs.crops, rows, taps, inputs.batch_size)
    modes: dict[str, Edits] = {"zero": dict.fromkeys(taps, zeros), "mean": held(means)}
    edits: dict[tuple[str, str], Edits] = {INTACT: {}}
    for mode, changes in modes.items():
        edits |= {(tap, mode): {tap: changes[tap]} for tap in taps} | {(ALL, mode): changes}
    return edits


def _hits(
    inputs: AnalysisInputs, rows: NDArray[np.int64], ablations: Mapping[tuple[str, str], Edits]
) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """For every ablation (n, K): labelled and right. Each batch of images is read once."""
    targets, size = inputs.crops.targets, inputs.crops.crop_size
    parts: dict[tuple[str, str], list[NDArray[np.bool_]]] = {key: [] for key in ablations}
    for batch in tqdm(batches_of_rows(rows, inputs.batch_size), desc="skip ablation"):
        images = torch.from_numpy(inputs.crops.read_images(batch))
        for key, edits in ablations.items():
            predicted = _joints(inputs, images, edits)
            parts[key].append(pck_thesis_hits(predicted, targets.joints[batch], targets.visibility[batch], size))
    return {key: np.concatenate(own) for key, own in parts.items()}


def _joints(inputs: AnalysisInputs, images: Tensor, edits: Edits) -> NDArray[np.float32]:
    joints: NDArray[np.float32] = inputs.model.predict(images, edits).joints.float().cpu().numpy()
    return joints


def _joint_table(
    hits: Mapping[tuple[str, str], NDArray[np.bool_]], visibility: NDArray[np.uint8], joints: tuple[str, ...]
) -> pd.DataFrame:
    """A row an ablation and joint: share of the labelled joints that is right, and its drop against the intact network.

    The joint `all` is the mean over persons, as in `pck_thesis`. NaN for a joint that nobody has labelled.
    """
    scores = {key: _scores(own, visibility) for key, own in hits.items()}
    frames = [
        pd.DataFrame({"level": level, "mode": mode, "joint": [*joints, ALL], "pck": own, "drop": scores[INTACT] - own})
        for (level, mode), own in scores.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _scores(hits: NDArray[np.bool_], visibility: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, K) hits -> (K + 1,): every joint's share, and the mean over persons."""
    by_joint = mean_over_labelled(hits.astype(np.float64), visibility > 0, axis=0)
    return np.append(by_joint, share_per_person(hits, visibility > 0).mean())


def _facts(by_level: pd.DataFrame, by_joint: pd.DataFrame, skips: int, persons: int) -> dict[str, float | int | str | None]:
    levels = by_level.set_index(["level", "mode"])["pck"].to_dict()
    single = by_level[(by_level["mode"] == "mean") & (by_level["level"] != ALL)]
    most = single.iloc[int(single["drop"].to_numpy().argmax())]
    together = by_joint[(by_joint["mode"] == "mean") & (by_joint["level"] == ALL) & (by_joint["joint"] != ALL)].dropna()
    worst = together.iloc[int(together["drop"].to_numpy().argmax())]
    return {
        "skips": skips,
        "persons": persons,
        "pck_intact": float(levels[INTACT]),
        "pck_all_zero": float(levels[ALL, "zero"]),
        "pck_all_mean": float(levels[ALL, "mean"]),
        "most_used_skip": str(most["level"]),
        "most_used_skip_drop": float(most["drop"]),
        "most_used_skip_drop_low": float(most["drop_low"]),
        "most_used_skip_drop_high": float(most["drop_high"]),
        "worst_joint": str(worst["joint"]),
        "worst_joint_drop": float(worst["drop"]),
    }


def _chart(by_joint: pd.DataFrame) -> NDArray[np.uint8]:
    shown = by_joint[by_joint["mode"] != INTACT[1]]
    joints = list(dict.fromkeys(shown["joint"]))
    names = [f"{level}, {mode}" for level, mode in dict.fromkeys(zip(shown["level"], shown["mode"], strict=True))]
    drops = shown["drop"].to_numpy(dtype=np.float64).reshape(len(names), len(joints))
    title = "What each skip connection carries: loss of PCK when it is cut"
    return heat_map(drops, names, joints, title=title, unit="drop of PCK")


def _note(facts: Mapping[str, float | int | str | None]) -> str:
    low, high = float(facts["most_used_skip_drop_low"] or 0), float(facts["most_used_skip_drop_high"] or 0)
    text = (
        f"On {facts['persons']} persons the intact network reaches a PCK of {facts['pck_intact']:.3f}; with all "
        f"{facts['skips']} skip connections held at their mean {facts['pck_all_mean']:.3f}, with all switched off "
        f"{facts['pck_all_zero']:.3f}. "
    )
    if low <= 0:
        return text + (
            f"No single skip matters for certain: the largest drop is {facts['most_used_skip_drop']:.3f} "
            f"[{low:.3f}, {high:.3f}], of {facts['most_used_skip']}."
        )
    return text + (
        f"Alone, {facts['most_used_skip']} tells the network most: without what is particular to a person there, the PCK "
        f"falls by {facts['most_used_skip_drop']:.3f} [{low:.3f}, {high:.3f}]. Without all of them, {facts['worst_joint']} "
        f"suffers most (-{facts['worst_joint_drop']:.3f}). The network was not retrained: this is what it relies on, not what "
        "it could do without."
    )

"""Planted truth for the radii of joints: coverage of new photographs, and noise on one joint.

Residuals are planted with what real ones have: a few large errors (lognormal, and swaps far away), 1 to 8 persons per photograph
that are alike, joints that are not labelled for 20 to 60 % of the persons, and errors that grow as the score falls, for each
joint in its own way. Half of the photographs calibrate, the other half is judged. `few_persons` has about 40 labels per joint:
the correction for finite numbers then exceeds 2 percent by design, so only its lower bar is judged.

With a finished run (environment variable POSESCOPE_FINISHED_RUN: its data folder, default `data`) the validation predictions of
its model are judged in the same way: half of the validation photographs calibrate. Without one these bars are left out.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.records import PoseTargets
from posescope.core.tables import joints_of
from posescope.evaluation.conformal import UncertaintyOptions, calibrate_joints

__all__ = ["Residuals", "plant_residuals", "run", "split_coverage"]

SPLITS, JOINTS, PERSONS = 50, 17, 540
LEVEL = 0.9
NOISE_PX = 10.0
OPTIONS = UncertaintyOptions()


class Residuals(NamedTuple):
    """Errors (N, K) px, NaN where unlabelled; scores (N, K); photographs (N,)."""

    errors: NDArray[np.float64]
    scores: NDArray[np.float64]
    photographs: NDArray[np.int64]


def run(most: int | None) -> dict[str, Any]:
    """Return the bars.

    Args:
        most: maximum number of splits, and of joints that get noise; none: all.
    """
    splits, joints = (number if most is None else min(most, number) for number in (SPLITS, JOINTS))
    sources: dict[str, Callable[[int], Residuals]] = {
        "one_person_a_photograph": lambda seed: plant_residuals(seed, PERSONS, most_persons=1),
        "alike_persons": lambda seed: plant_residuals(seed, PERSONS, most_persons=8),
        "few_persons": lambda seed: plant_residuals(seed, PERSONS // 4, most_persons=3),
    }
    real = read_run(Path(os.environ.get("POSESCOPE_FINISHED_RUN", "data")))
    if real is not None:
        sources["finished_run"] = lambda _: real
    bars: dict[str, Any] = {}
    for name, source in sources.items():
        bars |= _coverage_bars(name, source, splits, most_coverage=1.0 if name == "few_persons" else 0.92)
    bars["noise_widens_its_joint_only"] = _noise_bar(sources["alike_persons"], joints)
    if real is not None:
        bars["noise_widens_its_joint_only_finished_run"] = _noise_bar(sources["finished_run"], joints)
    return bars


def plant_residuals(seed: int, persons: int, most_persons: int) -> Residuals:
    """Plant residuals of persons in photographs.

    Args:
        seed: random seed.
        persons: N.
        most_persons: largest number of persons per photograph.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, most_persons + 1, size=persons)
    photographs = np.repeat(np.arange(persons), sizes)[:persons]
    shared = rng.normal(size=(persons, 1))[photographs]
    difficulty = 0.7 * shared + 0.7 * rng.normal(size=(persons, JOINTS))
    steepness, scale = rng.uniform(0.2, 1.2, size=JOINTS), rng.uniform(1.0, 4.0, size=JOINTS)
    errors = scale * np.exp(steepness * difficulty + 0.6 * rng.normal(size=(persons, JOINTS)))
    swapped = rng.random((persons, JOINTS)) < 0.03 / (1 + np.exp(-difficulty))
    errors = np.where(swapped, rng.uniform(10, 60, size=errors.shape), errors)
    scores = 1 / (1 + np.exp(difficulty - 2 + 0.5 * rng.normal(size=errors.shape)))
    hidden = rng.random((persons, JOINTS)) < rng.uniform(0.2, 0.6, size=JOINTS)
    return Residuals(np.where(hidden, np.nan, errors), scores, photographs.astype(np.int64))


def read_run(folder: Path) -> Residuals | None:
    """Return the residuals of the validation persons of a finished run; None if there is none.

    Args:
        folder: its data folder.
    """
    path = folder / "07_model_output/val/predictions.parquet"
    if not path.is_file():
        return None
    table, targets = pd.read_parquet(path), PoseTargets.load(folder / "05_model_input/targets.npz")
    ids = np.unique(table["person_id"].to_numpy())
    found = joints_of(table.assign(x=table["crop_x"], y=table["crop_y"]), ids)
    offset = found[..., :2] - targets.subset(np.searchsorted(targets.person_ids, ids)).joints
    persons = pd.read_parquet(folder / "03_primary/persons.parquet").set_index("person_id")
    return Residuals(np.hypot(offset[..., 0], offset[..., 1]), found[..., 2], persons.loc[ids, "image_id"].to_numpy(np.int64))


def split_coverage(residuals: Residuals, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Calibrate on half of the photographs and judge the other half.

    Args:
        residuals: all persons.
        seed: random seed of the split.

    Returns:
        (K,) number of joints inside their radius, and (K,) number of labelled joints.
    """
    photographs = np.unique(residuals.photographs)
    chosen = np.random.default_rng(seed).permutation(photographs)[: len(photographs) // 2]
    calibration = np.isin(residuals.photographs, chosen)
    radii = _radii(Residuals(*(values[calibration] for values in residuals)), residuals.scores[~calibration])
    errors = residuals.errors[~calibration]
    judged = ~np.isnan(errors) & ~np.isnan(radii)
    return (judged & (errors <= radii)).sum(axis=0).astype(float), judged.sum(axis=0).astype(float)


def _radii(calibration: Residuals, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return calibrate_joints(*calibration, OPTIONS).radii(scores, LEVEL)


def _coverage_bars(name: str, source: Callable[[int], Residuals], splits: int, most_coverage: float) -> dict[str, Any]:
    inside, judged = (
        np.array(part) for part in zip(*(split_coverage(source(seed), seed) for seed in range(splits)), strict=True)
    )
    overall = float((inside.sum(axis=1) / judged.sum(axis=1)).mean())
    per_joint = np.nanmean(np.where(judged > 0, inside / np.maximum(judged, 1), np.nan), axis=0)
    good = int((per_joint >= 0.85).sum())
    return {
        f"{name}_all_joints": {
            "count": round(100 * overall, 2), "of": 100, "bar": f"88 to {100 * most_coverage:g} percent",
            "met": 0.88 <= overall <= most_coverage,
        },
        f"{name}_each_joint": {
            "count": good, "of": len(per_joint), "bar": f"all joints at least 85 percent (least: {100 * per_joint.min():.1f})",
            "met": good == len(per_joint),
        },
    }  # fmt: skip


def _noise_bar(source: Callable[[int], Residuals], joints: int) -> dict[str, Any]:
    """Count the joints whose own mean radius grows by at least a fifth under noise, while no other one changes by 1 percent."""
    good = 0
    for joint in range(joints):
        rng, clean = np.random.default_rng(joint), source(joint)
        noise = np.hypot(*rng.normal(scale=NOISE_PX, size=(2, len(clean.errors))))
        errors = clean.errors.copy()
        errors[:, joint] = np.hypot(errors[:, joint], noise)
        before, after = (np.nanmean(_radii(one, clean.scores), axis=0) for one in (clean, clean._replace(errors=errors)))
        ratio = after / before
        good += bool(ratio[joint] >= 1.2 and (np.abs(np.delete(ratio, joint) - 1) < 0.01).all())
    return {"count": good, "of": joints, "bar": f"{joints} of {joints}", "met": good == joints}

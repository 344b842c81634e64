"""Part `label_errors` of the planted truth: wrong labels in 5 % of the persons, and none at all.

Of N persons 5 % (100 of 2,000) get one planted error each:

    swapped     the two joints of one pair, drawn at random among the pairs with both joints labelled, are exchanged
    displaced   one labelled joint is moved by 20 % of the longer side of the person's box in a random direction, inside the crop
    mirrored    left and right of all labelled pairs are exchanged (reported beside the bar, at least three pairs)

The count is that of planted persons among the top 5 % of persons, which is as many as were planted; the bar is 60 % of them.

`synthetic`: poses of the sample generator seen by an orthographic camera. The network of this benchmark makes mistakes that are
no label errors: joints that are occluded (one in six) are off by 10 % of the box at a low confidence that overlaps with that of
right joints, 4 % of the pairs are exchanged, 2 % of the persons are mirrored, and errors are larger for wrists and ankles.
Features are a random rectified projection of the pose that the network believes, with noise.

`run`: the validation persons of a finished default run, with its network, if `--data-dir` (or `data`) holds one. It has learned
the right labels; a network that has seen the wrong ones knows less.

    python benchmarks/truth/label_errors.py [--most 5] [--data-dir data]
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.model_folder import load_model
from posescope.core.records import PoseTargets
from posescope.core.skeleton import COCO_PERSON
from posescope.core.tables import ids_of
from posescope.data.crops.crop_store import CropStore
from posescope.explainability.components.pca import principal_components
from posescope.explainability.explained_persons import image_groups_of
from posescope.explainability.features.feature_extraction import extract_features
from posescope.explainability.features.feature_store import FeatureStore
from posescope.explainability.label_errors.annotated_poses import AnnotatedPoses, flip_pairs, nearest_persons
from posescope.explainability.label_errors.heatmap_heights import sample_maps
from posescope.explainability.label_errors.suspicions import HeatmapReader, find_suspicions, read_heights
from posescope.prediction.crop_predictions import predict_crops
from posescope.prediction.options import PredictionOptions
from posescope.sample.body import pose_skeleton, sample_body_shape
from posescope.sample.poses import sample_pose

Planted = tuple[np.ndarray, np.ndarray]  # annotations, rows of the persons with an error
Persons = tuple[AnnotatedPoses, HeatmapReader, np.ndarray]  # and (N,) longer side of the box, fraction of the crop's side

FRACTION, BAR = 0.05, 0.6
DATA_SETS, PERSONS = 20, 2000
PAIRS = flip_pairs(COCO_PERSON.flip_indices)
_IMPRECISE = [COCO_PERSON.index(f"{side}_{part}") for side in ("left", "right") for part in ("wrist", "ankle")]
_PEAK_SIGMA = 0.04  # of a heatmap's peak, fraction of the crop's side


def run(most: int | None = None, data_dir: Path = Path("data")) -> dict[str, Any]:
    """Count the planted persons that are found.

    Args:
        most: maximum number of data sets per bar; none: all.
        data_dir: data_dir of a finished run; without one its bars are left out.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    real = run_persons(data_dir) if any((data_dir / "06_models/model").rglob("model.json")) else None
    for seed in range(min(DATA_SETS, most or DATA_SETS)):
        for name, persons in {"synthetic": synthetic_persons(seed, PERSONS), "run": real}.items():
            for kind in PLANTS if persons is not None else ():
                found.setdefault(f"{name}_{kind}", []).append(_count_found(persons, kind, seed))
    return {name: _bar(counts) for name, counts in sorted(found.items())}


def _bar(found: list[tuple[int, int]]) -> dict[str, Any]:
    count, planted = (sum(column) for column in zip(*found, strict=True))
    return {"count": count, "of": planted, "bar": f"{BAR:.0%}", "met": count >= BAR * planted}


def _count_found(persons: Persons, kind: str, seed: int) -> tuple[int, int]:
    """Plant errors and return how many of their persons are among as many top persons, and how many were planted."""
    poses, read_heatmaps, sides = persons
    annotated, planted = plant_errors(poses, sides, kind, np.random.default_rng([7, seed]))
    changed = poses.with_annotations(annotated)
    scores = find_suspicions(changed, read_heights(changed, read_heatmaps, seed), seed).person_scores
    top = np.argsort(-scores, kind="stable")[: len(planted)]
    return int(np.isin(planted, top).sum()), len(planted)


def plant_errors(poses: AnnotatedPoses, sides: np.ndarray, kind: str, rng: np.random.Generator) -> Planted:
    """Give one error to 5 % of the persons.

    Args:
        poses: N persons.
        sides: (N,) longer side of the box, fraction of the crop's side.
        kind: a key of `PLANTS`.
        rng: draws persons and errors.
    """
    annotated, planted = poses.annotated.copy(), []
    for row in rng.permutation(len(poses)):
        if len(planted) == round(FRACTION * len(poses)):
            break
        if PLANTS[kind](annotated[row], sides[row], poses.pairs, rng):
            planted.append(row)
    return annotated, np.array(planted)


def _displace(joints: np.ndarray, side: float, pairs: np.ndarray, rng: np.random.Generator) -> bool:  # noqa: ARG001
    joint, angle = rng.choice(np.flatnonzero(np.isfinite(joints[:, 0]))), rng.uniform(0, 2 * np.pi)
    place = joints[joint] + 0.2 * side * np.array([np.cos(angle), np.sin(angle)])
    if inside := bool(((place > 0) & (place < 1)).all()):
        joints[joint] = place
    return inside


def _swap(joints: np.ndarray, side: float, pairs: np.ndarray, rng: np.random.Generator) -> bool:  # noqa: ARG001
    usable = pairs[np.isfinite(joints[pairs, 0]).all(axis=1)]
    if len(usable):
        pair = usable[rng.integers(len(usable))]
        joints[pair] = joints[pair[::-1]]
    return bool(len(usable))


def _mirror(joints: np.ndarray, side: float, pairs: np.ndarray, rng: np.random.Generator) -> bool:  # noqa: ARG001
    usable = pairs[np.isfinite(joints[pairs, 0]).all(axis=1)]
    if len(usable) >= 3:
        joints[usable] = joints[usable[:, ::-1]]
    return len(usable) >= 3


PLANTS: dict[str, Callable[[np.ndarray, float, np.ndarray, np.random.Generator], bool]] = {
    "swapped": _swap,
    "displaced": _displace,
    "mirrored": _mirror,
}


def synthetic_persons(seed: int, count: int) -> Persons:
    """Make persons with right labels and a network that errs; see the description of this module.

    Args:
        seed: seed of everything.
        count: N.
    """
    rng = np.random.default_rng([3, seed])
    truth = np.stack([_pose_in_crop(rng) for _ in range(count)])
    occluded = rng.random(truth.shape[:2]) < 1 / 6
    believed = _mistake_sides(truth, rng)
    mistaken = (believed != truth).any(axis=2)
    spread = np.where(occluded, 0.10, 0.015) * np.where(np.isin(np.arange(17), _IMPRECISE), 1.6, 1.0)
    predicted = believed + spread[..., None] * rng.standard_t(4, truth.shape) / np.sqrt(2)
    doubt = rng.gamma(2.0, 0.05, truth.shape[:2]) + occluded * rng.gamma(2.0, 0.12, truth.shape[:2]) + 0.15 * mistaken
    scores = np.clip(0.95 - doubt, 0.05, 1.0)
    labelled = rng.random(truth.shape[:2]) < 0.9
    annotated = np.where(labelled[..., None], truth + rng.normal(0, 0.006, truth.shape), np.nan)
    groups = np.sort(rng.integers(0, count // 2, count))
    second = np.where(mistaken, 0.5, 0.05) * scores  # a mistaken network often has a lower peak at the right place

    def read_heatmaps(places: np.ndarray, rows: np.ndarray) -> np.ndarray:
        def peak(centres: np.ndarray) -> np.ndarray:
            return np.exp(-((places - centres) ** 2).sum(axis=-1) / (2 * _PEAK_SIGMA**2))

        return np.maximum(scores[rows] * peak(predicted[rows]), second[rows] * peak(truth[rows]))

    codes = _codes(believed, rng)
    poses = AnnotatedPoses(annotated, predicted, scores, codes, nearest_persons(codes, groups, 15), groups, PAIRS)
    return poses, read_heatmaps, np.full(count, 1 / 1.1)


def _pose_in_crop(rng: np.random.Generator) -> np.ndarray:
    """Return joints (17, 2) of a generated person in a square that is 10 % larger than their box, in fractions of its side."""
    body, pose = sample_body_shape(int(rng.integers(1 << 31))), sample_pose(int(rng.integers(1 << 31)))
    points = pose_skeleton(body, pose, rng.uniform(-180, 180), rng.uniform(0, 20)).joints[:, :2] * [1, -1]
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - (low + high) / 2) / (1.1 * (high - low).max()) + 0.5


def _mistake_sides(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exchange left and right of 2 % of the persons, and of 4 % of the pairs."""
    exchanged = (rng.random((len(truth), 1)) < 0.02) ^ (rng.random((len(truth), len(PAIRS))) < 0.04)
    believed = truth.copy()
    for pair, rows in zip(PAIRS, exchanged.T, strict=True):
        believed[np.ix_(rows, pair)] = truth[np.ix_(rows, pair[::-1])]
    return believed


def _codes(poses: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return 30 coordinates: principal components of 256 rectified random projections of the poses, with noise."""
    flat = poses.reshape(len(poses), -1) - poses.mean(axis=0).ravel()
    hidden = np.maximum(flat @ rng.normal(size=(flat.shape[1], 256)) + rng.normal(0, 0.2, 256), 0)
    noisy = hidden + rng.normal(0, 0.5 * hidden.std(), hidden.shape)
    left, values, _ = np.linalg.svd(noisy - noisy.mean(axis=0), full_matrices=False)
    return left[:, :30] * values[:30] / (left[:, 0] * values[0]).std()


def run_persons(data_dir: Path) -> Persons:
    """Return the validation persons of a finished run, with the network's predictions and features.

    Args:
        data_dir: its data_dir.
    """
    model = load_model(next((data_dir / "06_models/model").rglob("model.json")).parent)
    persons = pd.read_parquet(data_dir / "03_primary/persons.parquet")
    ids = np.intersect1d(
        ids_of(persons, "val"), (targets := PoseTargets.load(data_dir / "05_model_input/targets.npz")).person_ids
    )
    crops = match_crops(model, CropStore(data_dir / "05_model_input/crops").select(targets, ids))
    side, images = max(crops.crop_size), torch.from_numpy(crops.read_images(np.arange(len(crops))))
    found = predict_crops(model, crops, PredictionOptions(device="cpu")).predictions
    with TemporaryDirectory() as folder:
        features = extract_features(model, crops, None, FeatureStore(Path(folder) / "features"))
        codes = principal_components(features).project(features.values, 30)
    maps = np.concatenate([model.heatmaps(batch).numpy() for batch in images.split(64)])
    boxes = pd.read_parquet(data_dir / "03_primary/crop_boxes.parquet").set_index("person_id").loc[ids, "side"].to_numpy()
    longer = persons.set_index("person_id").loc[ids, ["bbox_w", "bbox_h"]].max(axis=1).to_numpy()
    poses = AnnotatedPoses(
        annotated=(crops.targets.joints.astype(np.float64) + 0.5) / side,
        predicted=(found.joints.astype(np.float64) + 0.5) / side,
        scores=found.scores.astype(np.float64),
        codes=codes / codes[:, 0].std(),
        neighbours=nearest_persons(codes, image_groups_of(persons, ids), 15),
        groups=image_groups_of(persons, ids),
        pairs=flip_pairs(model.skeleton.flip_indices),
    )
    return poses, lambda places, rows: sample_maps(maps[rows], places), longer / boxes


def main() -> None:
    """Print the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=None, help="maximum number of data sets per bar")
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="data_dir of a finished default run")
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.most, arguments.data_dir)))


if __name__ == "__main__":
    main()

"""Compare fine-tuning from our own model on another skeleton with training from random weights, at equal training time.

The start model is a hourglass of `conf/base`, such as that of the default run on the generated sample. The data set has another
skeleton: of its joints four are kept, of which the start model knows only some by name. Both trainings have the same options and
the same number of epochs, and so the same time; the epochs are chosen so that one of them takes about `--seconds`.

The crops come from a finished data_dir with the crop size of the start model, for example of LSPET:

    kedro run
    kedro run --pipelines data_engineering --params "raw_dir=FOLDER,data_dir=DATA,data_engineering.sample=null,
        data_engineering.source.train_split=train,data_engineering.source.val_split=val,
        data_engineering.split.max_test_fraction=0,data_engineering.crop.rule=padded_square,data_engineering.crop.size_px=96"
    python benchmarks/transfer_finetune.py --start data --data DATA [--persons 300] [--seconds 60] [--seeds 3]
        [--joints head_top,neck,left_wrist,right_wrist] [--threads 1]

Each line has the PCK of both on the validation persons and their paired difference with its 95 % interval over images. The last
line is JSON.
"""

import argparse
import json
import logging
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.stored_model import StoredModel
from posescope.core.files import read_json
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import ids_of
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.crops.crop_store import CropStore
from posescope.evaluation.bootstrap import resample_images
from posescope.evaluation.metrics.pck_thesis import pck_thesis
from posescope.evaluation.paired_comparison import compare_values
from posescope.runs.trained_models import TrainedModels
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.initialisation import build_untrained
from posescope.training.options import TrainingOptions
from posescope.training.trainer import train
from posescope.training.weight_transfer import InitialiseOptions, start_from

CODEC = ComponentSpec(name="gaussian", options={"stride": 4, "sigma_heatmap_px": 1.5, "decoder": "dark"})
RECIPE = {
    "batch_size": 8, "learning_rate": 0.011, "loss": {"name": "mse", "options": {"foreground_weight": 40}},
    "schedule": {"name": "one_cycle", "options": {"warmup_fraction": 0.2}},
    "augmentations": [{"name": "flip"}, {"name": "rotate_scale", "options": {"rotation_deg": 30, "scale": 0.25}}],
}  # fmt: skip


class Data:
    """Training and validation persons of a finished data_dir with some of its joints; persons without these are left out."""

    def __init__(self, folder: Path, joints: tuple[str, ...], persons_to_train: int) -> None:
        store = CropStore(folder / "05_model_input" / "crops")
        targets = PoseTargets.load(folder / "05_model_input" / "targets.npz")
        persons = pd.read_parquet(folder / "03_primary" / "persons.parquet")
        whole = Skeleton.from_dict(read_json(folder / "02_intermediate" / "skeleton.json"))
        rows = [whole.joints.index(name) for name in joints]
        self.skeleton = Skeleton(joints, (), tuple(whole.oks_sigmas[row] for row in rows))
        train_set, self.val_set = (
            _keep_joints(store.select(targets, ids_of(persons, split)), rows, self.skeleton) for split in ("train", "val")
        )
        drawn = np.random.default_rng(0).permutation(len(train_set))[:persons_to_train]
        self.train_set = train_set.subset(np.sort(drawn))
        self.statistics = CropStatistics.from_dict(read_json(folder / "05_model_input" / "crop_statistics.json"))
        images = persons.set_index("person_id")["image_id"]
        self.val_images: NDArray[np.int64] = images.loc[self.val_set.targets.person_ids].to_numpy(dtype=np.int64)


def _keep_joints(crops: CropSet, rows: list[int], skeleton: Skeleton) -> CropSet:
    old = crops.targets
    targets = replace(
        old, joints=old.joints[:, rows], visibility=old.visibility[:, rows], joint_names=skeleton.joints
    )  # fmt: skip
    labelled = np.flatnonzero((targets.visibility > 0).any(axis=1))
    return replace(crops, targets=targets).subset(labelled)


def build(data: Data, seed: int, start: StoredModel, from_start: bool) -> PoseModel:
    """Return the model with its initial weights: those of the start model, or random ones of the same network."""
    statistics, architecture = data.statistics, start.description.architecture
    network = ComponentSpec(name=architecture.name, options=architecture.options)
    model = build_untrained(
        network, CODEC, data.skeleton, statistics.crop_size, statistics.mean_rgb, statistics.crop, seed
    )  # fmt: skip
    return start_from(model, start, InitialiseOptions()) if from_start else model


def fit(model: PoseModel, data: Data, epochs: int, seed: int, threads: int) -> tuple[PoseModel, float]:
    """Return the trained model of the last epoch, and the seconds of its epochs."""
    options = TrainingOptions.model_validate(
        {**RECIPE, "epochs": epochs, "seed": seed, "device": "cpu", "threads": threads, "final_weights": "last"}
    )
    with tempfile.TemporaryDirectory() as scratch:
        outcome = train(model, data.train_set, data.val_set, options, CheckpointStore(Path(scratch)), "run")
    return outcome.model, sum(record.seconds for record in outcome.history)


def score(model: PoseModel, data: Data) -> NDArray[np.float64]:
    """Return the PCK of each validation person."""
    crops = data.val_set
    parts = np.array_split(np.arange(len(crops)), max(1, len(crops) // 32))
    found = np.concatenate([model.predict(torch.from_numpy(crops.read_images(rows))).joints.numpy() for rows in parts])
    return pck_thesis(found, crops.targets.joints, crops.targets.visibility, data.statistics.crop_size)


def epochs_for(data: Data, start: StoredModel, seconds: float, threads: int) -> int:
    """Return the number of epochs that a training from random weights has in this time."""
    started = time.perf_counter()
    fit(build(data, 0, start, from_start=False), data, 1, 0, threads)
    return max(2, round(seconds / (time.perf_counter() - started)))


def main() -> None:
    """Train, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", required=True, help="model folder, or data_dir with models")
    parser.add_argument("--data", type=Path, required=True, help="data_dir of the persons with the other skeleton")
    parser.add_argument("--persons", type=int, default=300, help="training persons")
    parser.add_argument("--seconds", type=float, default=60, help="time of a training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--joints", default="head_top,neck,left_wrist,right_wrist")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    target = Data(given.data, tuple(given.joints.split(",")), given.persons)
    start = TrainedModels(Path("data")).read(given.start)
    epochs, rows = epochs_for(target, start, given.seconds, given.threads), []
    draws = resample_images(target.val_images, seed=0)
    for seed in range(given.seeds):
        scratch, fine = (fit(build(target, seed, start, one), target, epochs, seed, given.threads) for one in (False, True))
        compared = compare_values("pck_thesis", score(scratch[0], target), score(fine[0], target), target.val_images, draws)
        rows.append({
            "seed": seed, "scratch": compared.a, "fine_tuned": compared.b, "difference": compared.difference,
            "low": compared.low, "high": compared.high, "seconds": [round(scratch[1]), round(fine[1])],
        })  # fmt: skip
        print(json.dumps(rows[-1]), flush=True)
    persons = [len(target.train_set), len(target.val_set)]
    print(json.dumps({"joints": target.skeleton.joints, "persons": persons, "epochs": epochs, "runs": rows}))


if __name__ == "__main__":
    main()

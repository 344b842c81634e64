"""Compare training recipes on photographs: the thesis's, ours, and ours with one setting changed.

All recipes use the same network, crops, batch size and number of steps. One seed each, so differences of 0.01 to 0.02 PCK are not
significant. The crops come from a finished data_dir, for example of LSPET:

    kedro run --pipelines data_engineering --params "raw_dir=FOLDER,data_dir=DATA,data_engineering.sample=null,
        data_engineering.source.train_split=train,data_engineering.source.val_split=val,
        data_engineering.split.max_test_fraction=0,data_engineering.crop.rule=padded_square,data_engineering.crop.size_px=96"
    python benchmarks/recipes.py --data DATA [--epochs 8] [--recipes "thesis_final;ours"] [--network coco] [--threads 2]
        [--out FOLDER]

Each recipe is evaluated by `pck_thesis` and by PCK at 0.2 of the torso (left shoulder to right hip), with the flip test if it
uses one. --out is the folder of the histories (CSV) and the plot. The last line is JSON.
"""

import argparse
import itertools
import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from posescope.core.files import read_json
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import ids_of
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.crops.crop_store import CropStore
from posescope.evaluation.metrics.pck_thesis import pck_thesis
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.initialisation import build_untrained
from posescope.training.options import TrainingOptions
from posescope.training.records import TrainingOutcome
from posescope.training.trainer import train

NETWORKS = {
    "default": {"stacks": 1, "channels": 64, "depth": 3, "stem_channels": 32, "skip": "identity"},
    "thesis": {"stacks": 1, "channels": 256, "depth": 4, "residual_skip": "3x3", "head": "thesis"},
    "coco": {"stacks": 2, "channels": 256, "depth": 4},
    "newell2": {"stacks": 2, "channels": 256, "depth": 4, "stem_channels": (64, 128, 256)},
}
STUDY_CODEC = {"name": "thesis", "options": {"stride": 4, "sigma_visible": 0.5, "sigma_occluded": 1.0}}
TEXTBOOK = {"name": "rmsprop", "options": {"form": "textbook", "delta": 1e-6}}
OUR_CODEC = {"name": "gaussian", "options": {"stride": 4, "sigma_heatmap_px": 1.5, "decoder": "dark"}}
ONE_CYCLE = {"name": "one_cycle", "options": {"warmup_fraction": 0.2}}
PLATEAU = {"name": "reduce_on_plateau", "options": {"factor": 5, "patience": 5, "max_reductions": 1}}
FLIP, TURN = {"name": "flip"}, {"name": "rotate_scale", "options": {"rotation_deg": 30, "scale": 0.25}}
ALL = [
    FLIP,
    {"name": "half_body"},
    {"name": "rotate_scale", "options": {"rotation_deg": 40, "scale": 0.3}},
    {"name": "translate"},
    {"name": "colour_jitter"},
]
STUDY = {
    "codec": STUDY_CODEC,
    "flip_test": False,
    "learning_rate": 2.5e-4,
    "loss": {"name": "mse"},
    "schedule": PLATEAU,
    "augmentations": [],
}
OURS = {
    "codec": OUR_CODEC, "flip_test": True, "learning_rate": 0.016, "loss": {"name": "mse", "options": {"foreground_weight": 40}},
    "schedule": ONE_CYCLE, "augmentations": [FLIP, TURN],
}  # fmt: skip
# Options for GPUs, and learning rates for 256 channels: wider layers need smaller rates.
ON_GPU = {**OURS, "amp": "bf16", "cuda_graph": True}
RATES = (0.001, 0.002, 0.004, 0.008)
RECIPES: dict[str, dict[str, Any]] = {
    "thesis": {**STUDY, "codec": {**STUDY_CODEC, "name": "thesis_256"}, "optimiser": TEXTBOOK},
    "thesis_final": STUDY,
    "ours": OURS,
    "flip only": {**OURS, "augmentations": [FLIP]},
    "all augmentations": {**OURS, "augmentations": ALL},
    "no augmentation": {**OURS, "augmentations": []},
    "plain MSE": {**OURS, "loss": {"name": "mse"}},
    "the thesis's targets": {**OURS, "codec": STUDY_CODEC},
    "plateau": {**OURS, "schedule": PLATEAU},
    "plateau after warm-up": {**OURS, "schedule": PLATEAU, "warmup_steps": 200},
    "clipped at 1": {**OURS, "grad_clip": 1.0},
    "average of weights": {**OURS, "ema_decay": 0.999},
    "AdamW 0.002": {**OURS, "optimiser": {"name": "adamw"}, "learning_rate": 0.002},
    "AdamW 0.006": {**OURS, "optimiser": {"name": "adamw"}, "learning_rate": 0.006},
    "the thesis's rate": {**OURS, "learning_rate": 2.5e-4},
    "thesis_final with our rate": {**STUDY, "learning_rate": 0.016},
    "thesis_final recorded": {**STUDY, "cuda_graph": True},
    **{f"bf16 at {rate}": {**ON_GPU, "learning_rate": rate} for rate in RATES},
    **{f"bf16 unrecorded at {rate}": {**ON_GPU, "learning_rate": rate, "cuda_graph": False} for rate in RATES},
    **{f"bf16 all augmentations at {rate}": {**ON_GPU, "learning_rate": rate, "augmentations": ALL} for rate in RATES},
}
RECIPES["on a GPU"] = {**ON_GPU, "learning_rate": 0.004, "loss": {"name": "mse", "options": {"foreground_weight": 60}}}
for sigma, foreground_weight in itertools.product((2, 3), (40, 100)):
    RECIPES[f"bf16 at 0.004, sigma {sigma}, foreground weight {foreground_weight}"] = {
        **ON_GPU,
        "learning_rate": 0.004,
        "loss": {"name": "mse", "options": {"foreground_weight": foreground_weight}},
        "codec": {"name": "gaussian", "options": {"stride": 4, "sigma_heatmap_px": sigma, "decoder": "dark"}},
    }

# The recipe of `conf/coco` but for `compile`, at several rates and foreground weights.
COCO = {
    "codec": {
        "name": "gaussian", "options": {"stride": 4, "sigma_heatmap_px": 2.0, "decoder": "dark", "blur_sigma_heatmap_px": 2.0}
    },
    "flip_test": True, "amp": "auto", "cuda_graph": True,
    "schedule": {"name": "one_cycle", "options": {"warmup_fraction": 0.05}},
    "augmentations": [
        FLIP,
        {"name": "half_body", "options": {"probability": 0.3}},
        {"name": "rotate_scale", "options": {"rotation_deg": 40, "scale": 0.3}},
        {"name": "translate", "options": {"probability": 0.3, "shift": 0.16}},
        {"name": "colour_jitter"},
    ],
}  # fmt: skip
for rate, foreground_weight in itertools.product((0.0005, 0.001, 0.002, 0.004), (0, 20, 60)):
    loss = {"name": "mse", "options": {"foreground_weight": foreground_weight}}
    RECIPES[f"coco at {rate}, foreground weight {foreground_weight}"] = {**COCO, "learning_rate": rate, "loss": loss}


class Data:
    """Return the training and validation persons of a finished data_dir."""

    def __init__(self, folder: Path) -> None:
        store = CropStore(folder / "05_model_input" / "crops")
        targets = PoseTargets.load(folder / "05_model_input" / "targets.npz")
        persons = pd.read_parquet(folder / "03_primary" / "persons.parquet")
        self.train_set, self.val_set = (store.select(targets, ids_of(persons, split)) for split in ("train", "val"))
        self.statistics = CropStatistics.from_dict(read_json(folder / "05_model_input" / "crop_statistics.json"))
        self.skeleton = Skeleton.from_dict(read_json(folder / "02_intermediate" / "skeleton.json"))


def run_recipe(data: Data, network: str, recipe: dict[str, Any], epochs: int, batch_size: int, threads: int) -> TrainingOutcome:
    """Train a recipe."""
    settings = {name: value for name, value in recipe.items() if name not in ("codec", "flip_test")}
    options = TrainingOptions(
        epochs=epochs, batch_size=batch_size, device="auto", threads=threads, image_grid_every_epochs=0, **settings
    )
    statistics = data.statistics
    model = build_untrained(
        ComponentSpec(name="hourglass", options=NETWORKS[network]), ComponentSpec(**recipe["codec"]), data.skeleton,
        statistics.crop_size, statistics.mean_rgb, statistics.crop, 0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        return train(model, data.train_set, data.val_set, options, CheckpointStore(Path(scratch)), "recipe")


def score(outcome: TrainingOutcome, crop_set: CropSet, skeleton: Skeleton, flip_test: bool) -> dict[str, float]:
    """Return the means over the validation persons."""
    rows = np.array_split(np.arange(len(crop_set)), max(1, len(crop_set) // 64))
    found = np.concatenate(
        [
            outcome.model.predict(torch.from_numpy(crop_set.read_images(some)), flip_test=flip_test).joints.cpu().numpy()
            for some in rows
        ]
    )
    joints, visibility = crop_set.targets.joints, crop_set.targets.visibility
    shoulder, hip = skeleton.joints.index("left_shoulder"), skeleton.joints.index("right_hip")
    torso = np.linalg.norm(joints[:, shoulder] - joints[:, hip], axis=1)
    near = np.linalg.norm(found - joints, axis=2) <= 0.2 * torso[:, None]
    counted = (visibility > 0) & np.isfinite(torso)[:, None]
    return {
        "pck_thesis": float(np.nanmean(pck_thesis(found, joints, visibility, crop_set.crop_size))),
        "pck_torso_0.2": float(near[counted].mean()),
    }


def draw_curves(histories: dict[str, pd.DataFrame], path: Path) -> None:
    """Plot the validation PCK by epoch."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name, history in histories.items():
        axes.plot(history["epoch"], history["val_pck_thesis"], label=name)
    axes.set(xlabel="epoch", ylabel="PCK (thesis) on the validation persons", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Train, evaluate and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--network", choices=list(NETWORKS), default="default")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument(
        "--recipes", default="thesis_final;ours", help=f"of: {'; '.join(RECIPES)} (separate them by semicolons); or all"
    )
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    names = list(RECIPES) if arguments.recipes == "all" else arguments.recipes.split(";")
    data, scores, histories = Data(arguments.data), {}, {}
    for name in names:
        started = time.monotonic()
        outcome = run_recipe(data, arguments.network, RECIPES[name], arguments.epochs, arguments.batch_size, arguments.threads)
        scores[name] = score(outcome, data.val_set, data.skeleton, RECIPES[name]["flip_test"])
        histories[name] = pd.DataFrame([record.__dict__ for record in outcome.history])
        figures = ", ".join(f"{figure} {value:.3f}" for figure, value in scores[name].items())
        print(f"{name}: {figures} ({time.monotonic() - started:.0f} s)", flush=True)
        if arguments.out:
            arguments.out.mkdir(parents=True, exist_ok=True)
            histories[name].to_csv(arguments.out / f"{name.replace(' ', '_')}.csv", index=False)
            draw_curves(histories, arguments.out / "curves.png")
    print(
        json.dumps(
            {
                "recipes": scores,
                "network": arguments.network,
                "crop_px": data.statistics.crop_size[0],
                "epochs": arguments.epochs,
                "batch_size": arguments.batch_size,
                "train_persons": len(data.train_set),
                "device": str(outcome.model.device),
            }
        )
    )


if __name__ == "__main__":
    main()

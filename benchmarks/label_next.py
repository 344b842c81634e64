"""Measure whether the images that `posescope labels next` chooses train a better network than random ones.

For each seed a network is trained with `--first` random persons of the generated sample. It predicts all other training persons,
of which `--number` are chosen by each rule, and a new network is trained with the first and the chosen ones:

    random       drawn at random
    uncertain    the most uncertain ones (`--candidates 1` of the command)
    next         the default of the command: k-centre of the poses among the 5 x `--number` most uncertain ones

Each rule sees crops with one person, so persons are chosen, not images. The score is the validation PCK after the last epoch; no
epoch is selected. The rules of one seed have the same first persons, and the same seed of weights and order. Differences from
`random` have 95 % t-intervals over seeds.

    python benchmarks/label_next.py [--seeds N] [--first N] [--number N] [--epochs N] [--judged N] [--rules R ...] [--work FOLDER]

Finished trainings in `--work` are not repeated. The last line is JSON: the PCK of every training, and the intervals.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from posescope.artifacts.pose_model import PoseModel
from posescope.core.files import read_json
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import ids_of
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.crops.crop_store import CropStore
from posescope.labelling.label_set import Joint, LabelledImage, LabelledPerson, LabelSet
from posescope.labelling.selection import SelectionOptions, select_images
from posescope.prediction.crop_predictions import predict_crops
from posescope.prediction.options import PredictionOptions
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.initialisation import build_untrained
from posescope.training.options import TrainingOptions
from posescope.training.trainer import train

REPOSITORY = Path(__file__).resolve().parents[1]
RULES = ("random", "uncertain", "next")
NETWORK = ComponentSpec(
    name="hourglass", options={"stacks": 1, "channels": 32, "depth": 2, "stem_channels": 16, "skip": "identity"}
)
CODEC = ComponentSpec(name="thesis")
CROP_PX = 64


class Study:
    """The data, and one training.

    Args:
        options: those of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        made = _load(options.raw, options.work / "data")
        self.skeleton, self.statistics = made["skeleton"], made["crop_statistics"]
        self.crops, self.targets, self.codec = made["crops"], made["targets"], made["codec"]
        self.pool = ids_of(made["persons"], "train")
        judged = ids_of(made["persons"], "val")[: options.judged]
        self.val_set = self.crops.select(self.targets, judged)

    def train(self, ids: NDArray[np.int64], seed: int, name: str) -> tuple[PoseModel, float]:
        """Return the trained network and its validation PCK after the last epoch."""
        training = TrainingOptions(
            epochs=self.options.epochs, batch_size=8, learning_rate=0.011, seed=seed, threads=1, device="cpu",
            loss={"name": "mse", "options": {"foreground_weight": 40}}, augmentations=({"name": "flip"},),
            schedule={"name": "one_cycle", "options": {"warmup_fraction": 0.2}},
        )  # fmt: skip
        known = self.statistics
        untrained = build_untrained(
            NETWORK, self.codec, self.skeleton, known.crop_size, known.mean_rgb, known.crop, seed, load_pretrained=True
        )
        crops = self.crops.select(self.targets, np.sort(ids))
        outcome = train(untrained, crops, self.val_set, training, CheckpointStore(self.options.work / "runs"), name)
        return outcome.model, float(outcome.history[-1].val_pck_thesis)

    def choose(self, model: PoseModel, rest: NDArray[np.int64], rule: str, seed: int) -> NDArray[np.int64]:
        """Return the persons that a rule chooses."""
        number = self.options.number
        if rule == "random":
            return np.random.default_rng([seed, 1]).choice(rest, number, replace=False)
        found = predict_crops(model, self.crops.select(self.targets, rest), PredictionOptions()).predictions
        images = tuple(
            LabelledImage(str(person), CROP_PX, CROP_PX, (_as_person(joints, scores),))
            for person, joints, scores in zip(rest.tolist(), found.joints, found.scores, strict=True)
        )
        candidates = {} if rule == "next" else {"candidates": 1}
        chosen = select_images(LabelSet(self.skeleton, "person", images), SelectionOptions(number=number, **candidates))
        return np.array([int(one.name) for one in chosen])

    def run(self, seed: int) -> dict[str, float]:
        """Return the PCK of each rule, and of the first network."""
        done = self.options.work / f"seed-{seed}.json"
        if done.is_file():
            return dict(json.loads(done.read_text()))
        first = np.random.default_rng(seed).choice(self.pool, self.options.first, replace=False)
        rest = np.setdiff1d(self.pool, first)
        model, score = self.train(first, seed, f"first-{seed}")
        scores = {"first": score}
        for rule in self.options.rules:
            chosen = self.choose(model, rest, rule, seed)
            _, scores[rule] = self.train(np.concatenate([first, chosen]), seed, f"{rule}-{seed}")
        done.write_text(json.dumps(scores))
        print(seed, scores, flush=True)
        return scores


def interval(differences: list[float]) -> tuple[float, float, float]:
    """Return the mean and the ends of its 95 % t-interval."""
    mean = statistics.fmean(differences)
    half = float(student.ppf(0.975, len(differences) - 1)) * statistics.stdev(differences) / len(differences) ** 0.5
    return mean, mean - half, mean + half


def _as_person(joints: NDArray[np.floating], scores: NDArray[np.floating]) -> LabelledPerson:
    found = tuple(Joint(float(x), float(y), 2, float(score)) for (x, y), score in zip(joints, scores, strict=True))
    return LabelledPerson(found, (0, 0, CROP_PX, CROP_PX), None, {}, float(np.mean(scores)))


def _load(raw: Path, data: Path) -> dict[str, Any]:
    """Make the crops once, and return what the trainings need."""
    if not (data / "05_model_input" / "crop_statistics.json").is_file():
        places = {"raw_dir": raw.resolve(), "data_dir": data.resolve(), "data_engineering.crop.size_px": CROP_PX}
        words = ",".join(f"{name}={value}" for name, value in places.items())
        command = [sys.executable, "-m", "kedro", "run", "--pipelines", "data_engineering", "--params", words]
        subprocess.run(command, cwd=REPOSITORY, check=True)
    return {
        "codec": CODEC,
        "skeleton": Skeleton.from_dict(read_json(data / "02_intermediate" / "skeleton.json")),
        "crop_statistics": CropStatistics.from_dict(read_json(data / "05_model_input" / "crop_statistics.json")),
        "crops": CropStore(data / "05_model_input" / "crops"),
        "targets": PoseTargets.load(data / "05_model_input" / "targets.npz"),
        "persons": pd.read_parquet(data / "03_primary" / "persons.parquet"),
    }


def main() -> None:
    """Run the trainings and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=150)
    parser.add_argument("--number", type=int, default=150)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--judged", type=int, default=None, help="largest number of validation persons")
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES), help="random is needed")
    parser.add_argument("--raw", type=Path, default=REPOSITORY / "data" / "01_raw" / "sample")
    parser.add_argument("--work", type=Path, default=REPOSITORY / "build" / "label_next")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    study = Study(options)
    found = [study.run(seed) for seed in range(options.seeds)]
    compared = {rule: interval([one[rule] - one["random"] for one in found]) for rule in options.rules if rule != "random"}
    for name in ("first", *options.rules):
        print(f"{name:<10} PCK {statistics.fmean(one[name] for one in found):.4f}")
    for rule, (mean, low, high) in compared.items():
        print(f"{rule} - random: {mean:+.4f} [{low:+.4f}, {high:+.4f}], 95 %, {len(found)} seeds")
    print(json.dumps({"seeds": found, "minus_random": compared}))


if __name__ == "__main__":
    main()

"""Compare networks with trained initial weights to networks from scratch, at equal training time on photographs.

    coco      coco_subset, 239 training persons: ImageNet weights against the hourglass of `conf/base`
    lspet     LSPET, 3,000 persons: ImageNet weights against random ones, and against the hourglass, at 5 minutes
    skeleton  coco_subset with a skeleton of four joints, of which the model of LSPET knows none by name: weights of that model
              against random weights and against ImageNet weights
    few       300 persons of LSPET: ImageNet weights against the hourglass
    joined    coco_subset and LSPET in one training of 30 minutes, judged on coco_subset
    long      LSPET: ImageNet weights against the hourglass at 20 minutes

    python benchmarks/transfer.py --lspet ../shared/data/lspet --coco ../shared/data/coco_subset
        [--only coco lspet] [--seeds 0 1 2] [--scale 1] [--threads 1] [--work FOLDER]
        [--movenet ../shared/data/peers/movenet-thunder.onnx]

The network with ImageNet weights is EfficientNet-Lite0 with a feature pyramid at 128 px, trained by AdamW; the hourglass is
that of `conf/base` at 96 px, trained by RMSProp with the recipe of `conf/base` and the same augmentations. All networks use the
crop rule `padded_square`, whose squares do not depend on the resolution, and `amp: auto`. `--scale` multiplies all times, for a
quick look. `--movenet` adds a public network on the same squares at 256 px.

Equal time: the number of epochs is the time divided by the time of an epoch with its validation, so that each learning-rate
schedule ends in time. The epoch is the second one of a training of all persons. It is measured on two idle cores, before
anything else, and stored in `WORK/pace.json`. The trainings themselves may then run beside other work, or two of them side by
side with `--threads 1`: the number of epochs stays, and with it the result up to rounding.

Finished trainings are stored in `WORK/results` and reused. Results are the means of `pck_thesis` over the validation persons
with 95 % intervals over images, and paired differences. With several seeds, the persons' values are averaged over the seeds.
The last line is JSON.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from numpy.typing import NDArray

from posescope.artifacts.model_folder import save_model
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.stored_model import read_stored_model
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
from posescope.prediction.peers.peer_networks import open_peer
from posescope.training.automatic_options import resolve_automatic
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.initialisation import build_untrained
from posescope.training.options import TrainingOptions
from posescope.training.trainer import train
from posescope.training.weight_transfer import InitialiseOptions, start_from

HOURGLASS = {"name": "hourglass", "options": {"stacks": 1, "channels": 64, "depth": 3, "stem_channels": 32, "skip": "identity"}}
AUGMENTATIONS = [{"name": "flip"}, {"name": "rotate_scale", "options": {"rotation_deg": 40, "scale": 0.25}}]
ONE_CYCLE = {"name": "one_cycle", "options": {"warmup_fraction": 0.2}}
SHOWN = ("left_hand", "right_hand", "left_foot", "right_foot")  # the joints of the other skeleton, none with a name of LSPET
MEANT = ("left_wrist", "right_wrist", "left_ankle", "right_ankle")
FEW = 300
MOVENET = "coco MoveNet Thunder"
REPOSITORY = Path(__file__).resolve().parents[1]


def encoder_decoder(pretrained: bool) -> dict[str, Any]:
    """Return EfficientNet-Lite0 with a feature pyramid."""
    encoder = {"name": "efficientnet_lite", "options": {"pretrained": pretrained}}
    return {"name": "encoder_decoder", "options": {"encoder": encoder, "decoder": "fpn"}}


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained."""

    model: Mapping[str, Any]
    size_px: int
    codec: Mapping[str, Any]
    training: Mapping[str, Any]


GAUSSIAN = {"name": "gaussian", "options": {"stride": 4, "sigma_heatmap_px": 1.5, "decoder": "dark"}}
FROM_SCRATCH = Recipe(
    HOURGLASS, 96, {"name": "thesis", "options": {}},
    {"batch_size": 8, "learning_rate": 0.011, "optimiser": {"name": "rmsprop"},
     "loss": {"name": "mse", "options": {"foreground_weight": 40}}},
)  # fmt: skip
ADAMW = {"batch_size": 16, "learning_rate": 0.001, "optimiser": {"name": "adamw"},
         "loss": {"name": "mse", "options": {"foreground_weight": 40}}}  # fmt: skip
RECIPES = {
    "hourglass": FROM_SCRATCH,
    "imagenet": Recipe(encoder_decoder(True), 128, GAUSSIAN, ADAMW),
    "random": Recipe(encoder_decoder(False), 128, GAUSSIAN, ADAMW),
}


@dataclass(frozen=True)
class Experiment:
    """One training: the recipe, the data, the minutes, and for `skeleton` the experiment whose model it starts from."""

    name: str
    recipe: str
    data: str
    minutes: float
    start: str | None = None


@dataclass(frozen=True)
class Claim:
    """Two experiments and what the first must reach: a ratio of means, or a difference whose interval is above 0."""

    name: str
    better: str
    other: str
    ratio: float | None = None


PARTS: dict[str, tuple[list[Experiment], list[Claim]]] = {
    "coco": (
        [Experiment("coco hourglass 5 min", "hourglass", "coco", 5), Experiment("coco imagenet 5 min", "imagenet", "coco", 5)],
        [Claim("coco: ImageNet against hourglass", "coco imagenet 5 min", "coco hourglass 5 min", 1.4)],
    ),
    "lspet": (
        [Experiment(f"lspet {recipe} 5 min", recipe, "lspet", 5) for recipe in ("hourglass", "random", "imagenet")],
        [
            Claim("lspet: ImageNet against random weights, 5 min", "lspet imagenet 5 min", "lspet random 5 min", 2.0),
            Claim("lspet: ImageNet against hourglass, 5 min", "lspet imagenet 5 min", "lspet hourglass 5 min"),
        ],
    ),
    "skeleton": (
        [
            Experiment("lspet imagenet 5 min", "imagenet", "lspet", 5),
            Experiment("four joints from scratch 2 min", "random", "skeleton", 2),
            Experiment("four joints from ImageNet 2 min", "imagenet", "skeleton", 2),
            Experiment("four joints from our model 2 min", "random", "skeleton", 2, start="lspet imagenet 5 min"),
        ],
        [
            Claim("four joints: our model against scratch", "four joints from our model 2 min", "four joints from scratch 2 min"),
            Claim(
                "four joints: our model against ImageNet", "four joints from our model 2 min", "four joints from ImageNet 2 min"
            ),
        ],
    ),
    "few": (
        [Experiment(f"few {recipe} 5 min", recipe, "few", 5) for recipe in ("hourglass", "imagenet")],
        [Claim("300 persons: ImageNet against hourglass", "few imagenet 5 min", "few hourglass 5 min", 1.4)],
    ),
    "joined": ([Experiment("joined imagenet 30 min", "imagenet", "joined", 30)], []),
    "long": (
        [Experiment(f"lspet {recipe} 20 min", recipe, "lspet", 20) for recipe in ("imagenet", "hourglass")],
        [Claim("lspet: ImageNet against hourglass, 20 min", "lspet imagenet 20 min", "lspet hourglass 20 min")],
    ),
}
JOINED_BAR, JOINED_AIM = 2.2 * 0.17, 0.43


@dataclass
class Data:
    """Persons of a finished data engineering."""

    train_set: CropSet
    val_set: CropSet
    skeleton: Skeleton
    statistics: CropStatistics
    image_ids: NDArray[np.int64]  # (N,) of the validation persons


@dataclass(frozen=True)
class Result:
    """Values of one training: (N,) `pck_thesis` of the validation persons and their ids; a time of 0 for a public network."""

    person_ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    pck: NDArray[np.float64]
    seconds: float
    epochs: int
    model: str


@dataclass
class Bench:
    """Folders and settings of a run of the benchmark."""

    lspet: Path
    coco: Path
    work: Path
    scale: float
    threads: int = 0
    data: dict[tuple[str, int], Data] = field(default_factory=dict)

    def data_of(self, name: str, size_px: int) -> Data:
        """Return the crops of a data set, made once."""
        if (name, size_px) not in self.data:
            base = {"few": "lspet", "skeleton": "coco"}.get(name, name)
            found = read_data(self._folder(base, size_px), "coco/" if base == "joined" else "")
            self.data[name, size_px] = {"few": keep_few, "skeleton": keep_four}.get(name, lambda same: same)(found)
        return self.data[name, size_px]

    def _folder(self, base: str, size_px: int) -> Path:
        folder = self.work / f"{base}-{size_px}"
        if not (folder / "05_model_input" / "crop_statistics.json").is_file():
            prepare_data(self._sources(base), size_px, folder)
        return folder

    def _sources(self, base: str) -> list[dict[str, Any]]:
        lspet = {"name": "lspet", "raw_dir": str(self.lspet.resolve()), "train_split": "train", "val_split": "val"}
        coco = {"name": "coco", "raw_dir": str(self.coco.resolve()), "train_split": "train2017", "val_split": "val2017"}
        return {"lspet": [lspet], "coco": [coco], "joined": [coco, lspet]}[base]

    def pace_of(self, experiment: Experiment) -> dict[str, Any]:
        """Return the seconds of an epoch of these data with this recipe, and the precision in which it is faster."""
        path = self.work / "pace.json"
        known: dict[str, dict[str, Any]] = read_json(path) if path.is_file() else {}
        key = f"{experiment.data} {experiment.recipe}"
        if key not in known:
            recipe = RECIPES[experiment.recipe]
            data = self.data_of(experiment.data, recipe.size_px)
            known[key] = measure_pace(build(recipe, data, 0), data, recipe)
            path.write_text(json.dumps(known, indent=1))
            print(f"{key:34s} {known[key]}", flush=True)
        return known[key]

    def run(self, experiment: Experiment, seed: int) -> Result:
        """Train an experiment for its time and score it; a finished one is read."""
        recipe, pace = RECIPES[experiment.recipe], self.pace_of(experiment)
        epochs = max(2, round(60 * experiment.minutes * self.scale / pace["epoch_s"]))
        stored = self.work / "results" / f"{experiment.name.replace(' ', '_')}-{epochs}-epochs-seed-{seed}"
        if (stored / "values.npz").is_file():
            return read_result(stored)
        data = self.data_of(experiment.data, recipe.size_px)
        model = build(recipe, data, seed)
        if experiment.start:
            first = self.run(next(one for one in PARTS["lspet"][0] if one.name == experiment.start), seed)
            model = start_from(model, read_stored_model(Path(first.model)), InitialiseOptions(head="new"))
        trained, seconds = fit(model, data, options_of(recipe, epochs, seed, pace["amp"], self.threads))
        save_model(stored / "model", trained)
        person_ids = data.val_set.targets.person_ids
        np.savez(
            stored / "values.npz", person_ids=person_ids, image_ids=data.image_ids, pck=score(trained, data),
            seconds=sum(seconds), epochs=epochs,
        )  # fmt: skip
        return read_result(stored)

    def run_movenet(self, path: Path) -> Result:
        """Predict the persons of coco_subset by a public network, on the same squares at 256 px."""
        data, network = self.data_of("coco", 256), open_peer(path, "movenet")
        persons = data.val_set.with_joint_order(network.joints)
        whole = np.array([[-0.5, -0.5, 256, 256]])
        crops = (persons.read_images(np.array([row]))[0] for row in range(len(persons)))
        found = np.concatenate([network.predict(crop, whole, 1.0).joints for crop in crops])
        pck = pck_thesis(found, persons.targets.joints, persons.targets.visibility, (256, 256))
        return Result(persons.targets.person_ids, data.image_ids, pck, 0.0, 0, str(path))


def read_result(folder: Path) -> Result:
    """Read the result of a finished training."""
    with np.load(folder / "values.npz") as values:
        seconds, epochs = float(values["seconds"]), int(values["epochs"])
        return Result(values["person_ids"], values["image_ids"], values["pck"], seconds, epochs, str(folder / "model"))


def prepare_data(sources: list[dict[str, Any]], size_px: int, folder: Path) -> None:
    """Run the pipeline `data_engineering` of the project for one or several data sets."""
    engineering: dict[str, Any] = {
        "sample": None,
        "crop": {"rule": "padded_square", "size_px": size_px},
        "split": {"max_test_fraction": 0, "max_calibration_fraction": 0},
    }
    if len(sources) == 1:
        engineering["source"] = {name: sources[0][name] for name in ("train_split", "val_split")}
    else:
        engineering["sources"] = sources
    raw_dir = sources[0]["raw_dir"] if len(sources) == 1 else str(folder.parent)
    parameters = {"data_dir": str(folder), "raw_dir": raw_dir, "data_engineering": engineering}
    bootstrap_project(REPOSITORY)
    with KedroSession.create(project_path=REPOSITORY, runtime_params=parameters, save_on_close=False) as session:
        session.run(pipeline_names=["data_engineering"])  # type: ignore[call-arg]  # the abstract class lacks it


def read_data(folder: Path, judged: str) -> Data:
    """Read the persons; those are judged whose split in the source begins with `judged`."""
    store = CropStore(folder / "05_model_input" / "crops")
    targets = PoseTargets.load(folder / "05_model_input" / "targets.npz")
    persons = pd.read_parquet(folder / "03_primary" / "persons.parquet")
    train_set, val_set = (store.select(targets, ids_of(persons, split)) for split in ("train", "val"))
    by_id = persons.set_index("person_id").loc[val_set.targets.person_ids]
    kept = np.flatnonzero(by_id["source_split"].astype(str).str.startswith(judged))
    return Data(
        train_set,
        val_set.subset(kept),
        Skeleton.from_dict(read_json(folder / "02_intermediate" / "skeleton.json")),
        CropStatistics.from_dict(read_json(folder / "05_model_input" / "crop_statistics.json")),
        by_id["image_id"].to_numpy(dtype=np.int64)[kept],
    )


def keep_few(data: Data) -> Data:
    """Return the data with 300 training persons, drawn at random."""
    rows = np.sort(np.random.default_rng(0).permutation(len(data.train_set))[:FEW])
    return Data(data.train_set.subset(rows), data.val_set, data.skeleton, data.statistics, data.image_ids)


def keep_four(data: Data) -> Data:
    """Return the data with the hands and feet as its only joints, under names that no other data set has."""
    places = [data.skeleton.index(name) for name in MEANT]
    skeleton = Skeleton(SHOWN, (), tuple(data.skeleton.oks_sigmas[place] for place in places))

    def narrow(persons: CropSet) -> tuple[CropSet, NDArray[np.int64]]:
        old = persons.targets
        targets = PoseTargets(old.person_ids, old.joints[:, places], old.visibility[:, places], old.squares, SHOWN)
        rows = np.flatnonzero(targets.visibility.any(axis=1))
        return CropSet(targets, persons.shards, persons.locations, persons.recipe).subset(rows), rows

    (train_set, _), (val_set, rows) = narrow(data.train_set), narrow(data.val_set)
    return Data(train_set, val_set, skeleton, data.statistics, data.image_ids[rows])


def build(recipe: Recipe, data: Data, seed: int) -> PoseModel:
    """Return the network of a recipe with its initial weights."""
    statistics = data.statistics
    return build_untrained(
        ComponentSpec(**recipe.model), ComponentSpec(**recipe.codec), data.skeleton, statistics.crop_size, statistics.mean_rgb,
        statistics.crop, seed,
    )  # fmt: skip


def options_of(recipe: Recipe, epochs: int, seed: int, amp: str, threads: int = 0) -> TrainingOptions:
    """Return the options of a training."""
    return TrainingOptions(
        epochs=epochs, seed=seed, device="cpu", threads=threads, image_grid_every_epochs=0, schedule=ONE_CYCLE, amp=amp,
        augmentations=AUGMENTATIONS, **recipe.training,
    )  # fmt: skip


def fit(model: PoseModel, data: Data, options: TrainingOptions) -> tuple[PoseModel, list[float]]:
    """Train a network; return the model and the seconds of each epoch with its validation."""
    with tempfile.TemporaryDirectory() as scratch:
        outcome = train(model, data.train_set, data.val_set, options, CheckpointStore(Path(scratch)), "transfer")
    return outcome.model, [record.seconds for record in outcome.history]


def measure_pace(model: PoseModel, data: Data, recipe: Recipe) -> dict[str, Any]:
    """Return the seconds of the second epoch of a training on all cores, and the resolved `amp`."""
    with tempfile.TemporaryDirectory() as scratch:
        store = CheckpointStore(Path(scratch))
        resolved, _ = resolve_automatic(model, options_of(recipe, 2, 0, "auto"), len(data.train_set), store, {})
    return {"epoch_s": fit(model, data, options_of(recipe, 2, 0, resolved.amp))[1][1], "amp": resolved.amp}


def score(model: PoseModel, data: Data) -> NDArray[np.float64]:
    """Return (N,) `pck_thesis` of the validation persons."""
    own = data.val_set.with_joint_order(model.skeleton.joints)
    batches = np.array_split(np.arange(len(own)), max(1, len(own) // 64))
    found = np.concatenate([model.predict(torch.from_numpy(own.read_images(rows))).joints.cpu().numpy() for rows in batches])
    return pck_thesis(found, own.targets.joints, own.targets.visibility, own.crop_size)


def pool(results: Iterable[Result]) -> Result:
    """Return the results of several seeds as one, with each person's mean."""
    runs = list(results)
    return Result(
        runs[0].person_ids, runs[0].image_ids, np.mean([run.pck for run in runs], axis=0),
        float(np.mean([run.seconds for run in runs])), runs[0].epochs, runs[0].model,
    )  # fmt: skip


def describe(result: Result) -> dict[str, Any]:
    """Return mean and interval for the table."""
    draws = resample_images(result.image_ids, 0)
    known = np.isfinite(result.pck)
    interval = draws.mean_interval(result.pck[known], result.image_ids[known])
    return {
        "pck_thesis": round(interval.estimate, 3), "low": round(interval.low, 3), "high": round(interval.high, 3),
        "persons": int(known.sum()), "minutes": round(result.seconds / 60, 2), "epochs": result.epochs,
    }  # fmt: skip


def judge(claim: Claim, first: Result, second: Result) -> dict[str, Any]:
    """Return the paired difference, the ratio and whether the claim holds."""
    _, ours, theirs = np.intersect1d(first.person_ids, second.person_ids, return_indices=True)
    paired = compare_values(
        "pck_thesis", second.pck[theirs], first.pck[ours], first.image_ids[ours], resample_images(first.image_ids[ours], 0)
    )
    ratio = paired.b / paired.a if paired.a else float("inf")
    met = paired.low > 0 and (claim.ratio is None or ratio >= claim.ratio)
    return {
        "difference": round(paired.difference, 3), "low": round(paired.low, 3), "high": round(paired.high, 3),
        "ratio": round(ratio, 2), "bar": f"{claim.ratio} x" if claim.ratio else "interval above 0", "met": bool(met),
    }  # fmt: skip


def main() -> None:
    """Run the parts and print tables and JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lspet", type=Path, required=True)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--movenet", type=Path)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "transfer")
    parser.add_argument("--threads", type=int, default=0, help="threads of a training; 0: all cores")
    arguments = parser.parse_args()
    bench = Bench(arguments.lspet, arguments.coco, arguments.work.resolve(), arguments.scale, arguments.threads)
    experiments = {one.name: one for part in arguments.only for one in PARTS[part][0]}
    for experiment in experiments.values():
        bench.pace_of(experiment)
    runs: dict[str, list[Result]] = {name: [] for name in experiments}
    for seed in arguments.seeds:
        for name, experiment in experiments.items():
            runs[name].append(bench.run(experiment, seed))
            print(f"{name:34s} seed {seed} {describe(runs[name][-1])}", flush=True)
    pooled = {name: pool(own) for name, own in runs.items()}
    if arguments.movenet:
        pooled[MOVENET] = bench.run_movenet(arguments.movenet)
    trained = {name: describe(own) for name, own in pooled.items()}
    claims = judge_all([claim for part in arguments.only for claim in PARTS[part][1]], pooled, trained)
    for table in (trained, claims):
        for name, values in table.items():
            print(f"{name:50s} {values}")
    print(json.dumps({"seeds": arguments.seeds, "scale": arguments.scale, "trained": trained, "claims": claims}))


def judge_all(
    wanted: Iterable[Claim], pooled: Mapping[str, Result], trained: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the judged claims; those of the joined training against fixed values and the public network."""
    claims = {claim.name: judge(claim, pooled[claim.better], pooled[claim.other]) for claim in wanted}
    joined = "joined imagenet 30 min"
    if joined in trained:
        found = trained[joined]["pck_thesis"]
        claims["joined: 2.2 x the 0.17 of a network from scratch"] = {
            "pck_thesis": found, "bar": round(JOINED_BAR, 3), "met": found >= JOINED_BAR, "aim": JOINED_AIM,
            "aim_met": found >= JOINED_AIM,
        }  # fmt: skip
    return claims


if __name__ == "__main__":
    main()

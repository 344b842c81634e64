"""Measure time and memory of all explainability steps on as many persons as COCO has.

The persons are those of a finished run, repeated under other person and image ids. The network has random weights and the
requested number of features at its bottleneck. The steps of the pipeline explainability run with their default options: features,
scores, pose attributes, components, and every default analysis.

    kedro run && python benchmarks/explain_at_scale.py --data data --persons 124040

`GB` is the peak of the process's anonymous memory (without pages of memory-mapped files), sampled every 50 ms. The last line is
JSON: `persons`, `numbers`, `seconds`, `peak_gb`, and seconds and peak of every step.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import PoseTargets
from posescope.core.skeleton import COCO_PERSON
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_store import CropStore
from posescope.explainability.attributes.person_attributes import measure_attributes
from posescope.explainability.components.pca import PrincipalComponents, PrincipalComponentsOptions
from posescope.explainability.features.feature_extraction import FeatureStore, extract_features
from posescope.explainability.study import run_analysis, score_persons
from posescope.geometry.crop_recipe import CropRecipe
from posescope.prediction.crop_predictions import PredictionOptions, predict_crops

ANALYSES = ("component_names", "truncation", "skip_ablation", "clusters", "latent_traversal")
Answer = TypeVar("Answer")


@dataclass
class Meter:
    """Seconds and peak memory of named steps."""

    steps: dict[str, dict[str, float]] = field(default_factory=dict)
    _peak_kb: int = 0

    def __post_init__(self) -> None:
        threading.Thread(target=self._sample, daemon=True).start()

    def measure(self, name: str, step: Callable[[], Answer]) -> Answer:
        """Run a step and record its time and memory."""
        self._peak_kb, started = 0, time.perf_counter()
        answer = step()
        time.sleep(0.1)  # for a last sample
        self.steps[name] = {"seconds": round(time.perf_counter() - started, 1), "gb": round(self._peak_kb / 2**20, 2)}
        print(f"{name}: {self.steps[name]['seconds']} s, {self.steps[name]['gb']} GB", flush=True)
        return answer

    def _sample(self) -> None:
        while True:
            status = Path("/proc/self/status").read_text(encoding="ascii")
            own = next(line for line in status.splitlines() if line.startswith("RssAnon"))
            self._peak_kb = max(self._peak_kb, int(own.split()[1]))
            time.sleep(0.05)


@dataclass(frozen=True)
class People:
    """Crops and tables of the same persons."""

    crops: CropSet
    persons: pd.DataFrame
    crop_boxes: pd.DataFrame
    keypoints: pd.DataFrame


def repeat(data: Path, count: int) -> People:
    """Repeat the persons of a run under other person and image ids."""
    targets = replace(PoseTargets.load(data / "05_model_input" / "targets.npz"), squares="")
    store = CropStore(data / "05_model_input" / "crops")
    once = store.select(targets, store.person_ids())
    times = -(-count // len(once))
    rows = np.tile(np.arange(len(once)), times)[:count]
    step = int(once.targets.person_ids.max()) + 1
    offsets = np.repeat(np.arange(times), len(once))[:count] * step
    all_of_them = once.subset(rows)
    ids = once.targets.person_ids[rows] + offsets
    crops = replace(all_of_them, targets=replace(all_of_them.targets, person_ids=ids))
    tables = (pd.read_parquet(path) for path in _table_files(data))
    return People(crops, *(_repeat_table(table, times, step) for table in tables))


def _table_files(data: Path) -> list[Path]:
    return [data / "03_primary" / f"{name}.parquet" for name in ("persons", "crop_boxes")] + [
        data / "02_intermediate" / "keypoints.parquet"
    ]


def _repeat_table(table: pd.DataFrame, times: int, step: int) -> pd.DataFrame:
    copies = [table.assign(person_id=table["person_id"] + number * step) for number in range(times)]
    if "image_id" in table:
        images = int(table["image_id"].max()) + 1
        copies = [copy.assign(image_id=copy["image_id"] + number * images) for number, copy in enumerate(copies)]
    return pd.concat(copies, ignore_index=True)


def untrained_model(crops: CropSet, channels: int, depth: int) -> PoseModel:
    """Return a network with random weights."""
    options = {"stacks": 1, "channels": channels, "depth": depth, "stem_channels": 32, "skip": "identity"}
    model_spec = ComponentSpec(name="hourglass", options=options)
    codec_spec = ComponentSpec(name="gaussian", options={"sigma_heatmap_px": 1.5, "stride": 4})
    size, joints = crops.crop_size, crops.joint_count
    return PoseModel(
        network=build("models", model_spec, crop_size=size, joint_count=joints).eval(),
        codec=build("codecs", codec_spec, crop_size=size, joint_count=joints),
        skeleton=COCO_PERSON,
        crop_size=size,
        mean_rgb=(0.5, 0.5, 0.5),
        model_spec=model_spec,
        codec_spec=codec_spec,
        crop=CropRecipe(rule=ComponentSpec(name="padded_square")),
    )


def study(persons: People, model: PoseModel, folder: Path, analyses: list[str], meter: Meter) -> int:
    """Run every step of the pipeline; return the number of features per person."""
    crops = persons.crops
    features = meter.measure("features", lambda: extract_features(model, crops, None, FeatureStore(folder), batch_size=64))
    print(f"{len(features)} persons, {features.values.shape[1]} numbers each")
    predictions = meter.measure("predictions", lambda: predict_crops(model, crops, PredictionOptions()).predictions)
    scores = meter.measure(
        "scores",
        lambda: score_persons(
            predictions, crops.targets, persons.persons, persons.crop_boxes, model.skeleton.oks_sigmas, crops.crop_size
        ),
    )
    attributes = meter.measure(
        "attributes", lambda: measure_attributes(features.person_ids, persons.persons, persons.keypoints, model.skeleton)
    )
    components = meter.measure("components", lambda: PrincipalComponents(PrincipalComponentsOptions())(features))
    print(f"{components.components_for(0.95)} components hold 95 % of the variance")
    for name in analyses:
        result = meter.measure(
            name,
            lambda name=name: run_analysis(  # type: ignore[misc]
                ComponentSpec(name=name),
                name=name,
                model=model,
                crops=crops,
                features=features,
                components=components,
                scores=scores,
                attributes=attributes,
                seed=0,
                batch_size=64,
            ),
        )
        print(f"  {len(result.findings)} findings")
    return int(features.values.shape[1])


def main() -> None:
    """Measure once and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="data_dir of a finished run")
    parser.add_argument("--persons", type=int, default=124_040)
    parser.add_argument("--channels", type=int, default=114)
    parser.add_argument("--depth", type=int, default=2, help="of 96 px, 2 leaves 6 x 6 places at the bottleneck")
    parser.add_argument("--analyses", nargs="*", default=list(ANALYSES))
    arguments = parser.parse_args()
    persons, meter = repeat(arguments.data, arguments.persons), Meter()
    model = untrained_model(persons.crops, arguments.channels, arguments.depth)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        numbers = study(persons, model, Path(scratch) / "features", arguments.analyses, meter)
    peak = max(step["gb"] for step in meter.steps.values())
    figures = {"persons": arguments.persons, "numbers": numbers, "seconds": round(time.perf_counter() - started), "peak_gb": peak}
    print(json.dumps({**figures, **meter.steps}))


if __name__ == "__main__":
    main()

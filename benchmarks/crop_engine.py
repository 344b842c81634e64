"""Compare cropping with decoding alone and with the thesis's way, as ratios from one run on the same images.

    engine   `write_crops` as a whole: planning, decoding, cropping, checksums, writing, the index
    decode   the same images through the same decoder, with the same number of processes
    study    one person at a time: read the image, crop, resize with scikit-image, filter a map of 256 x 256 px per joint and
             resize it to 64 x 64, write one PNG per crop and per map; one process

The images are repeated (`--repeats`), so that two processes have enough shards. The process pool is warm before timing starts.
Rounds alternate between engine and decode; medians are reported. The rule is `padded_square`, which rejects no person.

    python benchmarks/crop_engine.py --images ../shared/data/coco_subset --split val2017

The last line is JSON. `engine_persons_per_s` and `decode_images_per_s` use two processes, `speedup_over_study` uses one.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.ndimage import gaussian_filter
from skimage.io import imread, imsave
from skimage.transform import resize

from posescope.core.tables import joints_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import filter_persons
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.options import CropOptions
from posescope.data.crops.shard_plan import ShardTask, plan_shards
from posescope.data.images.decoding import read_image

OPTIONS = CropOptions(rule="padded_square", size_px=256, shard_persons=128)
STUDY_PERSONS = 40


@dataclass(frozen=True)
class Work:
    """Persons of one split, with the images repeated under other split names."""

    folder: CocoFolder
    source: SourceOptions
    persons: pd.DataFrame
    crop_boxes: pd.DataFrame
    keypoints: pd.DataFrame


def prepare(root: Path, split: str, repeats: int, links: Path) -> Work:
    """Return the persons of the split, `repeats` times; each repeat is a link to the image folder."""
    source = SourceOptions(train_split=split, val_split=split)
    annotations = read_annotations(CocoFolder(root), source.model_copy(update={"images": None}))
    persons = filter_persons(annotations.persons, annotations.keypoints, []).persons
    boxed = box_persons(persons[persons["split"] == "val"], annotations.keypoints, OPTIONS)
    offset = int(boxed.persons["person_id"].max()) + 1
    for number in range(repeats):
        (links / f"time{number}").symlink_to((root / split).resolve())
    people = [
        boxed.persons.assign(source_split=f"time{n}", person_id=boxed.persons["person_id"] + n * offset) for n in range(repeats)
    ]
    boxes = [boxed.crop_boxes.assign(person_id=boxed.crop_boxes["person_id"] + n * offset) for n in range(repeats)]
    return Work(CocoFolder(links), source, pd.concat(people), pd.concat(boxes), annotations.keypoints)


def timed(function: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def run_engine(work: Work, store: Path, workers: int) -> float:
    """Return the seconds of cropping all persons into an empty store."""
    shutil.rmtree(store, ignore_errors=True)
    options = OPTIONS.model_copy(update={"workers": workers})
    return timed(lambda: write_crops(work.folder, work.source, work.persons, work.crop_boxes, CropStore(store), options))


def decode_shard(task: ShardTask) -> int:
    """Decode all images of a shard."""
    return sum(read_image(image.path, image.size).shape[2] == 3 for image in task.images)


def run_decoding(tasks: list[ShardTask], workers: int) -> float:
    """Return the seconds of decoding all images."""
    return timed(lambda: Parallel(n_jobs=workers, batch_size=1)(delayed(decode_shard)(task) for task in tasks))


def cut_like_the_study(work: Work, target: Path) -> float:
    """Return the persons per second of the thesis's way."""
    table = work.persons.merge(work.crop_boxes, on="person_id").iloc[:STUDY_PERSONS]
    joints = joints_of(work.keypoints, table["person_id"].to_numpy())
    rows = list(zip(table.itertuples(), joints, strict=True))
    return len(rows) / timed(lambda: [study_person(work.folder.root, row, person, target) for row, person in rows])


def study_person(root: Path, row: object, joints: np.ndarray, target: Path) -> None:
    """Write the crop and the 17 maps of one person as files."""
    image = np.pad(imread(root / row.source_split / row.file_name), ((row.side, row.side), (row.side, row.side), (0, 0)))
    square = image[row.top + row.side : row.top + 2 * row.side, row.left + row.side : row.left + 2 * row.side]
    crop = resize(square, (256, 256), anti_aliasing=True)
    imsave(target / f"{row.person_id}.png", (crop * 255).astype(np.uint8), check_contrast=False)
    places = np.clip((joints[:, :2] - (row.left, row.top)) * 256 / row.side, 0, 255)
    for number, (x, y) in enumerate(np.nan_to_num(places).round().astype(int)):
        heatmap = np.zeros((256, 256))
        heatmap[y, x] = joints[number, 2] > 0
        small = resize(gaussian_filter(heatmap, 2.0), (64, 64), anti_aliasing=True)
        imsave(
            target / f"{row.person_id}_{number}.png",
            (small / max(small.max(), 1e-9) * 255).astype(np.uint8),
            check_contrast=False,
        )


def main() -> None:
    """Measure and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--images", type=Path, default=Path("../shared/data/coco_subset"), help="folder of a COCO-format data set"
    )
    parser.add_argument("--split", default="val2017")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        links, store, study = (Path(scratch) / name for name in ("links", "crops", "study"))
        links.mkdir()
        study.mkdir()
        work = prepare(arguments.images, arguments.split, arguments.repeats, links)
        tasks = plan_shards(work.folder, work.source, work.persons, work.crop_boxes, OPTIONS)
        seconds: dict[str, list[float]] = {"engine1": [], "decode1": [], "engine2": [], "decode2": []}
        run_decoding(tasks, 2)  # warms the pool and the files
        run_engine(work, store, 2)
        for _ in range(arguments.rounds):
            for workers in (1, 2):
                seconds[f"engine{workers}"].append(run_engine(work, store, workers))
                seconds[f"decode{workers}"].append(run_decoding(tasks, workers))
        study_rate = statistics.median(cut_like_the_study(work, study) for _ in range(3))
    report(seconds, study_rate, persons=len(work.persons), images=sum(len(task.images) for task in tasks))


def report(seconds: dict[str, list[float]], study_rate: float, persons: int, images: int) -> None:
    """Print one line per measurement, then the JSON."""
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        print(f"{name}: median {middle[name]:.3f} s, from {min(values):.3f} to {max(values):.3f}")
    over = {
        n: statistics.median(a / b for a, b in zip(seconds[f"engine{n}"], seconds[f"decode{n}"], strict=True)) for n in (1, 2)
    }
    print(f"{persons} persons in {images} images; time over decoding with one process {over[1]:.2f}, with two {over[2]:.2f}")
    result = {
        "engine_persons_per_s": round(persons / middle["engine2"], 1),
        "decode_images_per_s": round(images / middle["decode2"], 1),
        "study_persons_per_s": round(study_rate, 2),
        "time_over_decode": round(over[2], 3),
        "time_over_decode_1_process": round(over[1], 3),
        "speedup_over_study": round(persons / middle["engine1"] / study_rate, 1),
        "scaling_2_processes": round(middle["engine1"] / middle["engine2"], 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

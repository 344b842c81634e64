"""Measure whether the memory of cropping grows: the same images are cropped again and again for some minutes.

A few photographs (generated images without `--images`) stand under many names, so that thousands of persons are cropped in each
round into a new store. The resident memory of this process and of its largest child is sampled every second. The last line is
JSON: the slopes of the lines through the samples of the second half, MB per minute, the peaks, and the number of persons cropped.
"""

import argparse
import contextlib
import json
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil

from posescope.core.tables import CropBoxes, Persons
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.options import CropOptions

SOURCE = SourceOptions()
SIDE_PX = 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("--minutes", type=float, default=10, help="duration of the measurement")
    parser.add_argument("--images", type=Path, help="folder of JPEG files; default: generated ones")
    parser.add_argument("--names", type=int, default=8000, help="number of image names per round, one person each")
    parser.add_argument("--workers", type=int, default=2, help="number of processes")


def main(arguments: argparse.Namespace) -> None:
    """Crop for some minutes and print the slopes."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        persons, boxes = _make_persons(root, arguments.images, arguments.names)
        options = CropOptions(size_px=SIDE_PX, workers=arguments.workers, shard_persons=256)
        samples: list[tuple[float, float, float]] = []
        done, rounds = threading.Event(), 0
        sampler = threading.Thread(target=_sample, args=(samples, done))
        sampler.start()
        started = time.perf_counter()
        while time.perf_counter() - started < 60 * arguments.minutes:
            write_crops(CocoFolder(root), SOURCE, persons, boxes, CropStore(root / "crops"), options)
            shutil.rmtree(root / "crops")
            rounds += 1
        done.set()
        sampler.join()
    table = np.array(samples[len(samples) // 2 :])
    slopes = [round(60 * float(np.polyfit(table[:, 0], table[:, column], 1)[0]), 3) for column in (1, 2)]
    figures = {"rounds": rounds, "persons": rounds * len(persons), "minutes": round((time.perf_counter() - started) / 60, 2)}
    peaks = {"peak_mb": round(max(row[1] for row in samples)), "child_peak_mb": round(max(row[2] for row in samples))}
    print(json.dumps({**figures, **peaks, "slope_mb_per_minute": slopes[0], "child_slope_mb_per_minute": slopes[1]}))


def _make_persons(root: Path, images: Path | None, names: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the images under many names, and return a `Persons` and a `CropBoxes` table with a person in each."""
    folder = root / "train2017"
    folder.mkdir()
    files = sorted(images.glob("*.jpg"))[:50] if images else _generate(root)
    sizes = [cv2.imread(str(path)).shape[:2] for path in files]
    rows, boxes = [], []
    for number in range(names):
        (height, width), name = sizes[number % len(files)], f"{number:08d}.jpg"
        with contextlib.suppress(FileExistsError):
            try:
                os.link(files[number % len(files)], folder / name)
            except OSError:  # another file system
                shutil.copyfile(files[number % len(files)], folder / name)
        side = min(height, width)
        rows.append(
            (number, "train2017", number, number, name, "train", height, width, 0, 0, width, height, side * side / 2, False)
        )
        boxes.append((number, 0, 0, side, SIDE_PX / side, 0, 0, 0, SIDE_PX / side, 0))
    persons = pd.DataFrame(rows, columns=[name for name in Persons.to_schema().columns if name not in ("group", "source")])
    crop_boxes = pd.DataFrame(boxes, columns=[name for name in CropBoxes.to_schema().columns if name not in ("width", "height")])
    return pd.DataFrame(Persons.validate(persons)), pd.DataFrame(CropBoxes.validate(crop_boxes))


def _generate(root: Path) -> list[Path]:
    rng, paths = np.random.default_rng(0), []
    for number in range(50):
        image = cv2.resize(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), (640, 480))
        paths.append(root / f"generated-{number}.jpg")
        cv2.imwrite(str(paths[-1]), image)
    return paths


def _sample(samples: list[tuple[float, float, float]], done: threading.Event) -> None:
    """Append time, s, and the resident memory of this process and of its largest child, MB, every second."""
    process = psutil.Process()
    while not done.wait(1):
        children = []
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                children.append(child.memory_info().rss / 1e6)
        samples.append((time.perf_counter(), process.memory_info().rss / 1e6, max(children, default=0.0)))

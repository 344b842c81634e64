"""Measure time and memory from the annotation file to the splits, and count the persons that are kept.

    read and validate -> filter -> square boxes (`centred_square`, --box: its option `box`) -> test set

The folder contains `person_keypoints_{train,val}2017.json` or `.json.gz`; no images are needed. The memory is the peak of the
whole process, imported libraries included. The last line is JSON: seconds, peak in GB (10^9 bytes), and persons kept;
`train_kept` is counted before the test set is sampled.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd

from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import filter_persons
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import BoxedPersons, box_persons
from posescope.data.crops.dataset_split import sample_splits
from posescope.data.crops.options import CropOptions, SplitOptions
from posescope.geometry.square_boxes import MeasuredBox

SOURCE = SourceOptions(images=None, annotations="person_keypoints_{split}.json")
SMALL_PX = 16


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print the time of a step."""
    started = time.perf_counter()
    yield
    print(f"{name:<8} {time.perf_counter() - started:5.2f} s, peak so far {peak_gb():.2f} GB")


def peak_gb() -> float:
    """Return the peak memory of this process; from /proc where available, because `ru_maxrss` is inherited."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def print_small_squares(boxed: BoxedPersons) -> None:
    """Print how many squares are smaller than the annotated box, than half of it, or than a few px."""
    longer = boxed.persons[["bbox_w", "bbox_h"]].to_numpy().max(axis=1)
    sides = boxed.crop_boxes["side"].to_numpy()
    table = pd.DataFrame(
        {
            "split": boxed.persons["split"],
            "less": sides < longer,
            "half": sides < longer / 2,
            "tiny": sides < SMALL_PX,
            "kept": np.ones(len(sides), int),
        }
    )
    for split, row in table.groupby("split").sum().iterrows():
        print(
            f"{split:<5} of {row['kept']} kept squares, {row['less']} are smaller than the annotated box's longer side, "
            f"{row['half']} smaller than half of it, {row['tiny']} smaller than {SMALL_PX} px"
        )


def main() -> None:
    """Run the four steps once and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="folder of the two annotation files")
    parser.add_argument("--box", choices=get_args(MeasuredBox), default="annotated_and_keypoints", help="of the crop rule")
    arguments = parser.parse_args()
    labels = arguments.labels
    started = time.perf_counter()
    with step("read"):
        read = read_annotations(CocoFolder(labels), SOURCE)
    with step("filter"):
        filtered = filter_persons(read.persons, read.keypoints, ())
    with step("box"):
        boxed = box_persons(filtered.persons, read.keypoints, CropOptions(rule_options={"box": arguments.box}))
    with step("split"):
        persons = sample_splits(boxed.persons, SplitOptions(max_calibration_fraction=0))
    seconds, peak = time.perf_counter() - started, peak_gb()
    print(f"{len(read.persons)} persons read, {len(read.issues) + len(filtered.issues) + len(boxed.issues)} rejected")
    print_small_squares(boxed)
    kept = boxed.persons["split"].value_counts()
    figures = {"val_kept": int(kept["val"]), "train_kept": int(kept["train"])}
    figures |= {"test_persons": int((persons["split"] == "test").sum())}
    print(json.dumps({"seconds": round(seconds, 2), "peak_gb": round(peak, 3), **figures}))


if __name__ == "__main__":
    main()

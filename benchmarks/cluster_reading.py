"""Compare reading orders of crops that are not in the page cache: all persons shuffled together, and windows of whole shards.

An epoch reads each crop once. Crops that do not fit in memory have left the page cache before the next epoch; here shards are
removed from it before each epoch, which gives the same reads with a small set. Both orders are measured alternately. The last
line is JSON: medians of MB per second, and the median ratio of windows to all persons.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from posescope.data.crops.shard_reader import ShardReader
from posescope.data.crops.shard_writer import digest_bytes_of
from posescope.training.batches import shuffled_order, windowed_order

SIDE_PX, BATCH = 256, 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this subcommand."""
    parser.add_argument("--shards", type=int, default=12, help="number of shards of 512 crops, 101 MB each")
    parser.add_argument("--window", type=int, default=4, help="shards per window")
    parser.add_argument("--repeats", type=int, default=3, help="epochs per order")
    parser.add_argument("--folder", type=Path, help="folder on the disk that is measured; default: temporary files")


def main(arguments: argparse.Namespace) -> None:
    """Write the shards, read them in both orders and print the result."""
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        reader = _write_shards(Path(temporary), arguments.shards)
        shards = np.repeat(np.arange(arguments.shards), 512)
        rows = np.tile(np.arange(512), arguments.shards)
        speeds: dict[str, list[float]] = {"all": [], "windows": []}
        for epoch in range(arguments.repeats):
            for name, found in speeds.items():
                windows = name == "windows"
                order = windowed_order(shards, arguments.window, 0, epoch) if windows else shuffled_order(len(shards), 0, epoch)
                found.append(_read_epoch(reader, np.stack([shards, rows], axis=1)[order], windows))
                print(f"epoch {epoch}, {name}: {found[-1]:.0f} MB/s")
    ratio = statistics.median(b / a for a, b in zip(speeds["all"], speeds["windows"], strict=True))
    medians = {f"{name}_mb_per_s": round(statistics.median(found), 1) for name, found in speeds.items()}
    print(json.dumps({"shards": arguments.shards, "window": arguments.window, **medians, "ratio": round(ratio, 2)}))


def _write_shards(folder: Path, count: int) -> ShardReader:
    rng, paths, digests = np.random.default_rng(0), [], []
    for number in range(count):
        crops = rng.integers(0, 256, (512, SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
        paths.append(folder / f"shard-{number:05d}.npy")
        with paths[-1].open("wb") as stream:
            np.save(stream, crops)
            stream.flush()
            os.fsync(stream.fileno())
        digests.append(np.frombuffer(b"".join(map(digest_bytes_of, crops)), np.uint8).reshape(-1, 16))
    return ShardReader(paths, digests)


def _read_epoch(reader: ShardReader, locations: np.ndarray, windows: bool) -> float:
    """Return the speed of reading crops at `locations` (N, 2) from a cold page cache, MB per second."""
    for path in reader.paths:
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    images, announced = np.empty((BATCH, SIDE_PX, SIDE_PX, 3), dtype=np.uint8), set[int]()
    started = time.perf_counter()
    for start in range(0, len(locations), BATCH):
        batch = locations[start : start + BATCH]
        if windows:
            upcoming = set(batch[:, 0].tolist()) - announced
            reader.read_ahead(sorted(upcoming))
            announced |= upcoming
        reader.read_into(images[: len(batch)], batch)
    return len(locations) * images[0].nbytes / 1e6 / (time.perf_counter() - started)

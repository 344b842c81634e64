"""Pack the crops of a finished data_dir into one file, as JPEG of quality 95, for a machine without Kedro.

    python benchmarks/pack_crops.py pack DATA FILE      write what `recipes.py` reads of a data_dir into one .npz
    python benchmarks/pack_crops.py unpack FILE DATA    write the data_dir; its crops have JPEG losses

The checksums of the shards are those of the crops with losses.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.data.crops.crop_store import CropStore
from posescope.geometry.crop_recipe import CropRecipe

CROPS = Path("05_model_input") / "crops"
BESIDE = (
    "05_model_input/targets.npz",
    "05_model_input/crop_statistics.json",
    "05_model_input/crops/crops.json",
    "03_primary/persons.parquet",
    "02_intermediate/skeleton.json",
)


def pack(data: Path, file: Path, quality: int) -> None:
    """Write all crops into one file, uncompressed because JPEG files do not shrink further."""
    shards = sorted((data / CROPS).glob("shard-*.npy"))
    records = [path.with_suffix(".json").relative_to(data).as_posix() for path in shards]
    parts = {name: np.frombuffer((data / name).read_bytes(), dtype=np.uint8) for name in (*BESIDE, *records)}
    for shard in shards:
        crops = np.load(shard, mmap_mode="r")
        jpegs = [encode(crop, quality) for crop in crops]
        parts[f"{shard.name}:bytes"] = np.concatenate(jpegs)
        parts[f"{shard.name}:lengths"] = np.array([len(jpeg) for jpeg in jpegs])
    with file.open("wb") as stream:  # under this very name
        np.savez(stream, **parts)
    print(f"{file}: {file.stat().st_size / 2**20:.1f} MiB")


def unpack(file: Path, data: Path) -> None:
    """Write a data_dir."""
    with np.load(file) as parts, ThreadPoolExecutor() as pool:
        for name in parts.files:
            if ":" not in name:
                (data / name).parent.mkdir(parents=True, exist_ok=True)
                (data / name).write_bytes(parts[name].tobytes())
        for name in sorted({name.partition(":")[0] for name in parts.files if ":" in name}):
            ends = np.cumsum(parts[f"{name}:lengths"])
            crops = list(pool.map(decode, np.split(parts[f"{name}:bytes"], ends[:-1])))
            rewrite(CropStore(data / CROPS), name.removesuffix(".npy"), crops)
            print(json.dumps({name: len(crops)}))
    about = json.loads((data / CROPS / "crops.json").read_text())
    recipe = CropRecipe.model_validate(about["crop"]) if "crop" in about else None
    CropStore(data / CROPS).finish(about["shards"], about["squares"], recipe)


def rewrite(store: CropStore, name: str, crops: list[NDArray[np.uint8]]) -> None:
    """Write a shard with the checksums of these crops."""
    old = store.record(name)
    with store.shard_writer(name, old.fingerprint, len(crops), crops[0].shape[0]) as writer:
        for crop, person, colour, count in zip(crops, old.person_ids, old.rgb_sums, old.pixel_counts, strict=True):
            writer.append(person, np.ascontiguousarray(crop), colour, count)
        for person, kind, message in old.failures:
            writer.add_failure((person,), kind, message)


def encode(crop: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return the bytes of a JPEG file of an image (H, W, 3) RGB."""
    done, jpeg = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("A crop could not be written as JPEG.")
    return np.asarray(jpeg, dtype=np.uint8).ravel()


def decode(jpeg: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image (H, W, 3) RGB of a JPEG file."""
    return np.asarray(cv2.cvtColor(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)


def main() -> None:
    """Pack or unpack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["pack", "unpack"])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--quality", type=int, default=95)
    arguments = parser.parse_args()
    if arguments.action == "pack":
        pack(arguments.source, arguments.target, arguments.quality)
    else:
        unpack(arguments.source, arguments.target)


if __name__ == "__main__":
    main()

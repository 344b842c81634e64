"""Images in an object store: cropping with a latency of 20 ms, and CPU seconds of the client per image.

    python benchmarks/cluster.py images --data ../shared/data/coco_subset

Latency: all persons are cropped by two processes, alternately from a local folder and through a file system of the tests whose
every call takes 20 ms; the ratio of the medians counts. CPU: images are read by one process from a local folder and from
moto_server, a process of its own whose CPU time is not counted. Crops go to a temporary folder.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from tests.cluster.s3_servers import S3Server  # noqa: E402
from tests.cluster.slow_storage.slow_files import SLOW_DELAY_VARIABLE, make_importable  # noqa: E402

from posescope.core.files import xxh3_of  # noqa: E402
from posescope.core.mirrors import open_mirror  # noqa: E402
from posescope.core.object_store import ObjectStore  # noqa: E402
from posescope.core.plugins import ComponentSpec  # noqa: E402
from posescope.data.coco.folder import CocoFolder, SourceOptions  # noqa: E402
from posescope.data.coco.person_filters import filter_persons  # noqa: E402
from posescope.data.coco.reader import read_annotations  # noqa: E402
from posescope.data.crops.crop_boxes import box_persons  # noqa: E402
from posescope.data.crops.crop_store import CropStore  # noqa: E402
from posescope.data.crops.cropping import write_crops  # noqa: E402
from posescope.data.crops.options import CropOptions  # noqa: E402
from posescope.data.images.decoding import decode_image, read_bytes  # noqa: E402
from posescope.data.images.limits import ImageLimits  # noqa: E402
from posescope.data.images.stored_images import ImageFile, read_images_ahead  # noqa: E402

_VAL = "person_keypoints_val2017.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared/data/coco_subset", help="COCO-format data set")
    parser.add_argument("--rounds", type=int, default=5, help="timings of each kind")
    parser.add_argument("--repeats", type=int, default=24, help="how often each image is cropped and read")
    parser.add_argument("--shard-persons", type=int, default=512, help="persons per shard; each starts with a first request")
    parser.add_argument("--latency", type=float, default=0.02, help="latency of the file system, s")
    parser.add_argument("--in-flight", type=int, default=16, help="requests at a time in each process")


def main(arguments: argparse.Namespace) -> None:
    """Measure, and print JSON as the last line."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        os.environ["PYTHONPATH"] = make_importable(work / "package")
        os.environ[SLOW_DELAY_VARIABLE] = str(arguments.latency)
        data = _repeat_images(arguments.data, work / "data", arguments.repeats)
        result = {"cropping": _measure_cropping(arguments, data, work), "reading": _measure_reading(arguments, data, work)}
    print(json.dumps(result))


def _repeat_images(data: Path, target: Path, repeats: int) -> Path:
    """Return a data set in which each image of the training set has several names, so that the timings take seconds."""
    source = SourceOptions()
    content = json.loads(CocoFolder(data).annotation_file(source, "train2017").read_bytes())
    images, annotations = [], []
    (target / "train2017").mkdir(parents=True)
    for copy in range(repeats):
        for image in content["images"]:
            file_name = f"{copy}-{image['file_name']}"
            shutil.copyfile(data / "train2017" / image["file_name"], target / "train2017" / file_name)
            images.append({**image, "id": image["id"] * repeats + copy, "file_name": file_name})
        for record in content["annotations"]:
            ids = {"id": record["id"] * repeats + copy, "image_id": record["image_id"] * repeats + copy}
            annotations.append({**record, **ids})
    (target / "annotations").mkdir()
    path = target / "annotations/person_keypoints_train2017.json"
    path.write_text(json.dumps({**content, "images": images, "annotations": annotations}))
    shutil.copytree(data / "val2017", target / "val2017")
    shutil.copyfile(data / f"annotations/{_VAL}", target / f"annotations/{_VAL}")
    return target


def _measure_cropping(arguments: argparse.Namespace, data: Path, work: Path) -> dict[str, object]:
    source = SourceOptions()
    read = read_annotations(CocoFolder(data), source)
    options = CropOptions(workers=2, shard_persons=arguments.shard_persons, reads_in_flight=arguments.in_flight)
    filters = [ComponentSpec(name="labelled_joints"), ComponentSpec(name="box_size")]
    kept = filter_persons(read.persons, read.keypoints, filters)
    boxed = box_persons(kept.persons, read.keypoints, options)
    places = {"local": data, "slow": open_mirror(f"slow://{data}", work / "cache").root}
    seconds: dict[str, list[float]] = {name: [] for name in places}
    checksums: dict[str, set[str]] = {name: set() for name in places}
    for number in range(arguments.rounds + 1):  # the first starts the processes
        for name, root in places.items() if number % 2 else reversed(places.items()):
            store = CropStore(work / "crops")
            started = time.perf_counter()
            write_crops(CocoFolder(root), source, boxed.persons, boxed.crop_boxes, store, options)
            if number:
                seconds[name].append(time.perf_counter() - started)
            checksums[name].add(str([xxh3_of(path) for path in sorted(store.root.glob("shard-*.npy"))]))
            shutil.rmtree(store.root)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{len(boxed.persons)} persons, {arguments.latency * 1000:g} ms: {medians}, load {os.getloadavg()[0]:.1f}")
    return {
        "persons": len(boxed.persons),
        "latency_ms": arguments.latency * 1000,
        "seconds": seconds,
        "speed_over_local": round(medians["local"] / medians["slow"], 3),
        "same_bytes": checksums["local"] == checksums["slow"] and len(checksums["local"]) == 1,
        "load": os.getloadavg()[0],
    }


def _measure_reading(arguments: argparse.Namespace, data: Path, work: Path) -> dict[str, object]:
    server = S3Server("moto", work / "moto")
    server.start()
    try:
        server.make_bucket("images")
        os.environ.update(server.environment())
        store = ObjectStore("s3://images/data")
        paths = sorted((data / "train2017").iterdir())
        for path in paths:
            store.write(f"train2017/{path.name}", path.read_bytes())
        root = open_mirror(store.address, work / "cache").root
        limited = [ImageFile(root / "train2017" / path.name, ImageLimits()) for path in paths]
        list(read_images_ahead(limited[:16], arguments.in_flight))  # opens the connections
        cpu_ms: dict[str, list[float]] = {"local": [], "moto": [], "decoding": []}
        raw = [read_bytes(path) for path in paths]
        for _ in range(arguments.rounds):
            cpu_ms["decoding"].append(_cpu_ms(lambda: [decode_image(one, Path()) for one in raw], len(paths)))
            cpu_ms["local"].append(_cpu_ms(lambda: [read_bytes(path) for path in paths], len(paths)))
            cpu_ms["moto"].append(_cpu_ms(lambda: list(read_images_ahead(limited, arguments.in_flight)), len(paths)))
    finally:
        server.kill()
    medians = {name: round(statistics.median(values), 3) for name, values in cpu_ms.items()}
    mean_kb = sum(path.stat().st_size for path in paths) / len(paths) / 1000
    print(f"CPU ms per image of {mean_kb:.0f} kB, this process alone: {medians}")
    return {"images": len(paths), "mean_kb": round(mean_kb, 1), "cpu_ms_per_image": medians}


def _cpu_ms(function: object, count: int) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    function()  # type: ignore[operator]
    after = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / count

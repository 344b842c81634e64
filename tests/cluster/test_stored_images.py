"""Tests of images in an object store: crops over a server with faults and with latency equal those of a disk."""

import time
from pathlib import Path

import numpy as np
import pytest
from tests.cluster.fault_proxy import FaultProxy, Faults
from tests.conftest import TinyCoco

from posescope.core.mirrors import open_mirror
from posescope.core.object_store import ObjectStore, ObjectStoreError
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.options import CropOptions
from posescope.data.images.decoding import read_bytes
from posescope.data.images.limits import ImageLimits
from posescope.data.images.stored_images import ImageFile, read_images_ahead

pytestmark = pytest.mark.cluster

OPTIONS = CropOptions(rule="padded_square", size_px=32, workers=2, shard_persons=2)


def upload(data: TinyCoco, address: str, cache: Path) -> Path:
    """Copy the data set into an object store, and return its mirror."""
    store = ObjectStore(address)
    for path in data.root.rglob("*.*"):
        store.upload(path, path.relative_to(data.root).as_posix())
    return open_mirror(address, cache).root


def crop(root: Path, crops: Path) -> dict[str, bytes]:
    """Return the shards of a data set."""
    read = read_annotations(CocoFolder(root), SourceOptions())
    boxed = box_persons(read.persons, read.keypoints, OPTIONS)
    issues = write_crops(CocoFolder(root), SourceOptions(), boxed.persons, boxed.crop_boxes, CropStore(crops), OPTIONS)
    assert len(issues) == 0
    return {path.name: path.read_bytes() for path in crops.glob("shard-*.npy")}


def test_crops_equal_those_of_local_images(s3_address: str, tiny_coco: TinyCoco, tmp_path: Path) -> None:
    root = upload(tiny_coco, s3_address, tmp_path / "cache")
    expected = crop(tiny_coco.root, tmp_path / "local")
    assert crop(root, tmp_path / "remote") == expected
    assert len(expected) > 1
    assert list(root.rglob("*.png")) == []


def test_crops_over_a_bad_network(faulty: FaultProxy, faulty_address: str, tiny_coco: TinyCoco, tmp_path: Path) -> None:
    root = upload(tiny_coco, faulty_address, tmp_path / "cache")
    expected = crop(tiny_coco.root, tmp_path / "local")
    faulty.faults = Faults(busy=0.1, lost_request=0.1, lost_body=0.2, shortened=0.2, most=2)
    assert crop(root, tmp_path / "remote") == expected
    assert sum(faulty.faults.happened.values()) > 2


def test_a_lost_server_is_an_error_of_the_run(
    faulty: FaultProxy, faulty_address: str, tiny_coco: TinyCoco, tmp_path: Path
) -> None:
    root = upload(tiny_coco, faulty_address, tmp_path / "cache")
    faulty.faults = Faults(lost_request=1.0, most=1000)
    with pytest.raises(ObjectStoreError):
        read_bytes(root / "train2017/one.png")


def test_reading_ahead_hides_the_latency(slow_address: str, tmp_path: Path) -> None:
    folder = Path(slow_address.removeprefix("slow://"))
    rng = np.random.default_rng(0)
    for number in range(64):
        (folder / f"{number:02}.jpg").write_bytes(rng.bytes(1000))
    root = open_mirror(slow_address, tmp_path / "cache").root
    images = [ImageFile(root / f"{number:02}.jpg", ImageLimits()) for number in range(64)]
    started = time.monotonic()
    found = list(read_images_ahead(images, 16))
    assert time.monotonic() - started < 0.5 * 64 * 0.02
    assert found == [(folder / f"{number:02}.jpg").read_bytes() for number in range(64)]

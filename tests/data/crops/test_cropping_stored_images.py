"""Tests of cropping from an object store: the same pixels as from a disk, and shards that follow the versions of their images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from posescope.core.object_store import ObjectStore
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons
from posescope.data.crops.options import CropOptions
from posescope.data.crops.shard_plan import plan_shards


def test_crops_equal_those_of_local_images(
    stored: tuple[ObjectStore, Path], tiny_coco: Any, cut: Callable[..., Any], tmp_path: Path
) -> None:
    _, root = stored
    contents = {}
    for place in (tiny_coco.root, root):
        found = cut(place)
        assert len(found.issues) == 0
        contents[place] = {path.name: path.read_bytes() for path in found.store.root.glob("shard-*.npy")}
        for path in found.store.root.iterdir():
            path.unlink()
    assert contents[root] == contents[tiny_coco.root]
    assert len(contents[root]) > 1
    assert list(root.rglob("*.png")) == []


def test_a_shard_follows_the_versions_of_its_images(stored: tuple[ObjectStore, Path]) -> None:
    store, root = stored
    options = CropOptions(rule="padded_square", size_px=32, shard_persons=2)
    read = read_annotations(CocoFolder(root), SourceOptions())
    boxed = box_persons(read.persons, read.keypoints, options)

    def fingerprints() -> list[str]:
        shards = plan_shards(CocoFolder(root), SourceOptions(), boxed.persons, boxed.crop_boxes, options)
        return [shard.fingerprint for shard in shards]

    before = fingerprints()
    assert fingerprints() == before
    store.write("train2017/one.png", store.read("train2017/one.png") + b" ")
    after = fingerprints()
    assert after[0] != before[0]
    assert after[1:] == before[1:]

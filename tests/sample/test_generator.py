import contextlib
import io
import json
import uuid
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posescope.core.errors import DataError
from posescope.core.mirrors import open_mirror
from posescope.core.object_store import ObjectStore
from posescope.core.skeleton import COCO_PERSON
from posescope.sample import SampleOptions, generate_sample, is_current_sample
from posescope.sample import generator as generate
from posescope.sample.scene_rendering import Scene


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _read(folder: Path, split: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "annotations" / f"person_keypoints_{split}2017.json").read_text())
    return document


def _load(folder: Path, split: str) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(folder / "annotations" / f"person_keypoints_{split}2017.json"))


def _labelled(folder: Path) -> list[dict[str, Any]]:
    return [a for a in _read(folder, "train")["annotations"] if a["num_keypoints"]]


def test_files_are_independent_of_the_number_of_workers(sample: Path, options: SampleOptions, tmp_path: Path) -> None:
    generate_sample(tmp_path / "again", options.model_copy(update={"workers": 2}))
    assert _content(tmp_path / "again") == _content(sample)


def test_another_seed_gives_other_images(sample: Path, tmp_path: Path) -> None:
    generate_sample(tmp_path / "other", SampleOptions(train_persons=1, val_persons=1, seed=4, workers=1))
    name = "train2017/000000000001.jpg"
    assert (tmp_path / "other" / name).read_bytes() != (sample / name).read_bytes()


def test_finished_sample_is_recognised(sample: Path, options: SampleOptions, tmp_path: Path) -> None:
    assert is_current_sample(sample, options)
    assert is_current_sample(sample, options.model_copy(update={"workers": 7}))
    assert not is_current_sample(sample, options.model_copy(update={"seed": 99}))
    assert not is_current_sample(tmp_path, options)


def test_counts_are_those_of_the_options(sample: Path, options: SampleOptions) -> None:
    for split, expected in (("train", options.train_persons), ("val", options.val_persons)):
        assert sum(a["num_keypoints"] > 0 for a in _read(sample, split)["annotations"]) == expected


def test_category_is_the_official_one(sample: Path) -> None:
    (category,) = _read(sample, "train")["categories"]
    assert category["keypoints"] == list(COCO_PERSON.joints)
    assert category["skeleton"][0] == [16, 14]  # 1-based: left ankle to left knee, as in COCO's own files
    assert (category["id"], category["name"]) == (1, "person")


def test_images_agree_with_their_records(sample: Path) -> None:
    for split in ("train", "val"):
        for record in _read(sample, split)["images"]:
            assert len(Path(record["file_name"]).stem) == 12
            image = cv2.imread(str(sample / f"{split}2017" / record["file_name"]), cv2.IMREAD_UNCHANGED)
            assert image is not None
            assert image.shape[:2] == (record["height"], record["width"])
            assert (image.ndim == 2) == (record["posescope"]["colour"] == "grey_single")


def test_ids_are_unique_in_both_splits_together(sample: Path) -> None:
    for key in ("images", "annotations"):
        ids = [record["id"] for split in ("train", "val") for record in _read(sample, split)[key]]
        assert len(ids) == len(set(ids))


def test_pycocotools_reads_masks_that_agree_with_area_and_box(sample: Path) -> None:
    coco = _load(sample, "train")
    for annotation in coco.dataset["annotations"]:
        mask = coco.annToMask(annotation).astype(bool)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        x, y, width, height = annotation["bbox"]
        assert x <= columns[0]
        assert columns[-1] + 1 <= x + width
        assert y <= rows[0]
        assert rows[-1] + 1 <= y + height
        # Polygons fill the holes between arm and chest, as in COCO.
        assert mask.sum() >= 0.93 * annotation["area"]
        if annotation["iscrowd"]:
            assert mask.sum() == annotation["area"]


def test_perfect_results_score_one_in_pycocotools(sample: Path) -> None:
    coco = _load(sample, "train")
    results = [
        {"image_id": a["image_id"], "category_id": 1, "keypoints": a["keypoints"], "score": 1.0} for a in _labelled(sample)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(results), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_labelled_joints_are_inside_and_others_zero(sample: Path) -> None:
    document = _read(sample, "train")
    size = {image["id"]: (image["width"], image["height"]) for image in document["images"]}
    for annotation in document["annotations"]:
        keypoints = np.array(annotation["keypoints"]).reshape(17, 3)
        labelled = keypoints[:, 2] > 0
        assert annotation["num_keypoints"] == labelled.sum()
        assert (keypoints[~labelled] == 0).all()
        assert (keypoints[labelled, :2] >= 0).all()
        assert (keypoints[labelled, :2] < size[annotation["image_id"]]).all()


def test_sample_contains_every_kind_of_case(sample: Path) -> None:
    document = _read(sample, "train")
    annotations = document["annotations"]
    image_ids = {a["image_id"] for a in annotations}
    assert any(image["id"] not in image_ids for image in document["images"])
    assert any(a["iscrowd"] and isinstance(a["segmentation"]["counts"], list) for a in annotations)
    assert any(not a["iscrowd"] and a["num_keypoints"] == 0 for a in annotations)
    assert {image["posescope"]["colour"] for image in document["images"]} == {"colour", "grey_rgb", "grey_single"}


def test_fractions_of_views_and_occluded_joints(sample: Path) -> None:
    labelled = _labelled(sample)
    visibility = np.array([a["keypoints"][2::3] for a in labelled])
    views = [a["posescope"]["view"] for a in labelled]
    assert np.mean([view == "back" for view in views]) >= 0.25
    assert set(views) == {"front", "three_quarter", "side", "back"}
    assert (visibility == 1).any(axis=1).mean() >= 0.20
    assert (visibility == 0).any()
    assert len({a["posescope"]["pose"] for a in labelled}) >= 6


def test_no_person_seen_from_behind_has_two_visible_eyes(sample: Path) -> None:
    # These persons are rotated by 118 degrees or more; a rotated head may show one side of the face, but not both eyes.
    for annotation in _labelled(sample):
        if annotation["posescope"]["view"] == "back":
            eyes = np.array(annotation["keypoints"]).reshape(17, 3)[1:3, 2]
            assert (eyes < 2).any()


def test_failure_keeps_the_old_sample_and_no_temporary_files(
    sample: Path, options: SampleOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sample"
    small = SampleOptions(train_persons=2, val_persons=1, workers=1)
    generate_sample(folder, small)
    before = _content(folder)

    def fail(*_: object) -> Scene:
        raise DataError("the brush broke")

    monkeypatch.setattr(generate, "compose_scene", fail)
    with pytest.raises(DataError, match="the brush broke"):
        generate_sample(folder, small.model_copy(update={"seed": 5}))
    with pytest.raises(DataError, match="the brush broke"):
        generate_sample(tmp_path / "fresh", small)
    assert _content(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_other_data_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "train2017").mkdir()
    (tmp_path / "train2017" / "mine.jpg").write_bytes(b"precious")
    with pytest.raises(DataError, match=r"train2017 and no sample\.json"):
        generate_sample(tmp_path, SampleOptions(train_persons=1, val_persons=1, workers=1))
    assert (tmp_path / "train2017" / "mine.jpg").read_bytes() == b"precious"


def test_objects_that_are_no_sample_are_not_overwritten(options: SampleOptions, tmp_path: Path) -> None:
    store = ObjectStore(f"memory://{uuid.uuid4().hex}/raw")
    store.write("train2017/1.jpg", b"1")
    root = open_mirror(store.address, tmp_path / "cache").root
    with pytest.raises(DataError, match=store.address):
        generate.ensure_sample(root, options)
    assert [found.name for found in store.list()] == ["train2017/1.jpg"]


def test_sample_of_an_object_store_is_recognised_on_another_machine(sample: Path, options: SampleOptions, tmp_path: Path) -> None:
    store = ObjectStore(f"memory://{uuid.uuid4().hex}/raw")
    store.upload(sample / "sample.json", "sample.json")
    assert is_current_sample(open_mirror(store.address, tmp_path / "cache").root, options)


def test_hidden_files_and_folders_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".gitkeep").write_bytes(b"")
    (tmp_path / ".dvc" / "cache").mkdir(parents=True)
    (tmp_path / ".dvc" / "cache" / "file").write_bytes(b"1")
    generate_sample(tmp_path, SampleOptions(train_persons=1, val_persons=1, workers=1))
    assert (tmp_path / ".gitkeep").is_file()
    assert (tmp_path / ".dvc" / "cache" / "file").read_bytes() == b"1"
    assert (tmp_path / "sample.json").is_file()

"""Predictions on photographs by a model with another joint order, and by a model of another skeleton."""

import json
from pathlib import Path

import numpy as np
import pytest

from posescope.artifacts.pose_model import PoseModel
from posescope.core.joint_matching import JointMismatchError
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import Skeleton
from posescope.core.tables import ids_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import filter_persons
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons, targets_in_crops
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.options import CropOptions
from posescope.evaluation.metrics.pck_thesis import pck_thesis
from posescope.prediction.crop_predictions import predict_crops
from posescope.prediction.options import PredictionOptions
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.initialisation import build_untrained
from posescope.training.options import TrainingOptions
from posescope.training.trainer import train

CROP = CropOptions(rule="padded_square", size_px=64, workers=1)
IMAGES_PER_SPLIT = 24
pytestmark = pytest.mark.usefixtures("one_thread")


def write_part(root: Path, real: Path, splits: dict[str, str], order: np.ndarray | None = None) -> Path:
    """Write annotations of the first images of each split with joints in the given order, and link the images."""
    for target, source in splits.items():
        content = json.loads((real / "annotations" / f"person_keypoints_{source}.json").read_text())
        with_persons = {
            record["image_id"] for record in content["annotations"] if record.get("num_keypoints") and not record["iscrowd"]
        }
        content["images"] = [image for image in content["images"] if image["id"] in with_persons][:IMAGES_PER_SPLIT]
        image_ids = {image["id"] for image in content["images"]}
        content["annotations"] = [record for record in content["annotations"] if record["image_id"] in image_ids]
        if order is not None:
            category = content["categories"][0]
            category["keypoints"] = [category["keypoints"][joint] for joint in order]
            category["skeleton"] = []
            for record in content["annotations"]:
                record["keypoints"] = np.array(record["keypoints"]).reshape(-1, 3)[order].ravel().tolist()
        (root / "annotations").mkdir(parents=True, exist_ok=True)
        (root / "annotations" / f"person_keypoints_{target}.json").write_text(json.dumps(content))
        (root / target).symlink_to(real / source)
    return root


def make_crops(root: Path) -> tuple[dict[str, CropSet], Skeleton]:
    """Run data engineering on a folder and return the crops of both splits and the skeleton."""
    folder, source = CocoFolder(root), SourceOptions()
    found = read_annotations(folder, source)
    boxed = box_persons(filter_persons(found.persons, found.keypoints, []).persons, found.keypoints, CROP)
    store = CropStore(root / "crops")
    write_crops(folder, source, boxed.persons, boxed.crop_boxes, store, CROP)
    targets = targets_in_crops(boxed.crop_boxes, found.keypoints)
    return {split: store.select(targets, ids_of(boxed.persons, split)) for split in ("train", "val")}, found.skeleton


def build_model(skeleton: Skeleton) -> PoseModel:
    options = {"channels": 16, "stem_channels": 8, "depth": 2, "bottleneck_residuals": 1}
    network, codec = ComponentSpec(name="hourglass", options=options), ComponentSpec(name="gaussian", options={"stride": 4})
    return build_untrained(network, codec, skeleton, CROP.crop_size, (0.45, 0.45, 0.42), CROP.recipe, seed=3)


def score(model: PoseModel, crops: CropSet) -> tuple[np.ndarray, float]:
    found = predict_crops(model, crops, PredictionOptions(device="cpu")).predictions.joints
    pck = pck_thesis(found, crops.targets.joints, crops.targets.visibility, crops.crop_size)
    return found, float(np.nanmean(pck))


def test_scores_are_independent_of_the_joint_order_of_the_data(real_data: Path, tmp_path: Path) -> None:
    """The model is trained on permuted joints and evaluated on permuted and on original joints."""
    coco, splits = real_data / "coco_subset", {"train2017": "train2017", "val2017": "val2017"}
    names = json.loads((coco / "annotations" / "person_keypoints_val2017.json").read_text())["categories"][0]["keypoints"]
    order = np.random.default_rng(0).permutation(len(names))
    own, _ = make_crops(write_part(tmp_path / "own", coco, splits))
    permuted, skeleton = make_crops(write_part(tmp_path / "permuted", coco, splits, order))
    assert skeleton.joints == tuple(names[joint] for joint in order)
    options = TrainingOptions(epochs=1, batch_size=8, device="cpu", augmentations=(), learning_rate=0.005)
    model = train(build_model(skeleton), permuted["train"], permuted["val"], options, CheckpointStore(tmp_path / "c"), "f").model
    permuted_joints, permuted_pck = score(model, permuted["val"])
    own_joints, own_pck = score(model, own["val"])
    np.testing.assert_array_equal(own_joints[:, order], permuted_joints)
    assert own_pck == pytest.approx(permuted_pck, abs=1e-12)
    assert own_pck > 0
    # Control: compared by joint number, the predictions have another PCK.
    targets = own["val"].targets
    assert np.nanmean(pck_thesis(permuted_joints, targets.joints, targets.visibility, own["val"].crop_size)) != pytest.approx(
        permuted_pck
    )


def test_model_of_another_skeleton_is_an_error(real_data: Path, tmp_path: Path) -> None:
    """Leeds Sports has 14 joints with neck and head_top and without face joints; COCO has 17."""
    lspet = real_data / "lspet"
    name = sorted((lspet / "annotations").glob("*val*.json"))[0]
    joints = tuple(json.loads(name.read_text())["categories"][0]["keypoints"])
    model = build_model(Skeleton(joints, limbs=(), oks_sigmas=(0.08,) * len(joints)))
    crops, skeleton = make_crops(
        write_part(tmp_path / "own", real_data / "coco_subset", {"train2017": "val2017", "val2017": "train2017"})
    )
    with pytest.raises(JointMismatchError) as caught:
        predict_crops(model, crops["val"], PredictionOptions(device="cpu"))
    assert set(caught.value.only_in_model) == {"neck", "head_top"}
    assert set(caught.value.only_in_data) == {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}
    assert all(", ".join(names) in str(caught.value) for names in (joints, skeleton.joints))

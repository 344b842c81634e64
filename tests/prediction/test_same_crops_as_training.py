"""Crops and joints of training crops and of the estimator are equal."""

from typing import Any

import numpy as np
import pytest
import torch

from posescope.artifacts.description import read_description
from posescope.artifacts.model_folder import load_model
from posescope.core.tables import matrices_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons, targets_in_crops
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.options import CropOptions
from posescope.geometry.affine import apply_affine, invert_affine
from posescope.prediction.backends.torch_backend import TorchBackend
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.person_crops import crop_persons


@pytest.mark.parametrize("rule", ["padded_square", "centred_square"])
def test_joints_of_training_crops_and_estimator_are_equal(tiny_coco: Any, tmp_path: Any, model_folders: Any, rule: str) -> None:
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    options = CropOptions(rule=rule, size_px=32, workers=1)
    found = read_annotations(folder, source)
    boxed = box_persons(found.persons, found.keypoints, options)
    store = CropStore(tmp_path / "crops")
    write_crops(folder, source, boxed.persons, boxed.crop_boxes, store, options)
    ids = boxed.crop_boxes["person_id"].to_numpy()
    crops = store.select(targets_in_crops(boxed.crop_boxes, found.keypoints), ids).read_images(np.arange(len(ids)))

    model = load_model(model_folders.torch)
    decoded = model.predict(torch.from_numpy(crops)).joints.numpy()
    expected = apply_affine(invert_affine(matrices_of(boxed.crop_boxes)), decoded)

    estimator = PoseEstimator(read_description(model_folders.torch), TorchBackend.load(model_folders.torch, "cpu"))
    margin = estimator.description.crop.margin
    persons = boxed.persons.set_index("person_id")
    assert len(ids) >= 3
    for row, (person_id, box) in enumerate(zip(ids, boxed.crop_boxes.itertuples(), strict=True)):
        record = persons.loc[person_id]
        # The box is smaller than the training crop by the margin, so that its crop box is the training crop.
        side, grown = box.side / (1 + margin), (box.side - box.side / (1 + margin)) / 2
        image = folder.image_folder(source, record["source_split"]) / record["file_name"]
        poses = estimator.predict_one(image, [[box.left + grown, box.top + grown, side, side]])
        np.testing.assert_allclose(poses.joints[0], expected[row], atol=0.01)


@pytest.mark.parametrize("size_px", [32, (48, 32)])
def test_top_down_crops_the_annotated_box_alike_in_training_and_prediction(tiny_coco: Any, size_px: Any) -> None:
    folder, source = CocoFolder(tiny_coco.root), SourceOptions()
    options = CropOptions(rule="top_down", size_px=size_px, workers=1)
    found = read_annotations(folder, source)
    boxed = box_persons(found.persons, found.keypoints, options)
    persons = boxed.persons.set_index("person_id")
    for person_id, crop_from_image in zip(boxed.crop_boxes["person_id"], matrices_of(boxed.crop_boxes), strict=True):
        record = persons.loc[person_id]
        box = record[["bbox_x", "bbox_y", "bbox_w", "bbox_h"]].to_numpy(dtype=np.float64)
        image = np.zeros((record["image_h"], record["image_w"], 3), np.uint8)
        crops = crop_persons(image, box[None], options.recipe, options.crop_size)
        assert crops.crops.shape == (1, *options.crop_size, 3)
        np.testing.assert_allclose(crops.image_from_crop[0], invert_affine(crop_from_image), atol=1e-9)

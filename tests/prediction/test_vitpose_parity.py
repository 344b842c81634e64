"""Joints of the pipeline (rule `top_down`, warp, network `vitpose`, codec `gaussian`) against those of transformers.

`VitPoseImageProcessorPil` crops by another convention (`TopDown`): its crop is centred half an image px further to the right and
down, and is W / (W - 1) times as large. It resamples without averaging, and its DARK step has another mixed derivative, other
borders and no limit. The same crop therefore gives the same joints up to resampling and that step. The same annotated box gives
crops whose corners differ by up to 1.25 + width / 384 px of the image: half a px and width / 384 by the convention, the rest by
rounding to whole px.
"""

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import COCO_PERSON
from posescope.geometry.affine import apply_affine
from posescope.geometry.crop_recipe import CropRecipe
from posescope.prediction.person_crops import PersonCrops, crop_persons
from posescope.training.initialisation import build_untrained

transformers = pytest.importorskip("transformers")
vitpose_processing = pytest.importorskip("transformers.models.vitpose.image_processing_pil_vitpose")

CROP = (256, 192)
CODEC = ComponentSpec(name="gaussian", options={"alignment": "corners", "blur_sigma_heatmap_px": 0.8})
PERSONS = 24
Boxes = NDArray[np.float64]


@pytest.fixture(scope="module")
def processor() -> Any:
    return vitpose_processing.VitPoseImageProcessorPil()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the library's network with random weights, and the folder to which it is saved."""
    torch.manual_seed(0)
    backbone = transformers.VitPoseBackboneConfig(
        image_size=list(CROP), hidden_size=48, num_hidden_layers=3, num_attention_heads=4, out_indices=[3]
    )
    network = transformers.VitPoseForPoseEstimation(transformers.VitPoseConfig(backbone_config=backbone, num_labels=17)).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1:
                weight.mul_(4 if name.startswith("backbone") else 2)  # otherwise the image has little influence
        network.head.conv.weight.abs_()  # positive heatmaps, as DARK takes their logarithm
    folder = tmp_path_factory.mktemp("vitpose")
    network.save_pretrained(folder)
    return SimpleNamespace(network=network, folder=folder)


@pytest.fixture(scope="module")
def model(library: Any) -> PoseModel:
    spec = ComponentSpec(name="vitpose", options={"folder": str(library.folder)})
    crop = CropRecipe(rule=ComponentSpec(name="top_down"), padding_rgb=(0, 0, 0))
    return build_untrained(spec, CODEC, COCO_PERSON, CROP, (0.0, 0.0, 0.0), crop, seed=0)


def make_image() -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    return np.asarray(cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX), np.uint8)


def make_boxes(height: float) -> Boxes:
    """Return boxes in this project's convention, some of which reach beyond the image."""
    rng = np.random.default_rng(1)
    heights = rng.uniform(0.95, 1.05, PERSONS) * height
    widths = heights * rng.uniform(0.3, 0.75, PERSONS)
    left, top = rng.uniform(-20, 640 - widths), rng.uniform(-10, np.maximum(480 - heights, 1))
    return np.stack([left, top, widths, heights], axis=1)


def box_of_the_same_crop(crops: PersonCrops) -> Boxes:
    """Return COCO boxes for which the library's crop has the width and the centre of ours."""
    first, last = (apply_affine(crops.image_from_crop, [[x, y]])[:, 0] for x, y in ((0, 0), (CROP[1] - 1, CROP[0] - 1)))
    width = (last - first)[:, 0] / 1.25
    size = np.stack([width, width * 4 / 3], axis=1)
    return np.concatenate([(first + last - size) / 2, size], axis=1)


def library_crop_from_image(boxes: Boxes, joints: NDArray[np.float64]) -> NDArray[np.float64]:
    width = 1.25 * np.maximum(boxes[:, 2], 0.75 * boxes[:, 3])
    size = np.stack([width, width * 4 / 3], axis=1)
    first = boxes[:, :2] + boxes[:, 2:] / 2 - size / 2
    return (joints - first[:, None]) * (np.array(CROP[::-1]) - 1) / size[:, None]


def decode_by_library(processor: Any, heatmaps: torch.Tensor, boxes: Boxes) -> NDArray[np.float64]:
    poses = processor.post_process_pose_estimation(SimpleNamespace(heatmaps=heatmaps), boxes=[boxes.tolist()])[0]
    return np.stack([pose["keypoints"].numpy() for pose in poses]).astype(np.float64)


def test_decoding_of_gaussians_equals_the_library(model: PoseModel, processor: Any) -> None:
    rng = np.random.default_rng(2)
    joints = torch.from_numpy(rng.uniform(20, [171, 235], (PERSONS, 17, 2)).astype(np.float32))
    heatmaps = 0.6 * model.codec.encode(joints, torch.full((PERSONS, 17), 2)).heatmaps
    boxes = np.tile([100.0, 100.0, 153.6, 204.8], (PERSONS, 1))
    theirs = library_crop_from_image(boxes, decode_by_library(processor, heatmaps, boxes))
    np.testing.assert_allclose(model.codec.decode(heatmaps).joints.numpy(), theirs, atol=1e-3)
    np.testing.assert_allclose(theirs, joints.numpy(), atol=1e-3)
    noisy = heatmaps + torch.from_numpy(rng.normal(0, 0.02, heatmaps.shape).astype(np.float32))
    theirs = library_crop_from_image(boxes, decode_by_library(processor, noisy, boxes))
    assert np.quantile(np.abs(model.codec.decode(noisy).joints.numpy() - theirs), 0.99) < 0.1


@pytest.mark.parametrize("height", [100, 200])  # enlarged twice, and nearly of the size of the crop
def test_joints_of_the_same_crop_equal_the_library(model: PoseModel, library: Any, processor: Any, height: float) -> None:
    image = make_image()
    crops = crop_persons(image, make_boxes(height), model.crop, CROP)
    heatmaps = model.heatmaps(torch.from_numpy(crops.crops))
    boxes = box_of_the_same_crop(crops)
    inputs = processor(images=[image], boxes=[boxes.tolist()], return_tensors="pt")
    with torch.no_grad():
        found = library.network(**inputs).heatmaps
    assert np.corrcoef(heatmaps.numpy().ravel(), found.numpy().ravel())[0, 1] > 0.998

    theirs = decode_by_library(processor, found, boxes)
    peaks = found.flatten(2).argmax(dim=2)
    same = (heatmaps.flatten(2).argmax(dim=2) == peaks).numpy()
    assert same.mean() > 0.7  # random heatmaps have several equally high peaks
    places = np.stack([peaks % 48, peaks // 48], axis=-1) * [191 / 47, 255 / 63]
    stepped = np.abs(library_crop_from_image(boxes, theirs) - places).max(axis=-1) < 4  # at most 1 heatmap px: a regular peak
    compared = same & stepped
    assert compared.sum() > 100
    ours = crops.to_image(model.codec.decode(heatmaps).joints.numpy())
    difference = ((ours - theirs) / crops.image_px_per_crop_px[:, None, None])[compared]  # crop px
    assert np.median(np.abs(difference)) < 0.15
    np.testing.assert_allclose(difference.mean(axis=0), 0, atol=0.1)  # half a px would be a shift of 0.5


@pytest.mark.parametrize("height", [60, 200, 400])
def test_crops_of_the_same_box_differ_by_the_convention_and_by_rounding(model: PoseModel, height: float) -> None:
    boxes = make_boxes(height)
    crops = crop_persons(make_image(), boxes, model.crop, CROP)
    corners = np.array([[0.0, 0.0], [191.0, 255.0], [95.5, 127.5]])
    ours = crops.to_image(np.broadcast_to(corners, (PERSONS, 3, 2)))
    crop_width = 1.25 * np.maximum(0.75 * boxes[:, 3], boxes[:, 2])  # of the crop box, px
    theirs = []
    for x, y, width, box_height in boxes + np.array([0.5, 0.5, 0, 0]):
        centre, scale = vitpose_processing.box_to_center_and_scale((x, y, width, box_height), CROP[1], CROP[0])
        matrix = vitpose_processing.get_warp_matrix(0, centre * 2.0, np.array(CROP[::-1]) - 1.0, scale * 200.0)
        theirs.append(apply_affine(np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2], corners))
    difference = np.abs(ours - np.array(theirs))
    assert (difference[:, 2] <= 1.01).all()  # centre: half a px by convention, at most half by rounding
    assert (difference <= (1.26 + crop_width / 384)[:, None, None]).all()
    assert difference[:, 2].mean() > 0.3

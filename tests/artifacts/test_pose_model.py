"""Tests of posescope.artifacts.pose_model: normalised input, heatmaps, joints, flip test."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from posescope.artifacts.pose_model import PoseModel, normalise_images
from posescope.codecs.gaussian import GaussianCodec, GaussianOptions
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import Skeleton
from posescope.geometry.crop_recipe import CropRecipe
from posescope.models.base import PoseNetwork

SKELETON = Skeleton(joints=("left_dot", "right_dot", "nose"), limbs=(), oks_sigmas=(0.1,) * 3)


class Mirror(PoseNetwork):
    """Network whose heatmaps are the channels averaged over 4 x 4 px; its first stack is zero and must not be used."""

    def __init__(self) -> None:
        super().__init__()
        self.map_size = (4, 6)
        self.input = nn.Identity()
        self.gain = nn.Parameter(torch.ones(()))
        self.drop = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = nn.functional.avg_pool2d(self.drop(self.input(images)), 4) * self.gain
        return [torch.zeros_like(maps), maps]


@pytest.fixture
def model():
    return PoseModel(
        network=Mirror().train(),
        codec=GaussianCodec(GaussianOptions(decoder="argmax", stride=4), crop_size=(16, 24), joint_count=3),
        skeleton=SKELETON,
        crop_size=(16, 24),
        mean_rgb=(0.0, 0.0, 0.0),
        model_spec=ComponentSpec(name="mirror"),
        codec_spec=ComponentSpec(name="gaussian"),
        crop=CropRecipe(rule=ComponentSpec(name="centred_square")),
    )


def dots(*places):
    """Return a black crop of 16 x 24 px with full heatmap px (channel, row, column)."""
    image = torch.zeros(1, 16, 24, 3, dtype=torch.uint8)
    for channel, row, column in places:
        image[0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4, channel] = 255
    return image


def test_normalising_by_hand():
    images = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)
    found = normalise_images(images, (0.5, 0.1, 0.25))
    # 0 - 0.5, 51 / 255 - 0.1 = 0.2 - 0.1, 1 - 0.25
    torch.testing.assert_close(found, torch.tensor([-0.5, 0.1, 0.75]).reshape(1, 3, 1, 1))
    assert found.dtype == torch.float32
    assert normalise_images(torch.zeros(0, 4, 6, 3, dtype=torch.uint8), (0, 0, 0)).shape == (0, 3, 4, 6)


def test_normalising_keeps_rows_and_columns():
    images = torch.zeros(1, 2, 3, 3, dtype=torch.uint8)
    images[0, 1, 2, 0] = 255
    assert normalise_images(images, (0, 0, 0))[0, 0].tolist() == [[0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_normalised_images_are_value_over_255_less_the_mean_to_the_bit(threads: int, count: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    images = torch.randint(0, 256, (7, 12, 10, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))[:count]
    found = normalise_images(images, (0.4, 0.3, 0.2))
    torch.set_num_threads(before)
    expected = (images.float() / 255 - torch.tensor([0.4, 0.3, 0.2])).permute(0, 3, 1, 2)
    assert torch.equal(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_heatmaps_are_the_last_stacks_in_evaluation_mode_without_gradient(model):
    maps = model.heatmaps(dots((0, 1, 2)))
    assert maps.shape == (1, 3, 4, 6)
    # With dropout the value would be 0 or 2.
    assert maps[0, 0, 1, 2] == 1
    assert maps.sum() == 1
    assert not maps.requires_grad


@pytest.mark.parametrize("part", [None, "drop"])
def test_network_or_module_left_in_training_mode_predicts_in_evaluation_mode(model, part) -> None:
    images = torch.randint(0, 256, (2, 16, 24, 3), dtype=torch.uint8)
    expected = model.heatmaps(images)
    (model.network if part is None else getattr(model.network, part)).train()
    torch.testing.assert_close(model.heatmaps(images), expected, rtol=0, atol=0)
    assert not any(module.training for module in model.network.modules())


def test_mean_colour_is_subtracted(model):
    maps = replace(model, mean_rgb=(0.25, 0.5, 0.75)).heatmaps(dots())
    torch.testing.assert_close(maps[0, :, 0, 0], torch.tensor([-0.25, -0.5, -0.75]))


def test_predict_by_hand(model):
    found = model.predict(dots((0, 1, 2), (1, 3, 0), (2, 0, 5)))
    # The centre of heatmap px c is crop px (c + 0.5) * 4 - 0.5.
    assert found.joints.tolist() == [[[9.5, 5.5], [1.5, 13.5], [21.5, 1.5]]]
    assert found.scores.tolist() == [[1, 1, 1]]


def test_no_crops_have_no_joints(model):
    assert model.predict(torch.zeros(0, 16, 24, 3, dtype=torch.uint8), flip_test=True).joints.shape == (0, 3, 2)


def test_flip_test_averages_with_the_mirrored_pass(model):
    # The network detects colours, not sides. In the mirrored pass the red dot is still joint 0, which is the right joint of
    # the original person, so that half of the red heatmap is added to joint 1 at the same position, and likewise green.
    maps = model.heatmaps(dots((0, 1, 2), (1, 3, 0), (2, 0, 5)), flip_test=True)
    expected = torch.zeros(3, 4, 6)
    expected[0, 1, 2] = expected[1, 1, 2] = expected[1, 3, 0] = expected[0, 3, 0] = 0.5
    expected[2, 0, 5] = 1  # the nose has no flip partner
    torch.testing.assert_close(maps[0], expected)


def test_flip_test_of_a_mirrored_person_is_the_mirrored_answer(model):
    image = torch.randint(0, 256, (2, 16, 24, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    straight = model.heatmaps(image, flip_test=True)
    mirrored = model.heatmaps(image.flip(2), flip_test=True)
    torch.testing.assert_close(mirrored, straight[:, [1, 0, 2]].flip(-1))


def test_interventions_reach_the_network(model):
    assert model.heatmaps(dots((0, 1, 2)), interventions={"input": lambda value: value * 3})[0, 0, 1, 2] == 3


def test_interventions_and_the_flip_test_exclude_each_other(model):
    with pytest.raises(ValueError, match="flip_test"):
        model.heatmaps(dots(), interventions={"input": torch.zeros_like}, flip_test=True)


def test_moving_to_a_device_keeps_the_rest(model):
    moved = model.to(torch.device("cpu"))
    assert moved.device == torch.device("cpu")
    assert moved.skeleton is model.skeleton

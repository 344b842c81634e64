"""Tests of posescope.training.parts."""

import pytest
import torch

from posescope.artifacts.pose_model import normalise_images
from posescope.plugins import ComponentSpec, build
from posescope.training import parts
from posescope.training.parts import encode_in_parts, normalise_in_parts

IMAGES = torch.randint(0, 256, (7, 12, 10, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
MEAN = (0.4, 0.3, 0.2)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_parts_make_the_same_bits_as_the_whole(threads: int, count: int) -> None:
    torch.set_num_threads(threads)
    found, expected = normalise_in_parts(IMAGES[:count], MEAN), normalise_images(IMAGES[:count], MEAN)
    assert torch.equal(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["gaussian", "thesis", "thesis_256"])
def test_maps_in_parts_are_the_same_bits(name: str) -> None:
    torch.set_num_threads(2)
    codec = build("codecs", ComponentSpec(name=name), crop_size=(64, 64), joint_count=5)
    joints = 64 * torch.rand(19, 5, 2, generator=torch.Generator().manual_seed(1))
    visibility = (torch.arange(19 * 5).view(19, 5) % 3).to(torch.uint8)
    joints[visibility == 0] = torch.nan
    found, expected = encode_in_parts(codec, joints, visibility), codec.encode(joints, visibility)
    assert torch.equal(found.heatmaps, expected.heatmaps)
    assert torch.equal(found.weights, expected.weights)


def test_more_persons_at_once_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PERSONS_AT_ONCE", 100)
    assert torch.equal(normalise_in_parts(IMAGES, MEAN), normalise_images(IMAGES, MEAN))

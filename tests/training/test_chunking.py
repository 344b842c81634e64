"""Tests of posescope.training.chunking."""

import pytest
import torch

from posescope.core.plugins import ComponentSpec, build
from posescope.training.chunking import encode_in_chunks


@pytest.mark.parametrize("name", ["gaussian", "thesis", "thesis_256"])
def test_heatmaps_in_chunks_are_identical(name: str) -> None:
    torch.set_num_threads(2)
    codec = build("codecs", ComponentSpec(name=name), crop_size=(64, 64), joint_count=5)
    joints = 64 * torch.rand(19, 5, 2, generator=torch.Generator().manual_seed(1))
    visibility = (torch.arange(19 * 5).view(19, 5) % 3).to(torch.uint8)
    joints[visibility == 0] = torch.nan
    found, expected = encode_in_chunks(codec, joints, visibility), codec.encode(joints, visibility)
    assert torch.equal(found.heatmaps, expected.heatmaps)
    assert torch.equal(found.weights, expected.weights)

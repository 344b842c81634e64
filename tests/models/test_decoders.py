"""Tests of posescope.models.decoders."""

import pytest
import torch
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.models.decoders import Deconvolution, FeaturePyramid, name_levels


def maps_of(channels: list[int], strides: list[int], size: tuple[int, int]) -> list[Tensor]:
    return [torch.randn(2, count, size[0] // stride, size[1] // stride) for count, stride in zip(channels, strides, strict=True)]


@torch.no_grad()
def make_identity_pyramid(levels: int, strides: list[int], stride: int) -> FeaturePyramid:
    """A pyramid of one channel whose convolutions, lateral and 3x3, return their input."""
    pyramid = FeaturePyramid([1] * levels, strides, 1, stride).eval()
    for module in pyramid.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.zero_()
            module.weight[0, 0, module.kernel_size[0] // 2, module.kernel_size[1] // 2] = 1
            if module.bias is not None:
                module.bias.zero_()
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
    return pyramid


def test_fusion_by_hand() -> None:
    coarse, fine = torch.tensor([[1.0, 2], [3, 4]]), torch.arange(16.0).reshape(4, 4)
    found = make_identity_pyramid(2, [4, 8], 4)([fine[None, None], coarse[None, None]])
    expected = [[0 + 1, 1 + 1, 2 + 2, 3 + 2], [4 + 1, 5 + 1, 6 + 2, 7 + 2], [8 + 3, 9 + 3, 10 + 4, 11 + 4], [15, 16, 18, 19]]
    assert found[0, 0].tolist() == expected


def test_fused_values_below_zero_are_cut() -> None:
    found = make_identity_pyramid(2, [4, 8], 4)([torch.full((1, 1, 2, 2), -5.0), torch.full((1, 1, 1, 1), 3.0)])
    assert found.tolist() == [[[[0, 0], [0, 0]]]]


def test_maps_of_one_stride_are_added() -> None:
    maps = [torch.full((1, 1, 1, 1), value) for value in (1.0, 2.0, 4.0)]
    assert make_identity_pyramid(3, [16, 16, 16], 4)(maps).tolist() == [[[[7.0] * 4] * 4]]


@pytest.mark.parametrize(
    ("strides", "stride", "size"),
    [([4, 8, 16, 32], 4, (64, 96)), ([8, 32], 4, (64, 32)), ([14, 14], 4, (56, 84)), ([16], 2, (32, 48)), ([4, 8], 4, (8, 16))],
)
def test_pyramid_has_the_size_of_the_heatmaps(strides: list[int], stride: int, size: tuple[int, int]) -> None:
    channels = [5 + index for index in range(len(strides))]
    features = FeaturePyramid(channels, strides, 6, stride)(maps_of(channels, strides, size))
    assert tuple(features.shape) == (2, 6, size[0] // stride, size[1] // stride)


def test_all_maps_and_weights_of_the_pyramid_count() -> None:
    pyramid, maps = FeaturePyramid([3, 4, 5], [4, 8, 16], 6, 4), maps_of([3, 4, 5], [4, 8, 16], (32, 32))
    for item in maps:
        item.requires_grad_()
    pyramid(maps).square().mean().backward()
    assert all(item.grad is not None and item.grad.abs().max() > 0 for item in maps)
    assert [name for name, p in pyramid.named_parameters() if p.grad is None] == []


def test_layers_of_the_pyramid_are_in_the_order_of_the_pass() -> None:
    pyramid = FeaturePyramid([3, 4, 5], [8, 16, 16], 6, 4)
    assert list(pyramid.layers) == ["lateral16_2", "lateral16_1", "fused16_1", "lateral8", "fused8", "up1"]
    assert pyramid.skips == ("lateral8", "lateral16_1")
    for path in pyramid.layers.values():
        pyramid.get_submodule(path)


def test_map_that_is_finer_than_the_heatmaps_is_refused() -> None:
    with pytest.raises(OptionsError, match="stride 2 px"):
        FeaturePyramid([3, 4], [2, 4], 6, 4)


def test_three_deconvolutions_lead_from_stride_32_to_stride_4() -> None:
    decoder = Deconvolution([3, 7], [4, 32], 6, 4)
    shapes = [(conv.in_channels, conv.out_channels) for conv in decoder.modules() if isinstance(conv, nn.ConvTranspose2d)]
    assert shapes == [(7, 6), (6, 6), (6, 6)]
    assert list(decoder.layers) == ["up1", "up2", "up3"]
    assert tuple(decoder(maps_of([3, 7], [4, 32], (64, 96))).shape) == (2, 6, 16, 24)


def test_deconvolution_reads_the_coarsest_map_only() -> None:
    decoder, maps = Deconvolution([3, 7], [8, 16], 6, 4).eval(), maps_of([3, 7], [8, 16], (32, 32))
    assert torch.equal(decoder(maps), decoder([torch.zeros_like(maps[0]), maps[1]]))
    assert decoder.skips == ()


@pytest.mark.parametrize("strides", [[14], [4], [2], [8, 12]])
def test_stride_that_is_no_power_of_two_of_the_heatmaps_is_refused(strides: list[int]) -> None:
    with pytest.raises(OptionsError, match="deconvolution"):
        Deconvolution([3] * len(strides), strides, 6, 4)


def test_names_of_levels() -> None:
    assert name_levels([4, 8, 32]) == ["4", "8", "32"]
    assert name_levels([16, 16]) == ["16_1", "16_2"]

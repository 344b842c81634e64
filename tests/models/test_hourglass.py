"""Tests of posescope.models.hourglass."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.models.conftest import run
from torch import Tensor, nn

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build, check_options
from posescope.models.complexity import count_macs, count_parameters
from posescope.models.hourglass import Hourglass, HourglassOptions
from posescope.models.layers import bottleneck_layers, intervene

SMALL = {"channels": 8, "depth": 2, "bottleneck_residuals": 1}


def make(crop_size: tuple[int, int] = (32, 48), joints: int = 5, **options: Any) -> Hourglass:
    torch.manual_seed(0)
    return Hourglass(HourglassOptions(**{**SMALL, **options}), crop_size, joints)


def test_study_network_has_the_published_size() -> None:
    study = Hourglass(HourglassOptions(residual_skip="3x3", head="thesis"), (256, 256), 17)
    assert count_parameters(study) == 14_526_053
    assert count_macs(study, (256, 256)) / 1e9 == pytest.approx(30.2, abs=0.05)


def test_study_network_with_identity_paths_has_the_published_size() -> None:
    study = Hourglass(HourglassOptions(head="thesis"), (256, 256), 17)
    assert count_parameters(study) / 1e6 == pytest.approx(3.9, abs=0.05)
    assert count_macs(study, (256, 256)) / 1e9 == pytest.approx(8.5, abs=0.05)


@pytest.mark.parametrize(
    "options",
    [{}, {"stacks": 3}, {"stacks": 2, "head": "thesis"}, {"skip": "identity"}, {"skip": "none"}, {"stem_channels": 4}],
)
def test_heatmaps_of_all_stacks_are_a_quarter_of_the_crop(options: dict[str, Any]) -> None:
    network = make(**options)
    outputs = network(torch.randn(2, 3, 32, 48))
    assert network.map_size == (8, 12)
    assert [tuple(output.shape) for output in outputs] == [(2, 5, 8, 12)] * options.get("stacks", 1)


def test_all_parameters_of_all_stacks_have_gradients() -> None:
    network = make(stacks=2)
    sum(output.square().mean() for output in network(torch.randn(2, 3, 32, 48))).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_last_stack_depends_on_the_heatmaps_of_the_first() -> None:
    network = make(stacks=2).eval()
    images = torch.randn(1, 3, 32, 48)
    before = network(images)
    torch.nn.init.normal_(network.merge_heatmaps[0].weight, std=3.0)
    after = network(images)
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1])


@pytest.mark.parametrize("skip", ["residual", "identity", "none"])
def test_reading_interventions_are_called_in_the_order_of_short_names(skip: str) -> None:
    network, met = make(stacks=2, skip=skip).eval(), []

    def reader(name: str) -> Any:
        def read(value: Tensor) -> Tensor:
            met.append((name, tuple(value.shape[2:])))
            return value

        return read

    images = torch.randn(1, 3, 32, 48)
    edited = run(network, images, {name: reader(name) for name in network.short_names})
    assert [name for name, _ in met] == list(network.short_names)
    assert torch.equal(edited[-1], network(images)[-1])
    sizes = dict(met)
    assert sizes["stack1.level1"] == (4, 6)
    assert sizes["stack1.level2"] == sizes["stack1.bottleneck"] == (2, 3)
    assert sizes["stack2.up1"] == (8, 12)


@pytest.mark.parametrize("layer", ["stack1.skip1", "stack1.level2", "stack1.bottleneck", "stack1.up2", "stack1.up1"])
def test_intervention_of_each_layer_is_applied(layer: str) -> None:
    network, images = make().eval(), torch.randn(1, 3, 32, 48)
    assert not torch.allclose(network(images)[-1], run(network, images, {layer: torch.zeros_like})[-1])


def test_zeroed_skips_equal_a_network_without_skips() -> None:
    with_skips, without = make().eval(), make(skip="none").eval()
    weights = {name: value for name, value in with_skips.state_dict().items() if ".skips." not in name}
    without.load_state_dict(weights)
    images = torch.randn(1, 3, 32, 48)
    zeroed = run(with_skips, images, dict.fromkeys(with_skips.skip_layers, torch.zeros_like))
    assert torch.equal(zeroed[-1], without(images)[-1])


def test_bottleneck_and_skip_layers() -> None:
    network = make(stacks=2)
    assert network.skip_layers == ("stack1.skip1", "stack1.skip2", "stack2.skip1", "stack2.skip2")
    assert network.bottleneck_layer == "stack2.bottleneck"
    assert bottleneck_layers(network) == ("stack1.bottleneck", "stack2.bottleneck")
    assert network.module_path("stack2.up1") == "hourglasses.1.ups.0"
    assert make(skip="none").skip_layers == ()


def test_crop_of_unsuitable_size_is_refused() -> None:
    with pytest.raises(OptionsError, match=r"\b16\b.*32x40"):
        make((32, 40))


def test_option_out_of_bounds_is_named() -> None:
    with pytest.raises(OptionsError, match="stacks"):
        build("models", ComponentSpec(name="hourglass", options={"stacks": 9}), crop_size=(64, 64), joint_count=3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # As released: 352,640 + 8 * (2,788,864 + 70,416) + 7 * 70,144.
        ({"stem_channels": (64, 128, 128), "head_residual": False}, 23_717_888),
        # As in common PyTorch ports: 513,152 + 8 * (2,788,864 + 214,528 + 70,416) + 7 * 70,144.
        ({"stem_channels": (64, 128, 256)}, 25_594_624),
    ],
)
def test_newells_network_has_its_published_size(options: dict[str, Any], expected: int) -> None:
    # A residual has 214,528 parameters, an hourglass 13 of them; a head 65,792 + 512 + 4,112; between two stacks 65,792 +
    # 4,352. Stem: 9,472 + 128 + (64->128) 58,112, then (128->128) 54,016 + (128->256) 230,912, or 230,912 + 214,528.
    newell = Hourglass(HourglassOptions(stacks=8, bottleneck_residuals=2, **options), (256, 256), 16)
    assert count_parameters(newell) == expected


def test_stem_channels_are_those_of_the_options() -> None:
    stem = make(stem_channels=(4, 6, 10)).stem
    assert stem.conv.out_channels == 4
    assert [stem.residual1.conv3.out_channels, stem.residual2.conv3.out_channels, stem.residual3.conv3.out_channels] == [6, 10, 8]


@pytest.mark.parametrize("value", [3, 5, [4, 6], [4, 6, 7], "wide"])
def test_invalid_stem_channels_are_refused(value: object) -> None:
    with pytest.raises(OptionsError, match="stem_channels"):
        check_options("models", ComponentSpec(name="hourglass", options={"stem_channels": value}))


def test_gradients_flow_to_earlier_stacks_only() -> None:
    network, images = make(stacks=2), torch.randn(2, 3, 32, 48)
    network(images)[-1].square().mean().backward()
    assert network.heads[0].project.weight.grad.any(), "through the heatmaps that the second stack reads"
    assert network.stem.conv.weight.grad.any()
    network.zero_grad()
    network(images)[0].square().mean().backward()
    assert network.heads[0].project.weight.grad.any()
    later = [network.hourglasses[1], network.heads[1], network.merge_features, network.merge_heatmaps]
    assert all(p.grad is None for module in later for p in module.parameters())


@pytest.mark.parametrize("options", [{}, {"skip": "none"}])
def test_all_stacks_overfit_one_batch(options: dict[str, Any]) -> None:
    network = make((32, 32), stacks=2, channels=16, **options)
    torch.manual_seed(0)
    images, px = torch.randn(2, 3, 32, 32), torch.randint(0, 8 * 8, (2, 5))
    row, column = (axis.float() for axis in torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij"))
    squared = (column - (px % 8)[..., None, None]) ** 2 + (row - (px // 8)[..., None, None]) ** 2
    targets = torch.exp(-squared / 2)  # peaks of 1 with a sigma of one px
    zero_loss = 2 * targets.square().mean().item()  # loss of zero heatmaps of both stacks
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(400):
        outputs = network(images)
        loss = torch.stack([(output - targets).square().mean() for output in outputs]).sum()
        if loss.item() < 0.05 * zero_loss:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05 * zero_loss
    for output in outputs:
        peaks = output.flatten(2).argmax(dim=2)
        # The px beside the peak has 0.6 of it: the error is below that for each joint of each image.
        assert torch.hypot((peaks % 8 - px % 8).float(), (peaks // 8 - px // 8).float()).max() <= 1


@pytest.mark.parametrize("stack", [1, 2, None])
@pytest.mark.parametrize("skip", ["residual", "identity", "none"])
def test_resumed_pass_equals_forward(skip: str, stack: int | None) -> None:
    network, images = make(stacks=2, skip=skip).eval(), torch.randn(2, 3, 32, 48)
    paused = network.pause(images, stack)
    assert paused.stack == (stack or 2)
    assert paused.bottleneck.shape == (2, 8, 2, 3)
    assert all(torch.equal(a, b) for a, b in zip(network.resume(paused), network(images), strict=True))


@pytest.mark.parametrize("stack", [1, 2])
def test_resuming_computes_nothing_before_the_bottleneck(stack: int) -> None:
    network = make(stacks=2).eval()
    paused, called = network.pause(torch.randn(2, 3, 32, 48), stack), []
    for name, module in network.named_modules():
        module.register_forward_hook(lambda *_, name=name: called.append(name))
    network.resume(paused)
    assert "hourglasses.1.ups.1" in called
    earlier = ("stem", f"hourglasses.{stack - 1}.skips", f"hourglasses.{stack - 1}.downs", f"hourglasses.{stack - 1}.bottleneck")
    assert [name for name in called if name.startswith(earlier)] == []
    assert ("heads.0" in called) == (stack == 1)


def test_replaced_module_is_used() -> None:
    network = Hourglass(HourglassOptions(stacks=2, channels=8, depth=1, bottleneck_residuals=1), (16, 16), 3)
    images = torch.randn(1, 3, 16, 16)
    for exchanged in (network.heads, network.hourglasses):
        before = network(images)
        exchanged[0] = copy.deepcopy(exchanged[0])
        for weight in exchanged[0].parameters():
            nn.init.constant_(weight, 0.1)
        assert all(not torch.equal(*pair) for pair in zip(before, network(images), strict=True))


def test_many_bottlenecks_share_the_skips_of_one_image() -> None:
    network, image, values = make(stacks=2).eval(), torch.randn(1, 3, 32, 48), torch.randn(4, 8, 2, 3)
    resumed = network.resume(replace(network.pause(image), bottleneck=values))
    edited = run(network, image.expand(4, -1, -1, -1), {"stack2.bottleneck": lambda _: values})
    assert resumed[-1].shape == (4, 5, 8, 12)
    torch.testing.assert_close(resumed[-1], edited[-1])


def test_interventions_have_an_effect_in_their_part_of_the_pass_only() -> None:
    network, images = make(stacks=2).eval(), torch.randn(2, 3, 32, 48)
    interventions = {"stack1.skip1": torch.zeros_like, "stack1.bottleneck": torch.neg, "stack2.skip2": torch.zeros_like}
    with intervene(network, interventions, whole_pass=False):
        paused = network.pause(images, 1)
    with intervene(network, interventions, whole_pass=False):
        resumed = network.resume(paused)
    assert torch.equal(resumed[-1], run(network, images, interventions)[-1])


@pytest.mark.parametrize("stack", [0, 3])
def test_unknown_stack_is_refused(stack: int) -> None:
    with pytest.raises(OptionsError, match=rf"\b2 stacks.*stack {stack}\b"):
        make(stacks=2).pause(torch.zeros(1, 3, 32, 48), stack)

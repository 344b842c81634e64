"""Tests of posescope.models.hourglass."""

from typing import Any

import pytest
import torch
from torch import Tensor

from posescope.errors import OptionsError
from posescope.models.counting import count_macs, count_parameters
from posescope.models.hourglass import Hourglass, HourglassOptions
from posescope.plugins import ComponentSpec, build

SMALL = {"channels": 8, "depth": 2, "bottleneck_residuals": 1}


def make(crop_size: tuple[int, int] = (32, 48), joints: int = 5, **options: Any) -> Hourglass:
    torch.manual_seed(0)
    return Hourglass(HourglassOptions(**{**SMALL, **options}), crop_size, joints)


def test_the_study_has_its_published_size() -> None:
    study = Hourglass(HourglassOptions(residual_skip="3x3", head="thesis"), (256, 256), 17)
    assert count_parameters(study) == 14_526_053
    assert count_macs(study, (256, 256)) / 1e9 == pytest.approx(30.2, abs=0.05)


def test_the_study_with_identity_paths_has_its_published_size() -> None:
    study = Hourglass(HourglassOptions(head="thesis"), (256, 256), 17)
    assert count_parameters(study) / 1e6 == pytest.approx(3.9, abs=0.05)
    assert count_macs(study, (256, 256)) / 1e9 == pytest.approx(8.5, abs=0.05)


@pytest.mark.parametrize(
    "options",
    [{}, {"stacks": 3}, {"stacks": 2, "head": "thesis"}, {"skip": "identity"}, {"skip": "none"}, {"stem_channels": 4}],
)
def test_every_stack_puts_out_a_quarter_of_the_crop(options: dict[str, Any]) -> None:
    network = make(**options)
    outputs = network(torch.randn(2, 3, 32, 48))
    assert network.map_size == (8, 12)
    assert [tuple(output.shape) for output in outputs] == [(2, 5, 8, 12)] * options.get("stacks", 1)


def test_every_parameter_of_every_stack_gets_a_gradient() -> None:
    network = make(stacks=2)
    sum(output.square().mean() for output in network(torch.randn(2, 3, 32, 48))).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_the_last_stack_depends_on_the_heatmaps_of_the_first() -> None:
    network = make(stacks=2).eval()
    images = torch.randn(1, 3, 32, 48)
    before = network(images)
    torch.nn.init.normal_(network.merge_heatmaps[0].weight, std=3.0)
    after = network(images)
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1])


@pytest.mark.parametrize("skip", ["residual", "identity", "none"])
def test_reading_edits_are_called_in_the_order_of_the_tap_names_and_change_nothing(skip: str) -> None:
    network, met = make(stacks=2, skip=skip).eval(), []

    def reader(name: str) -> Any:
        def read(value: Tensor) -> Tensor:
            met.append((name, tuple(value.shape[2:])))
            return value

        return read

    images = torch.randn(1, 3, 32, 48)
    edited = network(images, {name: reader(name) for name in network.tap_names})
    assert tuple(name for name, _ in met) == network.tap_names
    assert torch.equal(edited[-1], network(images)[-1])
    sizes = dict(met)
    assert sizes["stack1.level1"] == (4, 6)
    assert sizes["stack1.level2"] == sizes["stack1.bottleneck"] == (2, 3)
    assert sizes["stack2.up1"] == (8, 12)


@pytest.mark.parametrize("tap", ["stack1.skip1", "stack1.level2", "stack1.bottleneck", "stack1.up2", "stack1.up1"])
def test_every_tap_applies_its_edit(tap: str) -> None:
    network, images = make().eval(), torch.randn(1, 3, 32, 48)
    assert not torch.allclose(network(images)[-1], network(images, {tap: torch.zeros_like})[-1])


def test_silenced_skips_are_a_network_without_skips() -> None:
    with_skips, without = make().eval(), make(skip="none").eval()
    kept = {name: value for name, value in with_skips.state_dict().items() if ".skips." not in name}
    without.load_state_dict(kept)
    images = torch.randn(1, 3, 32, 48)
    silenced = with_skips(images, dict.fromkeys(with_skips.skip_taps, torch.zeros_like))
    assert torch.equal(silenced[-1], without(images)[-1])


def test_names_of_special_taps() -> None:
    network = make(stacks=2)
    assert network.skip_taps == ("stack1.skip1", "stack1.skip2", "stack2.skip1", "stack2.skip2")
    assert network.bottleneck_tap == "stack2.bottleneck"
    assert network.bottleneck_tap in network.tap_names
    assert make(skip="none").skip_taps == ()


def test_an_edit_at_no_tap_is_refused_and_the_taps_are_listed() -> None:
    with pytest.raises(OptionsError, match=r"no tap stack1\.skip9.*stack1\.skip1"):
        make()(torch.zeros(1, 3, 32, 48), {"stack1.skip9": torch.zeros_like})


def test_a_crop_that_cannot_be_halved_often_enough_is_refused() -> None:
    with pytest.raises(OptionsError, match="multiples of 16 px, found 32x40"):
        make((32, 40))


def test_an_option_out_of_bounds_is_named() -> None:
    with pytest.raises(OptionsError, match="stacks"):
        build("models", ComponentSpec(name="hourglass", options={"stacks": 9}), crop_size=(64, 64), joint_count=3)

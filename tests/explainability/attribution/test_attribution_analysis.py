"""Attribution of networks that are known to look at one thing: the joint, the background, the other side, or nothing learned."""

import builtins
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.explainability.conftest import SIDE, TOY_SKELETON, crop_set, dots_image
from torch import Tensor, nn

from posescope.core.plugins import ComponentSpec, build
from posescope.explainability.attribution.attribution_analysis import Attribution, AttributionOptions
from posescope.explainability.attribution.attribution_maps import (
    HeatmapValues,
    MissingCaptumError,
    attribute_gradients,
    attribute_occlusion,
    freeze,
    load_captum,
    randomise_weights,
)
from posescope.explainability.attribution.explained_joints import choose_joints, patch_nearness, select_explained_joints
from posescope.explainability.errors import ExplainabilityError
from posescope.models.base import PoseNetwork

# Few, and coarse, but enough: a pass of these networks costs nothing.
QUICK = {
    "persons": 10, "control_persons": 5, "control_steps": 4, "steps": 8, "window": 0.125, "stride": 1.0, "patches": 8,
    "fractions": (0.1, 0.4), "resamples": 100, "shown": 1,
}  # fmt: skip


class LookingNetwork(PoseNetwork):
    """Every cell of every heatmap reads every colour of every cell: what it looks at is a matter of its weights alone.

    `here`: joint 0 is where red is, joint 1 where blue is. `corner`: the same, but the height of joint 0 is told by the green of
    the lower left corner. `mirror`: it is told by red here and by blue wherever that is. None: random weights.
    """

    def __init__(self, look: str | None) -> None:
        super().__init__()
        self.map_size, self.layer_names = (8, 8), ("bottleneck",)
        self.bottleneck_layer, self.skip_layers = "bottleneck", ()
        self.read = nn.Linear(3 * 64, 2 * 64)
        if look is not None:
            with torch.no_grad():
                self.read.weight.copy_(weights_of(look).reshape(2 * 64, 3 * 64))
                self.read.bias.zero_()

    def forward(self, images: Tensor, interventions=None) -> list[Tensor]:
        cells = F.avg_pool2d(images, 4)
        cells = interventions["bottleneck"](cells) if interventions else cells
        return [self.read(cells.flatten(1)).view(-1, 2, 8, 8)]


def weights_of(look: str) -> Tensor:
    """(joint, cell, colour, cell)."""
    weights, cells = torch.zeros(2, 64, 3, 64), torch.arange(64)
    weights[0, cells, 0, cells] = 0.01 if look == "corner" else 1.0
    weights[1, cells, 2, cells] = 1.0
    if look == "corner":
        weights[0, :, 1, 7 * 8] = 1.0
    if look == "mirror":
        weights[0, :, 2, :] = 1.0
    return weights


def people(count: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Red left, blue right, both in the upper half, labelled; a green spot in the lower left corner, and green dust."""
    rng = np.random.default_rng(0)
    cells = np.stack([rng.integers(0, 3, (count, 2)), rng.integers(0, 3, (count, 2)) + np.array([5, 0])], axis=1)
    dust = rng.integers(0, 8, (count, 6, 2))
    spots = [[(1, *place, 0.1) for place in own] for own in dust]
    images = [
        dots_image([*own, (0, *red, 1.0), (2, *blue, 1.0), (1, 0, 7, 1.0)]) for own, (red, blue) in zip(spots, cells, strict=True)
    ]
    return np.stack(images), (cells + 0.5) * 4 - 0.5


def looking(model, look: str | None):
    return replace(model, network=LookingNetwork(look))


def analyse(inputs_of, model, look: str | None, **options):
    images, joints = people()
    inputs = inputs_of(crop_set(images, joints=joints))
    return Attribution(AttributionOptions(**{**QUICK, "joints": ("left_dot", "right_dot"), **options}))(
        replace(inputs, model=looking(model, look), features=replace(inputs.features, model=""), batch_size=64)
    )


def densities(found, joint: str) -> dict[tuple[str, str], float]:
    rows = found.tables["attribution_regions"]
    rows = rows[rows["joint"] == joint]
    return dict(zip(zip(rows["method"], rows["region"], strict=True), rows["fraction"], strict=True))


def claims(found, start: str) -> list:
    return [finding for finding in found.findings if finding.claim.startswith(start)]


def test_a_network_that_looks_at_the_joint_has_all_its_evidence_there(inputs_of, model) -> None:
    found = analyse(inputs_of, model, "here", joint_radius=0.3)
    shares = densities(found, "all")
    assert shares["integrated_gradients", "joint"] == pytest.approx(1.0)
    assert shares["occlusion", "joint"] > 0.95
    on_joint = claims(found, "The evidence for a joint lies on the joint itself")
    assert len(on_joint) == 2  # by both methods
    assert not claims(found, "A shortcut")
    assert not claims(found, "The evidence for a joint lies on the joint of the other side")
    curves = found.tables["attribution_faithfulness"].set_index(["ranking", "curve"])
    assert curves.loc[("integrated_gradients", "deletion"), "area"] < 0.1
    assert curves.loc[("integrated_gradients", "insertion"), "area"] > 0.9
    assert curves.loc[("random", "deletion"), "area"] == pytest.approx(0.5, abs=0.2)
    assert all(finding.passed for finding in claims(found, "Integrated gradients names the pixels"))


def test_a_shortcut_is_found(inputs_of, model) -> None:
    found = analyse(inputs_of, model, "corner")
    shares = densities(found, "left_dot")
    assert shares["integrated_gradients", "background"] > 0.95
    assert shares["occlusion", "background"] > 0.95
    shortcuts = claims(found, "A shortcut")
    assert [finding.claim.split(" lies")[0].split("evidence for ")[1] for finding in shortcuts] == ["left dot", "left dot"]
    assert all(finding.passed for finding in shortcuts)


def test_evidence_on_the_other_side_is_found(inputs_of, model) -> None:
    shares = densities(analyse(inputs_of, model, "mirror", joint_radius=0.3), "left_dot")
    # Red and the brightest blue give as much each.
    assert shares["integrated_gradients", "other side"] == pytest.approx(0.5, abs=0.05)
    assert shares["integrated_gradients", "joint"] == pytest.approx(0.5, abs=0.05)


def test_a_network_of_random_weights_makes_no_claim(inputs_of, model) -> None:
    torch.manual_seed(5)
    found = analyse(inputs_of, model, None)
    about_weights = [finding for finding in found.findings if "random weights" in finding.control.what]
    assert len(about_weights) >= 3  # the joint by two methods, and the likeness of maps
    assert not any(finding.passed for finding in about_weights)
    assert not any(finding.passed for finding in claims(found, "The evidence for a joint"))


def test_gradients_sum_to_what_the_image_adds() -> None:
    """The axiom of completeness, on a network with in-place operations, pooling and batch norm."""
    torch.manual_seed(0)
    spec = ComponentSpec(name="hourglass", options={"channels": 8, "depth": 2, "bottleneck_residuals": 1})
    network = build("models", spec, crop_size=(SIDE, SIDE), joint_count=2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    frozen = freeze(network)
    assert all(parameter.requires_grad for parameter in network.parameters())
    images, cells = torch.randn(2, 3, SIDE, SIDE) * 0.3, torch.tensor([[0, 63], [9, 30]])
    scores = HeatmapValues(frozen, np.array([0, 1]))
    with torch.no_grad():
        added = scores(images, cells) - scores(torch.zeros_like(images), cells)
    found = attribute_gradients(scores, images, cells, steps=100, batch_size=256)
    assert found.shape == (2, 2, SIDE, SIDE)
    scale = added.abs().mean().item()
    np.testing.assert_allclose(found.sum(axis=(2, 3)), added.numpy(), atol=0.02 * scale)


def test_occlusion_by_hand() -> None:
    scores = HeatmapValues(freeze(LookingNetwork("here")), np.array([0, 1]))
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[0, 0, 8:12, 4:8] = 0.5  # red in cell (row 2, column 1)
    found = attribute_occlusion(scores, image, torch.tensor([[17, 0]]), window_px=4, stride_px=4, batch_size=7)
    expected = np.zeros((1, 2, SIDE, SIDE), np.float32)
    expected[0, 0, 8:12, 4:8] = 0.5  # taken away, the peak of 0.5 is gone
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_around_counts_the_neighbours() -> None:
    network = freeze(LookingNetwork("here"))
    image = torch.zeros(1, 3, SIDE, SIDE)
    image[0, 0] = 1.0
    cells = torch.tensor([[9, 0]])
    assert HeatmapValues(network, np.array([0, 1]), around=True)(image, cells)[0].tolist() == pytest.approx([9.0, 0.0])
    assert HeatmapValues(network, np.array([0, 1]))(image, cells)[0].tolist() == pytest.approx([1.0, 0.0])


def test_randomise_forgets_and_leaves_the_network_and_the_generator_alone() -> None:
    network = LookingNetwork("here")
    state = torch.random.get_rng_state()
    first, again, other = randomise_weights(network, 1), randomise_weights(network, 1), randomise_weights(network, 2)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(network.read.weight, LookingNetwork("here").read.weight)
    assert torch.equal(first.read.weight, again.read.weight)
    assert not torch.equal(first.read.weight, other.read.weight)
    assert not first.read.weight.requires_grad


def test_without_captum_the_message_says_what_to_install(monkeypatch) -> None:
    original = builtins.__import__

    def refuse(name, *rest, **named):
        if name.startswith("captum"):
            raise ImportError(name)
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingCaptumError, match=r"pip install 'posescope\[explain\]'"):
        load_captum()


def test_joints_are_one_of_each_pair_or_those_named() -> None:
    assert choose_joints(TOY_SKELETON, None).tolist() == [0]
    assert choose_joints(TOY_SKELETON, ("right_dot",)).tolist() == [1]
    with pytest.raises(ExplainabilityError, match="no joint left_foot"):
        choose_joints(TOY_SKELETON, ("left_foot",))


def test_nobody_labelled_is_refused(inputs_of, shifting_crops) -> None:
    with pytest.raises(ExplainabilityError, match="nobody has the joints annotated"):
        Attribution(AttributionOptions(**QUICK))(inputs_of(shifting_crops))


def test_annotated_cells_are_where_the_joints_are(inputs_of, model) -> None:
    images, joints = people(4)
    inputs = inputs_of(crop_set(images, joints=joints))
    inputs = replace(inputs, model=looking(model, "corner"), features=replace(inputs.features, model=""))
    case = select_explained_joints(inputs, ("left_dot", "right_dot"), 4, "annotated")
    np.testing.assert_allclose(case.points, joints)  # joints stand in the middle of cells


def test_nearest_patches_come_first() -> None:
    found = patch_nearness(np.array([[[1.5, 5.5]]]), (8, 8), 4)
    # Middles at 1.5 and 5.5: left column, second row is on the point.
    np.testing.assert_allclose(found[0, 0], [-4, -np.hypot(4, 4), 0, -4])

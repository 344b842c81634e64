"""Tests of posescope.explorer.latent_space: against passes of the network that are written out here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.explorer.latent_runs import FIRST_ID, HOURGLASS, PERSONS, latent_run, model_of
from torch import Tensor, nn

from posescope.core.errors import DataError, OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.explainability.features.activations import read_activations
from posescope.explorer.errors import ExplorerError
from posescope.explorer.latent_requests import LatentRequest, Patch
from posescope.explorer.latent_space import LatentSpace
from posescope.explorer.opened_run import OpenedRun
from posescope.models.plain_modules import PlainModule

PERSON, OTHER = FIRST_ID + 3, FIRST_ID + 8


class Plain(nn.Module):
    """A module that derives from no class of posescope, with a skip connection of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.middle = nn.Conv2d(3, 6, 4, 4), nn.Conv2d(6, 6, 4, 4)
        self.up, self.head = nn.Upsample(scale_factor=4), nn.Conv2d(6, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        fine = self.down(images).relu()
        return self.head(fine + self.up(self.middle(fine)))


def make_vitpose(folder: Path) -> ComponentSpec:
    transformers = pytest.importorskip("transformers")
    tiny = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2}
    backbone = transformers.VitPoseBackboneConfig(image_size=[32, 32], out_indices=[2], **tiny)
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=2, use_simple_decoder=True)
    transformers.VitPoseForPoseEstimation(config).save_pretrained(folder)
    return ComponentSpec(name="vitpose", options={"folder": str(folder)})


def run_of(kind: str, folder: Path) -> OpenedRun:
    layer = None
    if kind == "plain":
        model = model_of(ComponentSpec(name="plain"), lambda size, joints: PlainModule(Plain(), size, joints))
    elif kind == "vitpose":
        model = model_of(make_vitpose(folder / "library"))
    elif kind == "encoder_decoder":
        encoder = {"name": "efficientnet_lite", "options": {"pretrained": False}}
        model, layer = model_of(ComponentSpec(name=kind, options={"encoder": encoder, "channels": 8})), "encoder.stride16"
    else:
        model, layer = model_of(HOURGLASS), "stack1.bottleneck" if kind == "first stack" else None
    return latent_run(folder, model, layer)


@pytest.fixture(params=["hourglass", "first stack", "encoder_decoder", "vitpose", "plain"])
def any_run(request: pytest.FixtureRequest, tmp_path: Path) -> OpenedRun:
    return run_of(request.param, tmp_path)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    return run_of("hourglass", tmp_path_factory.mktemp("hourglass"))


@pytest.fixture(scope="module")
def space(opened: OpenedRun) -> LatentSpace:
    return LatentSpace(opened)


def image_of(opened: OpenedRun, person_id: int) -> Tensor:
    return torch.from_numpy(opened.crops().read_images(opened.rows_of([person_id])))


def heatmaps_with(opened: OpenedRun, person_id: int, **values: Tensor) -> np.ndarray:
    """Return the heatmaps of a whole pass with activations replaced; `__` in a name stands for the point."""
    changes: dict[str, Any] = {name.replace("__", "."): lambda _, own=value: own for name, value in values.items()}
    return opened.model().heatmaps(image_of(opened, person_id), changes)[0].numpy()


def activation(opened: OpenedRun, person_id: int, layer: str) -> Tensor:
    return read_activations(opened.model(), image_of(opened, person_id), [layer])[layer]


def test_at_offset_0_the_answer_is_the_prediction_of_the_network(any_run: OpenedRun) -> None:
    answer = LatentSpace(any_run).answer(LatentRequest(person_id=PERSON, offsets=(0.0,)))
    own = any_run.model().heatmaps(image_of(any_run, PERSON))
    found = any_run.model().codec.decode(own)
    assert np.abs(answer.heatmaps - own[0].numpy()).max() <= 1e-5
    assert np.abs(answer.joints - found.joints[0].numpy()).max() <= 1e-3
    assert answer.moved_px.max() <= 1e-3
    assert answer.unchanged_peak == pytest.approx(float(own.max()))


def test_all_components_keep_the_own_residual_of_the_person(any_run: OpenedRun) -> None:
    space, components = LatentSpace(any_run), any_run.components()
    kept, own = (space.answer(LatentRequest(person_id=PERSON, kept_components=count)) for count in (len(components), None))
    assert np.array_equal(kept.heatmaps, own.heatmaps)


def test_offsets_move_the_features_by_standard_deviations(any_run: OpenedRun) -> None:
    components, layer = any_run.components(), any_run.components().layer
    answer = LatentSpace(any_run).answer(LatentRequest(person_id=PERSON, offsets=(0.0, -1.5)))
    shift = -1.5 * np.sqrt(components.variances[1]) * components.axes[1]
    value = activation(any_run, PERSON, layer) + torch.from_numpy(shift).float().reshape(1, *components.shape)
    expected = any_run.model().heatmaps(image_of(any_run, PERSON), {layer: lambda _: value})[0].numpy()
    assert np.abs(answer.heatmaps - expected).max() <= 1e-5
    assert np.abs(answer.heatmaps - any_run.model().heatmaps(image_of(any_run, PERSON))[0].numpy()).max() > 1e-4


def test_first_components_are_kept(opened: OpenedRun, space: LatentSpace) -> None:
    components = opened.components()
    own = activation(opened, PERSON, components.layer).numpy().ravel() - components.mean
    value = components.mean + components.axes[:2].T @ (components.axes[:2] @ own)
    patch = torch.from_numpy(value).float().reshape(1, *components.shape)
    answer = space.answer(LatentRequest(person_id=PERSON, kept_components=2))
    assert np.abs(answer.heatmaps - heatmaps_with(opened, PERSON, stack2__bottleneck=patch)).max() <= 1e-5
    mean = space.answer(LatentRequest(person_id=PERSON, kept_components=0))
    patch = torch.from_numpy(components.mean).float().reshape(1, *components.shape)
    assert np.abs(mean.heatmaps - heatmaps_with(opened, PERSON, stack2__bottleneck=patch)).max() <= 1e-5


def test_moved_px_is_the_distance_from_the_unchanged_joints(space: LatentSpace) -> None:
    answer = space.answer(LatentRequest(person_id=PERSON, offsets=(8.0,), patches=(Patch(layer="stack2.skip1", kind="zero"),)))
    assert answer.moved_px == pytest.approx(np.linalg.norm(answer.joints - answer.unchanged_joints, axis=1), abs=1e-4)
    assert answer.moved_px.max() > 0.1


@pytest.mark.parametrize("layer", ["stack1.skip2", "stack2.skip1", "stack1.bottleneck", "stack2.bottleneck", "stack1.level1"])
def test_patch_of_another_person_is_its_activation(opened: OpenedRun, space: LatentSpace, layer: str) -> None:
    answer = space.answer(LatentRequest(person_id=PERSON, patches=(Patch(layer=layer, kind="person", person_id=OTHER),)))
    expected = heatmaps_with(opened, PERSON, **{layer.replace(".", "__"): activation(opened, OTHER, layer)})
    assert np.abs(answer.heatmaps - expected).max() <= 1e-5


@pytest.mark.parametrize("layer", ["stack2.skip1", "stack2.bottleneck"])
def test_mean_and_zero_patches(opened: OpenedRun, space: LatentSpace, layer: str) -> None:
    each = torch.cat([activation(opened, FIRST_ID + row, layer) for row in range(PERSONS)])
    for kind, value in (("mean", each.mean(dim=0, keepdim=True)), ("zero", torch.zeros_like(each[:1]))):
        answer = space.answer(LatentRequest(person_id=PERSON, patches=(Patch(layer=layer, kind=kind),)))
        expected = heatmaps_with(opened, PERSON, **{layer.replace(".", "__"): value})
        assert np.abs(answer.heatmaps - expected).max() <= 1e-5


def test_all_layers_of_another_person_give_its_prediction(opened: OpenedRun, space: LatentSpace) -> None:
    patches = tuple(Patch(layer=layer, kind="person", person_id=OTHER) for layer in space.layers if layer.startswith("stack2"))
    answer = space.answer(
        LatentRequest(person_id=PERSON, patches=(*patches, Patch(layer="stem", kind="person", person_id=OTHER)))
    )
    other = opened.model().heatmaps(image_of(opened, OTHER))[0].numpy()
    assert np.abs(answer.heatmaps - other).max() <= 1e-5


def test_mean_person_has_mean_features_and_mean_skips(opened: OpenedRun, space: LatentSpace) -> None:
    model, components = opened.model(), opened.components()
    skips = {
        layer: torch.cat([activation(opened, FIRST_ID + row, layer) for row in range(PERSONS)]).mean(dim=0, keepdim=True)
        for layer in model.network.skip_layers
    }
    value = torch.from_numpy(components.mean).float().reshape(1, *components.shape)
    colour = torch.full((1, 32, 32, 3), 128, dtype=torch.uint8)  # 0.5 of 255, rounded to even
    changes = {layer: lambda _, own=own: own for layer, own in (skips | {components.layer: value}).items()}
    answer = space.answer(LatentRequest())
    assert np.abs(answer.heatmaps - model.heatmaps(colour, changes)[0].numpy()).max() <= 1e-5
    assert answer.moved_px.max() == 0


def test_nearest_persons_are_of_other_photographs(opened: OpenedRun, space: LatentSpace) -> None:
    components = opened.components()
    answer = space.answer(LatentRequest(person_id=PERSON, offsets=(1.0, -2.0)))
    values = opened.features().values.astype(np.float64)
    point = values[PERSON - FIRST_ID] + (np.array([1.0, -2.0]) * np.sqrt(components.variances[:2])) @ components.axes[:2]
    distances = np.linalg.norm(values - point, axis=1)
    photograph = opened.persons["image_id"].to_numpy()
    distances[photograph == photograph[PERSON - FIRST_ID]] = np.inf
    assert list(answer.nearest) == (np.argsort(distances)[:5] + FIRST_ID).tolist()
    pairs = np.linalg.norm(values[:, None] - values[None], axis=2)
    pairs[photograph[:, None] == photograph[None]] = np.inf
    assert answer.distance_quantile == pytest.approx((pairs.min(axis=1) < distances.min()).mean())


def test_far_points_are_unusual(space: LatentSpace) -> None:
    assert space.answer(LatentRequest(person_id=PERSON, offsets=(20.0,))).distance_quantile == 1.0


def test_answers_do_not_depend_on_earlier_ones(opened: OpenedRun) -> None:
    space, request = LatentSpace(opened), LatentRequest(person_id=PERSON, offsets=(1.0,))
    first = space.answer(request)
    space.answer(LatentRequest(person_id=OTHER, patches=(Patch(layer="stack2.skip1", kind="zero"),)))
    assert np.array_equal(space.answer(request).heatmaps, first.heatmaps)


def test_model_of_the_run_is_not_touched(opened: OpenedRun, space: LatentSpace) -> None:
    before = opened.model().heatmaps(image_of(opened, PERSON))
    space.answer(LatentRequest(person_id=PERSON, patches=(Patch(layer="stack2.skip1", kind="zero"),)))
    assert torch.equal(opened.model().heatmaps(image_of(opened, PERSON)), before)
    assert not any(module._forward_hooks for module in opened.model().network.modules())


def test_network_that_threads_share_gets_no_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may compute heatmaps with it at the same time."""
    opened = run_of("hourglass", tmp_path)
    shared, register = set(opened.model().network.modules()), nn.Module.register_forward_hook

    def refuse(module: nn.Module, *given: Any, **more: Any) -> Any:
        assert module not in shared
        return register(module, *given, **more)

    monkeypatch.setattr(nn.Module, "register_forward_hook", refuse)
    space = LatentSpace(opened)
    assert space.obstacle == ""
    assert space.answer(LatentRequest(person_id=PERSON, patches=(Patch(layer="stack2.skip1", kind="mean"),)))


def test_layers_are_skips_and_bottlenecks(any_run: OpenedRun) -> None:
    layers, network = LatentSpace(any_run).layers, any_run.model().network
    assert set(network.skip_layers) <= set(layers)
    assert any_run.components().layer in layers
    assert len({network.module_path(layer) for layer in layers}) == len(layers)


def test_pooled_features_are_refused_in_one_line(tmp_path: Path) -> None:
    space = LatentSpace(latent_run(tmp_path, model_of(HOURGLASS), pooling="mean"))
    assert "explainability.persons.pooling" in space.obstacle
    assert "\n" not in space.obstacle
    with pytest.raises(ExplorerError):
        space.answer(LatentRequest())


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (LatentRequest(person_id=1), DataError),
        (LatentRequest(patches=(Patch(layer="stack9.skip1", kind="zero"),)), OptionsError),
        (LatentRequest(patches=(Patch(layer="stack1.skip1", kind="person", person_id=1),)), DataError),
    ],
)
def test_unknown_persons_and_layers_are_refused(space: LatentSpace, request_: LatentRequest, error: type[Exception]) -> None:
    with pytest.raises(error):
        space.answer(request_)

"""Tests of posescope.training.trained_parts: frozen parts, and learning rates of their own."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.extension.package.posescope_extension.plain import SmallNet

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.data.crops.crop_set import CropSet
from posescope.models.plain_modules import PlainModule
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.options import TrainingOptions
from posescope.training.trained_parts import RATE_SCALE, TrainedParts, freeze_parts, group_parameters, paths_of
from posescope.training.trainer import train

STEPS = TrainingOptions(epochs=2, batch_size=16, learning_rate=1e-3, device="cpu")
PARTS = TrainedParts(freeze=("stem", "stack1.level*"), learning_rate_scale={"*": 0.5, "heads": 1.0, "heads.1.project": 2.0})


def run(model: PoseModel, train_set: CropSet, val_set: CropSet, folder: Path, parts: TrainedParts, **changed: Any) -> PoseModel:
    options = STEPS.model_copy(update=changed)
    return train(model, train_set, val_set, options, CheckpointStore(folder), "f00d", parts=parts).model


def state(model: PoseModel) -> dict[str, torch.Tensor]:
    return model.network.state_dict()


def changed_modules(before: PoseModel, after: PoseModel) -> set[str]:
    pairs = zip(state(before).items(), state(after).values(), strict=True)
    return {name.rpartition(".")[0] for (name, value), other in pairs if not torch.equal(value, other)}


def test_frozen_parts_keep_weights_and_statistics(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    trained = run(untrained, train_set, val_set, tmp_path / "frozen", TrainedParts(freeze=("stem", "stack1.level*")))
    frozen = ("stem.", "hourglasses.0.downs.")
    changed = changed_modules(untrained, trained)
    assert not any(f"{name}.".startswith(frozen) for name in changed)
    assert {"heads.1.project", "hourglasses.1.downs.0.norm1"} <= changed
    everything = changed_modules(untrained, run(untrained, train_set, val_set, tmp_path / "all", TrainedParts()))
    assert {"stem.norm", "hourglasses.0.downs.0.norm1"} <= everything, "otherwise the test could not fail"


def test_frozen_parts_stay_with_an_average_of_the_weights(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    trained = run(untrained, train_set, val_set, tmp_path, TrainedParts(freeze=("stem",)), ema_decay=0.9)
    assert not any(name.startswith("stem") for name in changed_modules(untrained, trained))


def test_parameters_are_grouped_by_the_innermost_factor(untrained: PoseModel) -> None:
    network = untrained.network
    groups = group_parameters(network, {"*": 0.5, "heads": 1.0, "heads.1.project": 2.0}, 0.1)
    factors = {id(weight): group[RATE_SCALE] for group in groups for weight in group["params"]}
    assert [(group[RATE_SCALE], group["lr"]) for group in groups] == [(1.0, 0.1), (0.5, 0.05), (2.0, 0.2)]
    assert factors[id(network.get_parameter("stem.conv.weight"))] == 0.5
    assert factors[id(network.get_parameter("heads.1.conv.weight"))] == 1.0
    assert factors[id(network.get_parameter("heads.1.project.bias"))] == 2.0
    assert len(factors) == len(list(network.parameters()))


def test_a_factor_scales_the_step(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    """One step of gradient descent: the change of a weight is proportional to its factor."""
    one_step = {"epochs": 1, "batch_size": len(train_set), "optimiser": ComponentSpec(name="sgd", options={"momentum": 0.0})}
    parts = {"plain": TrainedParts(), "scaled": TrainedParts(learning_rate_scale={"stem": 0.25})}
    models = {name: run(untrained, train_set, val_set, tmp_path / name, one, **one_step) for name, one in parts.items()}
    for weight, factor in (("stem.conv.weight", 0.25), ("heads.0.conv.weight", 1.0)):
        plain, scaled = (state(models[name])[weight] - state(untrained)[weight] for name in ("plain", "scaled"))
        assert plain.abs().max() > 0
        torch.testing.assert_close(scaled, factor * plain, rtol=1e-3, atol=1e-7)


def test_the_history_states_the_rate_of_the_schedule(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    parts = TrainedParts(learning_rate_scale={"*": 0.1})
    outcome = train(untrained, train_set, val_set, STEPS, CheckpointStore(tmp_path), "f00d", parts=parts)
    assert outcome.history[-1].learning_rate == pytest.approx(1e-3)
    assert outcome.model.provenance["trained_parts"] == {"learning_rate_scale": {"*": 0.1}}


@pytest.mark.parametrize("optimiser", ["rmsprop", "adamw", "sgd"])
def test_a_killed_run_with_groups_resumes_to_the_same_weights(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimiser: str
) -> None:
    changed = {"optimiser": ComponentSpec(name=optimiser)}
    complete = run(untrained, train_set, val_set, tmp_path / "complete", PARTS, **changed)

    class Killed(BaseException):
        pass

    save = CheckpointStore.save

    def die_after_saving(store: CheckpointStore, state: Any, keep: int) -> None:
        save(store, state, keep)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointStore, "save", die_after_saving)
        with pytest.raises(Killed):
            run(untrained, train_set, val_set, tmp_path / "killed", PARTS, **changed)
    resumed = run(untrained, train_set, val_set, tmp_path / "killed", PARTS, **changed)
    assert changed_modules(complete, resumed) == set()


@pytest.mark.parametrize("patterns", [("steam",), ("*",)])
def test_a_pattern_without_match_and_a_frozen_network_are_refused(untrained: PoseModel, patterns: tuple[str, ...]) -> None:
    with pytest.raises(OptionsError):
        freeze_parts(untrained.network, patterns)


def test_two_factors_for_one_module_are_refused(untrained: PoseModel) -> None:
    with pytest.raises(OptionsError):
        group_parameters(untrained.network, {"stem*": 0.1, "s*": 0.2}, 0.1)


def test_parts_of_a_plain_module_have_its_own_paths() -> None:
    network = PlainModule(SmallNet(2, channels=4), (32, 32), 2)
    assert paths_of(network, "encoder.1", "freeze") == ["network.encoder.1"]
    with pytest.raises(OptionsError, match=r"'encoder'.*encoder, up, head"):
        paths_of(network, "encodr", "freeze")

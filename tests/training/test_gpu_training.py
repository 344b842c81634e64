"""Training on a CUDA device: equal to the CPU up to rounding, reproducible, and without synchronisation in a step."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from posescope.artifacts.devices import copy_to_device
from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import ComponentSpec, build
from posescope.data.crops.crop_set import CropSet
from posescope.training import epoch_loop
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.options import TrainingOptions
from posescope.training.records import EpochRecord, TrainingOutcome
from posescope.training.trainer import NonFiniteLossError, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")

AUGMENTED = [{"name": "flip"}, {"name": "half_body"}, {"name": "rotate_scale"}, {"name": "translate"}, {"name": "colour_jitter"}]
EVERYTHING = {"augmentations": AUGMENTED, "ema_decay": 0.9, "grad_clip": 1.0, "amp": "bf16", "cuda_graph": True}


class KilledError(Exception):
    """Represents a killed process."""


def kill_after_first(record: EpochRecord) -> None:
    if record.epoch == 1:
        raise KilledError


@pytest.fixture(autouse=True)
def full_float32() -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def make_options(**changes: Any) -> TrainingOptions:
    # RMSProp's first steps are signs of gradients, which amplify rounding; plain gradient descent does not.
    plain = {"name": "sgd", "options": {"momentum": 0.0}}
    defaults = {"epochs": 2, "batch_size": 8, "learning_rate": 0.05, "device": "cuda", "seed": 5, "optimiser": plain}
    return TrainingOptions.model_validate({**defaults, **changes})


def losses(outcome: TrainingOutcome) -> list[float]:
    return [record.train_loss for record in outcome.history]


@pytest.mark.parametrize("changes", [{}, {"augmentations": AUGMENTED, "ema_decay": 0.9}])
def test_losses_equal_those_on_the_cpu(
    changes: dict[str, Any], untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    # One step per epoch: the first loss is that of the same weights, the second one of weights after the same step.
    options = {"batch_size": 43, "learning_rate": 1e-3, **changes}
    on_cpu, on_gpu = (
        train(untrained, train_set, val_set, make_options(device=device, **options), CheckpointStore(tmp_path / device), "f")
        for device in ("cpu", "cuda")
    )
    assert losses(on_gpu) == pytest.approx(losses(on_cpu), rel=1e-4)
    assert on_gpu.history[-1].val_loss == pytest.approx(on_cpu.history[-1].val_loss, rel=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"cuda_graph": True},
        {"cuda_graph": True, "grad_clip": 0.5, "augmentations": AUGMENTED},
        {"cuda_graph": True, "compile": True, "batch_size": 43},
    ],
    ids=["cuda_graph", "cuda_graph_and_clipped", "compiled_and_cuda_graph"],
)
def test_losses_with_cuda_graph_or_compilation_equal_eager_losses(
    changes: dict[str, Any], untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    quick_ways = {"compile", "cuda_graph"}
    plain, quick = (
        train(untrained, train_set, val_set, make_options(**options), CheckpointStore(tmp_path / str(number)), "f")
        for number, options in enumerate(({name: value for name, value in changes.items() if name not in quick_ways}, changes))
    )
    assert losses(quick) == pytest.approx(losses(plain), rel=2e-3)
    buffers = dict(plain.model.network.named_buffers())
    for name, value in quick.model.network.named_buffers():
        assert torch.allclose(value, buffers[name], rtol=1e-2, atol=1e-4), name


def test_losses_with_mixed_precision_equal_up_to_rounding(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    # bf16 has eight binary digits; the losses are those of the same weights, and of weights after one step.
    plain, mixed = (
        train(
            untrained, train_set, val_set, make_options(amp=amp, batch_size=43, learning_rate=1e-3),
            CheckpointStore(tmp_path / amp), "f",
        )
        for amp in ("off", "auto")
    )  # fmt: skip
    assert losses(mixed) == pytest.approx(losses(plain), rel=0.01)
    assert losses(mixed) != losses(plain)


@pytest.mark.parametrize(
    "changes", [{}, EVERYTHING, {**EVERYTHING, "compile": True, "batch_size": 22}], ids=["plain", "cuda_graph", "compiled"]
)
def test_killed_run_resumes_to_the_same_weights(
    changes: dict[str, Any], untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path
) -> None:
    options = make_options(epochs=3, **changes)
    complete = train(untrained, train_set, val_set, options, CheckpointStore(tmp_path / "complete"), "f")
    store = CheckpointStore(tmp_path / "killed")
    with pytest.raises(KilledError):
        train(untrained, train_set, val_set, options, store, "f", on_epoch=kill_after_first)
    resumed = train(untrained, train_set, val_set, options, store, "f")
    uninterrupted, continued = complete.model.network.state_dict(), resumed.model.network.state_dict()
    assert [name for name, value in uninterrupted.items() if not torch.equal(value, continued[name])] == []


def test_no_step_synchronises_with_the_device(
    untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    take_step = epoch_loop._Run._train_step

    def take_step_watched(self: epoch_loop._Run, *arguments: Any) -> Any:
        if self.step > 1:  # the first steps, one per batch size, initialise libraries and are captured
            torch.cuda.set_sync_debug_mode("error")
        try:
            steps.append(self.step)
            return take_step(self, *arguments)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(epoch_loop._Run, "_train_step", take_step_watched)
    textbook = {"optimiser": {"name": "rmsprop", "options": {"form": "textbook"}}, "cuda_graph": True}
    runs = {"everything": EVERYTHING, "plain": {"optimiser": {"name": "rmsprop"}}, "textbook": textbook}
    for name, changes in runs.items():
        train(untrained, train_set, val_set, make_options(epochs=1, **changes), CheckpointStore(tmp_path / name), "f")
    assert steps == [*range(6), *range(6), *range(6)]


def test_textbook_rmsprop_can_be_captured(untrained: PoseModel) -> None:
    weights = [torch.nn.Parameter(weight.detach().cuda()) for weight in untrained.network.parameters()]
    captured, eager = ([torch.nn.Parameter(weight.detach().clone()) for weight in weights] for _ in range(2))
    gradients = [torch.randn_like(weight) for weight in weights]
    optimisers = [
        build("optimisers", ComponentSpec(name="rmsprop", options={"form": "textbook"}), parameters=own, learning_rate=0.01)
        for own in (captured, eager)
    ]
    for own in (captured, eager):
        for weight, gradient in zip(own, gradients, strict=True):
            weight.grad = gradient.clone()
    for optimiser in optimisers:
        optimiser.step()  # makes the state
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimisers[0].step()
    for _ in range(3):
        graph.replay()
        optimisers[1].step()
    assert all(torch.equal(one, other) for one, other in zip(captured, eager, strict=True))


def test_nan_loss_names_the_persons(untrained: PoseModel, train_set: CropSet, val_set: CropSet, tmp_path: Path) -> None:
    with torch.no_grad():
        untrained.network.stem.conv.bias.fill_(torch.nan)
    with pytest.raises(NonFiniteLossError, match=r"nan in epoch 1, step 0\b.*\b10\d\d"):
        train(untrained, train_set, val_set, make_options(), CheckpointStore(tmp_path), "f")


def test_copied_tensors_are_complete() -> None:
    device = torch.device("cuda")
    for tensor in (torch.arange(10.0), torch.eye(2, 3).expand(5, 2, 3), torch.tensor(3)):
        assert torch.equal(copy_to_device(tensor, device).cpu(), tensor)

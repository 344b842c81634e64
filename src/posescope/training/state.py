"""What changes while a run trains, and its way into a checkpoint and back."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from posescope.models.network import PoseNetwork
from posescope.training.averaging import WeightAverage
from posescope.training.checkpoint_files import TrainingState
from posescope.training.records import EpochRecord

__all__ = ["capture_state", "restore_state"]


def capture_state(
    fingerprint: str,
    step: int,
    history: tuple[EpochRecord, ...],
    network: PoseNetwork,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage | None,
    made_of: Mapping[str, Any],
) -> TrainingState:
    """All of a run after its last epoch; the tensors are not copied yet."""
    content = optimiser.state_dict()
    slots = {f"{index}.{name}": value for index, slot in content["state"].items() for name, value in slot.items()}
    parts: dict[str, Mapping[str, Any]] = {
        "network": network.state_dict(),
        "average": average.network.state_dict() if average else {},
        "optimiser": {name: value for name, value in slots.items() if isinstance(value, Tensor)},
        "generator": _generators(network),
    }
    return TrainingState(
        fingerprint=fingerprint,
        epoch=history[-1].epoch,
        step=step,
        history=history,
        tensors={f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()},
        optimiser={
            "groups": content["param_groups"],
            "numbers": {name: value for name, value in slots.items() if not isinstance(value, Tensor)},
        },
        made_of=made_of,
    )


def restore_state(
    state: TrainingState, network: PoseNetwork, optimiser: torch.optim.Optimizer, average: WeightAverage | None
) -> None:
    """Put a checkpoint into a freshly built network, optimiser and average, and torch's global generators."""
    network.load_state_dict(state.part("network"))
    if average:
        average.network.load_state_dict(state.part("average"))
    slots: dict[int, dict[str, Any]] = {}
    for name, value in {**state.part("optimiser"), **state.optimiser["numbers"]}.items():
        index, _, slot = name.partition(".")
        slots.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({"state": slots, "param_groups": state.optimiser["groups"]})
    _restore_layout(optimiser)
    generators = state.part("generator")
    torch.set_rng_state(generators["cpu"])
    device = _device(network)
    if device.type == "cuda" and "cuda" in generators:
        torch.cuda.set_rng_state(generators["cuda"], device)


def _restore_layout(optimiser: torch.optim.Optimizer) -> None:
    """Lay the optimiser's tensors out as the weights are (channels last): files hold them in plain order.

    Otherwise the same sums would be done in another order, and a resumed run would differ in the last bits.
    """
    for parameter, slot in optimiser.state.items():
        for name, value in slot.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                slot[name] = torch.empty_like(parameter).copy_(value).detach()


def _generators(network: PoseNetwork) -> dict[str, Tensor]:
    device = _device(network)
    states = {"cpu": torch.get_rng_state()}
    return {**states, "cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def _device(network: PoseNetwork) -> torch.device:
    return next(network.parameters()).device

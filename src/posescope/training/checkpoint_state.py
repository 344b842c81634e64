"""One checkpoint on disk: tensors as safetensors, the rest as JSON, both with checksums. No pickle.

    tensors.safetensors   network, average, optimiser, random generators
    state.json            epoch, step, history, the rest of the optimiser, what the run is made of, the checksums

Schedules keep no state: their rates follow from the step and the history.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from posescope.core.errors import DataError
from posescope.core.files import fingerprint, read_json, sha256_of, write_json
from posescope.models.base import PoseNetwork
from posescope.training.ema import ExponentialMovingAverage
from posescope.training.records import EpochRecord

__all__ = [
    "CheckpointError",
    "DamagedCheckpointError",
    "TrainingState",
    "read_checkpoint",
    "write_checkpoint",
    "capture_state",
    "restore_state",
]

FORMAT_VERSION = 2
TENSORS, STATE = "tensors.safetensors", "state.json"


class CheckpointError(DataError):
    """A checkpoint cannot be read, or is not the one that was asked for."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint is missing, cut short or altered."""


@dataclass(frozen=True)
class TrainingState:
    """Everything from which a run goes on.

    Attributes:
        fingerprint: of options and data.
        epoch: how many are complete.
        step: optimiser steps so far.
        history: one record a complete epoch.
        tensors: by name; the first word says whose: `network.`, `average.`, `optimiser.`, `generator.`.
        optimiser: JSON-like: what the optimiser keeps beside tensors.
        run_identity: JSON-like: the options and data that the fingerprint stands for; empty where nobody told.
    """

    fingerprint: str
    epoch: int
    step: int
    history: tuple[EpochRecord, ...]
    tensors: Mapping[str, Tensor]
    optimiser: Mapping[str, Any] = field(default_factory=dict)
    run_identity: Mapping[str, Any] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix.`, without it."""
        head = f"{prefix}."
        return {name.removeprefix(head): tensor for name, tensor in self.tensors.items() if name.startswith(head)}


def write_checkpoint(folder: Path, state: TrainingState) -> None:
    """Write both files into an existing folder, which the caller puts into its place."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    save_file(tensors, folder / TENSORS)
    content = {**_to_json(state), "tensors_sha256": sha256_of(folder / TENSORS)}
    write_json(folder / STATE, {**content, "checksum": fingerprint(content)})


def read_checkpoint(folder: Path) -> TrainingState:
    """Read both files and check them.

    Raises:
        DamagedCheckpointError: if a file is missing, cut short, or not what its checksum says.
        CheckpointError: if another version wrote it in another format.
    """
    try:
        content = dict(read_json(folder / STATE))
        if content["format_version"] != FORMAT_VERSION:
            raise CheckpointError(
                f"{folder}: format {content['format_version']}; this version reads format {FORMAT_VERSION}. "
                "Go on with the version that wrote it, or remove the folder of the run."
            )
        expected = content.pop("checksum")
        _check_sum(folder / STATE, fingerprint(content), expected)
        _check_sum(folder / TENSORS, sha256_of(folder / TENSORS), content["tensors_sha256"])
        return _from_json(content, load_file(folder / TENSORS))
    except CheckpointError:
        raise
    except (DataError, OSError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise DamagedCheckpointError(f"{folder}: not a whole checkpoint ({error!r}).") from error


def _check_sum(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise DamagedCheckpointError(f"{path}: not a whole checkpoint (checksum {found}, expected {expected}).")


def _to_json(state: TrainingState) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "fingerprint": state.fingerprint,
        "epoch": state.epoch,
        "step": state.step,
        "history": [_without_nan(dataclasses.asdict(record)) for record in state.history],
        # Through text and back, so that a value that JSON cannot hold is refused here and not at the resume.
        "optimiser": json.loads(json.dumps(state.optimiser, allow_nan=False)),
        "run_identity": json.loads(json.dumps(state.run_identity, allow_nan=False)),
    }


def _from_json(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> TrainingState:
    return TrainingState(
        fingerprint=content["fingerprint"],
        epoch=content["epoch"],
        step=content["step"],
        history=_read_history(content["history"]),
        tensors=tensors,
        optimiser=content["optimiser"],
        run_identity=content["run_identity"],
    )


def _without_nan(record: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: null stands for it."""
    return {name: value if math.isfinite(value) else None for name, value in record.items()}


def _read_history(rows: Sequence[Mapping[str, Any]]) -> tuple[EpochRecord, ...]:
    return tuple(EpochRecord(**_with_nan(row)) for row in rows)


def _with_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in row.items()}


# MERGED from state: What changes while a run trains, and its way into a checkpoint and back.


def capture_state(
    fingerprint: str,
    step: int,
    history: tuple[EpochRecord, ...],
    network: PoseNetwork,
    optimiser: torch.optim.Optimizer,
    average: ExponentialMovingAverage | None,
    run_identity: Mapping[str, Any],
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
        run_identity=run_identity,
    )


def restore_state(
    state: TrainingState, network: PoseNetwork, optimiser: torch.optim.Optimizer, average: ExponentialMovingAverage | None
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

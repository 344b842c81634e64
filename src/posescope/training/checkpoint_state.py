"""State of a training run: captured after an epoch, written as a checkpoint, read and restored.

    tensors.safetensors   network, EMA, optimiser, random generators
    state.json            epoch, step, history, the rest of the optimiser, options and data of the run, checksums

Both files have checksums, and there is no pickle. Schedules have no state: their rates follow from the step and the history.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load, load_file, save, save_file
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
    "capture_state",
    "read_checkpoint",
    "restore_state",
    "state_from_bytes",
    "state_to_bytes",
    "write_checkpoint",
]

FORMAT_VERSION = 3
_LENGTH_BYTES = 8
TENSORS, STATE = "tensors.safetensors", "state.json"
JSON_FIELDS = ("fingerprint", "epoch", "step", "optimiser", "run_identity")


class CheckpointError(DataError):
    """A checkpoint cannot be read, or it does not belong to the run."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint is missing, truncated or altered."""


@dataclass(frozen=True)
class TrainingState:
    """Everything that is needed to continue a run.

    Attributes:
        fingerprint: fingerprint of options and data.
        epoch: number of complete epochs.
        step: number of optimiser steps.
        history: one record per complete epoch.
        tensors: tensors by name with a prefix: `network.`, `ema.`, `optimiser.` or `generator.`.
        optimiser: JSON-like state of the optimiser besides tensors.
        run_identity: JSON-like options and data that the fingerprint is computed of; empty if unknown.
    """

    fingerprint: str
    epoch: int
    step: int
    history: tuple[EpochRecord, ...]
    tensors: Mapping[str, Tensor]
    optimiser: Mapping[str, Any] = field(default_factory=dict)
    run_identity: Mapping[str, Any] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors with a prefix, by their names without it."""
        head = f"{prefix}."
        return {name.removeprefix(head): tensor for name, tensor in self.tensors.items() if name.startswith(head)}


def capture_state(
    fingerprint: str,
    step: int,
    history: tuple[EpochRecord, ...],
    network: PoseNetwork,
    optimiser: torch.optim.Optimizer,
    ema: ExponentialMovingAverage | None,
    run_identity: Mapping[str, Any],
) -> TrainingState:
    """Return the state of a run after its last epoch, with views of the tensors.

    Args:
        fingerprint, step, history, run_identity: as in `TrainingState`.
        network: network on its device.
        optimiser: optimiser of the network's parameters.
        ema: moving average of the weights, if the run has one.
    """
    content = optimiser.state_dict()
    slots = {f"{index}.{name}": value for index, slot in content["state"].items() for name, value in slot.items()}
    parts: dict[str, Mapping[str, Any]] = {
        "network": network.state_dict(),
        "ema": ema.network.state_dict() if ema else {},
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
    state: TrainingState, network: PoseNetwork, optimiser: torch.optim.Optimizer, ema: ExponentialMovingAverage | None
) -> None:
    """Load a state into a run, and into torch's global generators.

    Args:
        state: state of a run with the same options.
        network: newly built network.
        optimiser: newly built optimiser of the network's parameters.
        ema: newly built moving average, if the run has one.
    """
    network.load_state_dict(state.part("network"))
    if ema:
        ema.network.load_state_dict(state.part("ema"))
    slots: dict[int, dict[str, Any]] = {}
    for name, value in {**state.part("optimiser"), **state.optimiser["numbers"]}.items():
        index, _, slot = name.partition(".")
        slots.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({"state": slots, "param_groups": state.optimiser["groups"]})
    _restore_memory_format(optimiser)
    generators = state.part("generator")
    torch.set_rng_state(generators["cpu"])
    device = _device(network)
    if device.type == "cuda" and "cuda" in generators:
        torch.cuda.set_rng_state(generators["cuda"], device)


def write_checkpoint(folder: Path, state: TrainingState) -> None:
    """Write both files of a checkpoint.

    Args:
        folder: existing folder, which the caller moves to its place.
        state: state of the run.
    """
    save_file(_packed(state), folder / TENSORS)
    content = {**_to_json(state), "tensors_sha256": sha256_of(folder / TENSORS)}
    write_json(folder / STATE, {**content, "checksum": fingerprint(content)})


def read_checkpoint(folder: Path) -> TrainingState:
    """Read and check both files.

    Raises:
        DamagedCheckpointError: A file is missing or truncated, or its checksum is wrong.
        CheckpointError: The checkpoint has the format of another version.
    """
    try:
        content = dict(read_json(folder / STATE))
        if content["format_version"] != FORMAT_VERSION:
            raise CheckpointError(
                f"{folder}: expected checkpoint format {FORMAT_VERSION}, found {content['format_version']}. "
                "Resume the run with the version that wrote it, or remove the folder of the run."
            )
        expected = content.pop("checksum")
        _check_sum(folder / STATE, fingerprint(content), expected)
        _check_sum(folder / TENSORS, sha256_of(folder / TENSORS), content["tensors_sha256"])
        return _from_json(content, load_file(folder / TENSORS))
    except CheckpointError:
        raise
    except (DataError, OSError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise DamagedCheckpointError(f"{folder}: damaged checkpoint ({error!r}).") from error


def state_to_bytes(state: TrainingState | None) -> bytes:
    """Return a state as bytes for the other processes of a training, which need not see the folder of checkpoints.

    The length of the JSON text (8 bytes, little-endian), the text, and the tensors in the format of safetensors; None is empty.
    """
    if state is None:
        return b""
    text = json.dumps(_to_json(state)).encode()
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text + save(_packed(state))


def state_from_bytes(content: bytes) -> TrainingState | None:
    """Return the state of `state_to_bytes`."""
    if not content:
        return None
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    return _from_json(json.loads(content[_LENGTH_BYTES:start]), load(content[start:]))


def _packed(state: TrainingState) -> dict[str, Tensor]:
    """Return the tensors in the CPU's memory and in the order of their dimensions, as safetensors needs them."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}


def _restore_memory_format(optimiser: torch.optim.Optimizer) -> None:
    """Give the tensors of the optimiser the memory format of the weights (channels last), which files do not store.

    Otherwise sums are computed in another order, and a resumed run differs in the last bits.
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


def _check_sum(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise DamagedCheckpointError(f"{path}: damaged checkpoint (expected checksum {expected}, found {found}).")


def _to_json(state: TrainingState) -> dict[str, Any]:
    # Through text and back, so that values that JSON cannot hold are refused now and not at the resumption.
    fields = json.loads(json.dumps({name: getattr(state, name) for name in JSON_FIELDS}, allow_nan=False))
    history = [_without_nan(dataclasses.asdict(record)) for record in state.history]
    return {"format_version": FORMAT_VERSION, **fields, "history": history}


def _from_json(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> TrainingState:
    history = tuple(EpochRecord(**_with_nan(row)) for row in content["history"])
    return TrainingState(**{name: content[name] for name in JSON_FIELDS}, history=history, tensors=tensors)


def _without_nan(record: Mapping[str, float]) -> dict[str, float | None]:
    """Replace NaN, which JSON lacks, by null."""
    return {name: value if math.isfinite(value) else None for name, value in record.items()}


def _with_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in row.items()}

"""Options that depend on the machine, resolved before a run starts: `batch_size: auto` and, on a CPU, `amp: auto`.

    batch_size   the largest power of two whose training step fits in the memory of the device
    amp          bf16 on a CPU that computes it natively, if a measured step is faster with it

The resolved values take the place of `auto` in the options, in the fingerprint of the run and in the provenance of the model. An
unfinished run keeps its values: a resumption does not measure again, whatever memory is free then. No other option is changed; in
particular the learning rate is not scaled with the batch size.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch

from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import OptionsError
from posescope.core.files import fingerprint
from posescope.training.acceleration import has_native_bf16
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.options import TrainingOptions
from posescope.training.reproducibility import reproducible
from posescope.training.step_probe import StepProbe

__all__ = ["largest_power_of_two", "resolve_automatic"]

log = logging.getLogger(__name__)

# Larger batches gain little speed: a GPU is busy before, and on a CPU a batch leaves the cache.
LARGEST_BATCH = {"cuda": 256, "cpu": 64}
# An epoch with fewer steps moves the weights too little between two validations.
MIN_STEPS_PER_EPOCH = 10
# bf16 must be faster by more than the noise of a measurement.
MIN_SPEED_UP = 1.1
SPEED_ROUNDS = 5
# A step of fewer persons than the batch underestimates bf16, whose matrices are then too small.
MOST_TIMED_PERSONS = 16


def resolve_automatic(
    model: PoseModel, options: TrainingOptions, person_count: int, store: CheckpointStore, run_identity: Mapping[str, Any]
) -> tuple[TrainingOptions, dict[str, Any]]:
    """Return options without `auto`, and the run identity with them; both are unchanged if nothing is left open.

    Args:
        model: model with the initial weights; it is not changed.
        options: options of the training.
        person_count: number of training persons.
        store: store of the checkpoints; an unfinished run of the same options and data keeps its values.
        run_identity: JSON-like content that the fingerprint is computed of, with `options.identity()` at `modelling.training`.

    Raises:
        OptionsError: Not even the smallest batch fits in the memory of the device.
    """
    device = resolve_device(options.device)
    open_fields = {"batch_size"} if options.batch_size == "auto" else set()
    if options.amp == "auto" and device.type == "cpu" and has_native_bf16(device):
        open_fields.add("amp")
    if not open_fields:
        return options, dict(run_identity)
    found = _find_unfinished(options, open_fields, store, run_identity)
    if found:
        log.info("batch_size %s and amp %s are those of the unfinished run.", found.batch_size, found.amp)
    else:
        found = _measure(model, options, open_fields, person_count, device)
    return found, _identify(found, run_identity)


def largest_power_of_two(limit: float) -> int:
    """Return the largest power of two that is at most `limit`, at least 1.

    Example:
        >>> [largest_power_of_two(limit) for limit in (0.3, 1, 31, 32.5)]
        [1, 1, 16, 32]
    """
    return 1 << (max(1, int(limit)).bit_length() - 1)


def _identify(options: TrainingOptions, run_identity: Mapping[str, Any]) -> dict[str, Any]:
    modelling = {**run_identity.get("modelling", {}), "training": options.identity()}
    return {**run_identity, "modelling": modelling}


def _find_unfinished(
    options: TrainingOptions, open_fields: set[str], store: CheckpointStore, run_identity: Mapping[str, Any]
) -> TrainingOptions | None:
    """Return the options of an unfinished run that differs from the present one in nothing but the open fields."""
    for run, stored in store.unfinished_runs():
        training = stored.get("modelling", {}).get("training", {})
        if not open_fields <= set(training):
            continue
        candidate = options.model_copy(update={name: training[name] for name in open_fields})
        if fingerprint(_identify(candidate, run_identity)) == run:
            return candidate
    return None


def _measure(
    model: PoseModel, options: TrainingOptions, open_fields: set[str], person_count: int, device: torch.device
) -> TrainingOptions:
    with (
        reproducible(options.seed, device, options.threads),
        torch.cuda.device(device) if device.type == "cuda" else nullcontext(),
    ):
        if "amp" in open_fields:
            speed_up = _measure_speed_up(model, options, device)
            chosen = "bf16" if speed_up >= MIN_SPEED_UP else "off"
            log.info("amp auto: a step with bf16 is %.2f times as fast on this CPU; amp: %s.", speed_up, chosen)
            options = options.model_copy(update={"amp": chosen})
        if "batch_size" in open_fields:
            options = options.model_copy(update={"batch_size": _choose_batch_size(model, options, person_count, device)})
    return options


def _choose_batch_size(model: PoseModel, options: TrainingOptions, person_count: int, device: torch.device) -> int:
    largest = largest_power_of_two(min(LARGEST_BATCH[device.type], max(2, person_count / MIN_STEPS_PER_EPOCH)))
    probe = StepProbe(model, options, device)
    if device.type == "cuda":
        size = _largest_that_fits(lambda persons: probe.fits_on_gpu(-(-persons // options.processes)), largest)
    else:
        size = min(largest, largest_power_of_two(probe.persons_in_cpu_memory()))
    log.info(
        "batch_size auto: %d persons (at most %d by the number of training persons and the device). The learning rate %g is not "
        "scaled with it.", size, largest, options.learning_rate,
    )  # fmt: skip
    return size


def _largest_that_fits(fits: Callable[[int], bool], largest: int) -> int:
    """Double the batch until it does not fit.

    Args:
        fits: function that runs a step of so many persons and returns whether it fits in the memory.
        largest: largest batch to try, a power of two.
    """
    size = 2  # batch norms need two persons
    if not fits(size):
        raise OptionsError(
            f"modelling.training.batch_size: expected memory for a batch of at least {size} persons on the device, found less. "
            "Use a smaller model or smaller crops, or free memory of the device."
        )
    while size < largest and fits(2 * size):
        size *= 2
    return size


def _measure_speed_up(model: PoseModel, options: TrainingOptions, device: torch.device) -> float:
    """Return how many times as fast a step with bf16 is, by the fastest of some alternating steps."""
    names = ("off", "bf16")
    probes = {name: StepProbe(model, options.model_copy(update={"amp": name}), device) for name in names}
    fastest = dict.fromkeys(names, float("inf"))
    persons = MOST_TIMED_PERSONS if options.batch_size == "auto" else min(options.batch_size, MOST_TIMED_PERSONS)
    for turn in range(SPEED_ROUNDS + 1):
        for name, probe in probes.items():
            seconds = probe.time_step(persons)
            if turn:  # the first steps set up their kernels
                fastest[name] = min(fastest[name], seconds)
    return fastest["off"] / fastest["bf16"]

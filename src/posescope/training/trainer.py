"""Train a model: epochs of steps, a validation and a checkpoint after each; the best epoch's weights are the result.

    crops ─ normalise ─ augment ─ network ─ every stack against codec.encode(joints) ─ optimiser
                                                    after each epoch: validate, save, log

The outcome depends on the model, the data and the options alone. A run that was killed and goes on from its last checkpoint ends
with the same weights, on the CPU to the bit.
"""

import copy
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch

from posescope import __version__
from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.devices import resolve_device
from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError, OptionsError
from posescope.core.files import fingerprint
from posescope.data.crops.crop_set import CropSet
from posescope.training.acceleration import choose_acceleration
from posescope.training.batches import count_batches
from posescope.training.checkpoint_store import CheckpointError, CheckpointStore
from posescope.training.distributed.launch import run_in_processes
from posescope.training.epoch_loop import NonFiniteLossError, OnEpoch, TrainingJob, run_epochs
from posescope.training.options import TrainingOptions
from posescope.training.records import EpochRecord, TrainingOutcome, best_record
from posescope.training.validation_grids import ImageGridFolder

__all__ = ["NonFiniteLossError", "train", "read_outcome", "fine_tune"]


def train(
    model: PoseModel,
    train_set: CropSet,
    val_set: CropSet,
    options: TrainingOptions,
    store: CheckpointStore,
    fingerprint: str,
    on_epoch: OnEpoch | None = None,
    *,
    run_identity: Mapping[str, Any] | None = None,
    sheets: ImageGridFolder | None = None,
) -> TrainingOutcome:
    """Train a model, or go on with the unfinished run of the same fingerprint in `store`.

    The run is not marked as over: call `store.finish(fingerprint)` once the model is saved. Until then a second call takes the
    best weights from the checkpoints and trains nothing anew, so that a crash before the saving loses no training.

    Args:
        model: its weights are where training starts: untrained ones (`start.build_untrained`), or those of a trained model
            (`fine_tuning`); it is not changed.
        train_set, val_set: crops of the model's size, cut as the model's crops, with its joints in any order.
        options: how, and in how many processes.
        store: where checkpoints go.
        fingerprint: stands for the model's and these options and for the data.
        on_epoch: called after each epoch, when its checkpoint is on disk; with one process only.
        run_identity: JSON-like, what the fingerprint stands for: kept in the checkpoints, so that a refusal can tell what differs.
        sheets: where pictures of validation persons go; None: nowhere.

    Raises:
        DataError: if a set is empty, or the validation set has no labelled joint.
        JointMismatchError, CropMismatchError: if a set does not belong to the model.
        OptionsError: if the device does not exist, cannot do mixed precision, or cannot be shared by so many processes.
        CheckpointError: if the run named by `options.resume` is missing, finished, or of other options or data; or if there are
            checkpoints of this run and none of them is whole.
        NonFiniteLossError: if the loss or the gradient is NaN or infinite; it names the persons of the batch. Nothing of that
            step is kept: the last checkpoint is that of the epoch before.
        TrainingProcessError: if one of several processes died.
    """
    _check_sets(train_set, val_set)
    train_set, val_set = (match_crops(model, crops).crops for crops in (train_set, val_set))
    job = TrainingJob(model, train_set, val_set, options, store, fingerprint, run_identity or {}, sheets)
    device = resolve_device(options.device)
    _check_device(options, device)
    if options.processes == 1:
        run_epochs(job, device, on_epoch)
    else:
        _check_processes(job, device, on_epoch)
        run_in_processes(job, device)
    return read_outcome(job, device)


def _check_sets(train_set: CropSet, val_set: CropSet) -> None:
    for name, crop_set in (("training", train_set), ("validation", val_set)):
        if not len(crop_set):
            raise DataError(f"The {name} set holds no person.")
    if not val_set.targets.visibility.any():
        raise DataError("The validation set has no labelled joint: there is no PCK by which to choose the best epoch.")


def _check_device(options: TrainingOptions, device: torch.device) -> None:
    if options.amp == "bf16" and device.type != "cuda":
        raise OptionsError(f"amp '{options.amp}' needs a CUDA device, but device '{options.device}' is {device}. Set amp: off.")


def _check_processes(job: TrainingJob, device: torch.device, on_epoch: OnEpoch | None) -> None:
    options, batches = job.options, count_batches(len(job.train_set), job.options.batch_size)
    smallest, asked = len(job.train_set) // batches, f"processes is {options.processes}"
    if on_epoch:
        raise OptionsError(f"{asked}, but here training is watched epoch by epoch, in one process. Set processes: 1.")
    if device.type == "cuda" and device.index is not None:
        raise OptionsError(f"{asked}, but device '{options.device}' is a single one. Set device: cuda, or processes: 1.")
    if device.type == "cuda" and torch.cuda.device_count() < options.processes:
        raise OptionsError(f"{asked}, but torch sees {torch.cuda.device_count()} CUDA devices, and each process needs its own.")
    if smallest < options.processes:
        raise OptionsError(
            f"{asked}, but the smallest batch holds {smallest} of {len(job.train_set)} training persons, and each process needs "
            f"one at least. Set batch_size (now {options.batch_size}) higher, or processes lower."
        )


# MERGED from outcome: What a training run came to, read back from its checkpoints.


def read_outcome(job: TrainingJob, device: torch.device) -> TrainingOutcome:
    """The model with the weights that the options ask for, on the device, and the history.

    Raises:
        CheckpointError: if the run has no whole checkpoint.
    """
    last = job.store.latest(job.fingerprint)
    if last is None:
        raise CheckpointError(f"{job.store.root / job.fingerprint}: the run left no checkpoint. Train it again.")
    chosen = best_record(last.history) if job.options.final_weights == "best" else last.history[-1]
    state = job.store.read(job.fingerprint, chosen.epoch)
    network = copy.deepcopy(job.model.network).to(device)
    network.load_state_dict(state.part("average" if job.options.ema_decay else "network"))
    network = network.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    provenance = {**job.model.provenance, **_describe(job, last.history, chosen), "device": _describe_device(job, device)}
    return TrainingOutcome(replace(job.model, network=network, provenance=provenance), last.history)


def _describe(job: TrainingJob, history: tuple[EpochRecord, ...], chosen: EpochRecord) -> dict[str, Any]:
    return {
        "epochs": len(history),
        "best_epoch": best_record(history).epoch,
        "epoch": chosen.epoch,
        "train_loss": chosen.train_loss,
        "val_loss": chosen.val_loss,
        "val_pck_thesis": chosen.val_pck_thesis,
        "train_persons": len(job.train_set),
        "val_persons": len(job.val_set),
        "training": job.options.model_dump(mode="json"),
        "test_set_fingerprint": job.run_identity.get("test_set_fingerprint"),
        "data_fingerprint": job.run_identity.get("crop_statistics", {}).get("data_fingerprint"),
        "generated_sample": job.run_identity.get("crop_statistics", {}).get("generated", False),
        "fingerprint": job.fingerprint,
        "torch": torch.__version__,
        "posescope": __version__,
    }


def _describe_device(job: TrainingJob, device: torch.device) -> dict[str, Any]:
    """What was done on what: the options may leave it open (`auto`)."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"name": name, **asdict(choose_acceleration(job.options, device))}


# MERGED from fine_tuning: Going on with a model that is trained already: the same loop, from its weights.


def fine_tune(
    start: PoseModel,
    train_set: CropSet,
    val_set: CropSet,
    options: TrainingOptions,
    store: CheckpointStore,
    run_identity: Mapping[str, Any],
) -> TrainingOutcome:
    """Train a model from the weights that it has, or go on with the unfinished run that began from the same weights.

    As `train`, with its errors; the optimiser and the schedule begin anew. The run is over once `store.finish` is called with the
    `fingerprint` in the outcome's provenance, which holds that of `start` too.

    Args:
        start: trained; it is not changed.
        train_set, val_set: crops of the model's size and skeleton.
        options: of this training.
        store: where checkpoints go.
        run_identity: JSON-like, what stands for the data; options and the weights at the start are added.
    """
    whole = {
        **run_identity,
        "modelling": {"model": start.model_spec.model_dump(mode="json"), "training": options.identity()},
        "start": fingerprint_of_model(start),
    }
    begun = replace(start, provenance={"start": dict(start.provenance)})
    return train(begun, train_set, val_set, options, store, fingerprint(whole), run_identity=whole)

"""Training and fine-tuning of a model: epochs of steps, each with a validation and a checkpoint.

    crops ─ augment ─ normalise ─ network ─ loss of each stack against codec.encode(joints) ─ optimiser
                                                    after each epoch: validate, save, log

The result depends on the model, the data and the options only. A killed run that is resumed from its last checkpoint has the same
final weights, bit by bit on a CPU.
"""

import copy
import logging
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
from posescope.training.acceleration import choose_acceleration, has_native_bf16
from posescope.training.automatic_options import resolve_automatic
from posescope.training.batches import count_batches
from posescope.training.checkpoint_store import CheckpointError, CheckpointStore
from posescope.training.distributed.elastic import run_on_nodes
from posescope.training.distributed.joined_training import train_as_process
from posescope.training.distributed.launch import run_in_processes
from posescope.training.distributed.placement import NoResultError, Placement
from posescope.training.epoch_loop import NonFiniteLossError, OnEpoch, TrainingJob, run_epochs
from posescope.training.observer import TrainingObserver
from posescope.training.options import TrainingOptions
from posescope.training.records import EpochRecord, TrainingOutcome, best_record
from posescope.training.trained_parts import TrainedParts
from posescope.training.validation_grids import ImageGridFolder

__all__ = ["NonFiniteLossError", "fine_tune", "train"]

log = logging.getLogger(__name__)


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
    image_grids: ImageGridFolder | None = None,
    parts: TrainedParts | None = None,
    placement: Placement | None = None,
    observer: TrainingObserver | None = None,
) -> TrainingOutcome:
    """Train a model, or resume the unfinished run of the same fingerprint in `store`.

    The run is not marked as finished: call `store.finish(fingerprint)` after the model is saved. Until then a second call reads
    the final weights from the checkpoints without training, so that a crash before saving loses nothing.

    Args:
        model: model with the initial weights, untrained (`initialisation.build_untrained`) or trained; it is not changed.
        train_set, val_set: crops with the size, the crop recipe and the joints of the model; the joints may be in any order.
        options: options of the training.
        store: store of the checkpoints.
        fingerprint: fingerprint of the model's options, of `options` and of the data.
        on_epoch: function that is called after each epoch, when its checkpoint is written; only with one process.
        run_identity: JSON-like content that the fingerprint is computed of; saved in the checkpoints to explain refusals.
        image_grids: folder of image grids of validation persons; None: no image grids.
        parts: parts of the network that are frozen or have a learning rate of their own; None: all are trained alike. The
            fingerprint must include its `identity`.
        placement: place of this process among several nodes (`placement.find_placement`); None: this machine trains alone.
        observer: is called by the main process at the start, after each epoch and at the end, such as by an experiment logger;
            None: there is none.

    Raises:
        DataError: A set is empty, or the validation set has no labelled joint.
        JointMismatchError, CropMismatchError: A set does not match the model.
        OptionsError: The device does not exist, has no mixed precision, or cannot be shared by so many processes; `parts` names
            modules that the network lacks, or leaves nothing to train.
        CheckpointError: The run `options.resume` is missing, finished, or has other options or data; or all checkpoints of this
            run are damaged.
        NonFiniteLossError: The loss or the gradient is NaN or infinite; the message names the persons of the batch. The last
            checkpoint is that of the previous epoch.
        TrainingProcessError: One of several processes died, or the nodes did not meet.
        NoResultError: The training is complete, and the main process on another node has the result.
    """
    _check_sets(train_set, val_set)
    train_set, val_set = (match_crops(model, crops) for crops in (train_set, val_set))
    parts = parts or TrainedParts()
    job = TrainingJob(model, train_set, val_set, options, store, fingerprint, run_identity or {}, image_grids, parts, observer)
    device = resolve_device(options.device)
    _check_device(options, device)
    _run(job, device, on_epoch, placement)
    if placement and not placement.is_main:
        raise NoResultError("The training is complete; the main process on node 0 has the model.")
    return _read_outcome(job, device)


def fine_tune(
    start: PoseModel,
    train_set: CropSet,
    val_set: CropSet,
    options: TrainingOptions,
    store: CheckpointStore,
    run_identity: Mapping[str, Any],
) -> TrainingOutcome:
    """Continue the training of a model from its weights, with a new optimiser and schedule, or resume such a run.

    Errors are those of `train`. The run is finished after `store.finish` with the `fingerprint` in the outcome's provenance,
    which includes the provenance of `start`.

    Args:
        start: trained model; it is not changed.
        train_set, val_set: crops with the size, the crop recipe and the joints of the model.
        options: options of this training, which runs on this machine alone.
        store: store of the checkpoints.
        run_identity: JSON-like content that identifies the data; options and initial weights are added.
    """
    options = options.on_one_node()
    whole = {
        **run_identity,
        "modelling": {"model": start.model_spec.model_dump(mode="json"), "training": options.identity()},
        "start": fingerprint_of_model(start),
    }
    initial = replace(start, provenance={"start": dict(start.provenance)})
    options, whole = resolve_automatic(initial, options, len(train_set), store, whole)
    return train(initial, train_set, val_set, options, store, fingerprint(whole), run_identity=whole)


def _run(job: TrainingJob, device: torch.device, on_epoch: OnEpoch | None, placement: Placement | None) -> None:
    """Run the epochs in this process, in several of this machine, or together with other nodes."""
    options = job.options
    process = placement.process if placement else None
    if options.nodes > 1 and placement is None:
        raise OptionsError(
            f"nodes is {options.nodes}, but only the training of the pipeline modelling runs on several nodes. Set nodes: 1."
        )
    if options.process_count == 1 and process is None:
        run_epochs(job, device, on_epoch)
        return
    _check_processes(job, device, on_epoch, process.local_size if process else options.processes)
    if process:
        train_as_process(job, device, process)
    elif placement and options.nodes > 1:
        run_on_nodes(job, device, placement.node)
    else:
        run_in_processes(job, device)


def _check_sets(train_set: CropSet, val_set: CropSet) -> None:
    for name, crop_set in (("training", train_set), ("validation", val_set)):
        if not len(crop_set):
            raise DataError(f"The {name} set has no persons.")
    if not val_set.targets.visibility.any():
        raise DataError("The validation set has no labelled joint, so there is no PCK to select the best epoch.")


def _check_device(options: TrainingOptions, device: torch.device) -> None:
    if options.amp == "bf16" and device.type == "cpu" and not has_native_bf16(device):
        raise OptionsError(
            "modelling.training.amp: expected for 'bf16' a CUDA device, or a CPU with native bf16 (AVX512-BF16, AMX, ARM BF16), "
            f"found a CPU without it (device '{options.device}'). Set amp: off."
        )


def _check_processes(job: TrainingJob, device: torch.device, on_epoch: OnEpoch | None, local_count: int) -> None:
    options, batches = job.options, count_batches(len(job.train_set), job.options.persons_per_step)
    smallest, found = len(job.train_set) // batches, f"processes is {options.processes}"
    if options.nodes > 1:
        found = f"{found} on each of {options.nodes} nodes"
    if on_epoch:
        raise OptionsError(f"{found}, but on_epoch works with one process only. Set processes: 1.")
    if device.type == "cuda" and device.index is not None:
        raise OptionsError(f"{found}, but device '{options.device}' is a single device. Set device: cuda, or processes: 1.")
    if device.type == "cuda" and torch.cuda.device_count() < local_count:
        raise OptionsError(f"{found}, but torch has {torch.cuda.device_count()} CUDA devices, and each process needs its own.")
    if smallest < options.process_count:
        raise OptionsError(
            f"{found}, but the smallest batch has {smallest} of {len(job.train_set)} training persons, and each process needs at "
            f"least one. Increase batch_size (now {options.persons_per_step}) or reduce processes."
        )
    if device.type == "cpu":
        log.warning("%s on a CPU, which is slower than one process with several threads and meant for tests.", found)


def _read_outcome(job: TrainingJob, device: torch.device) -> TrainingOutcome:
    """Return the model with the final weights on the device, and the history, read from the checkpoints.

    Raises:
        CheckpointError: The run has no intact checkpoint.
    """
    last = job.store.latest(job.fingerprint)
    if last is None:
        raise CheckpointError(f"{job.store.root / job.fingerprint}: the run has no checkpoint. Train it again.")
    chosen = best_record(last.history) if job.options.final_weights == "best" else last.history[-1]
    state = job.store.read(job.fingerprint, chosen.epoch)
    network = copy.deepcopy(job.model.network).to(device)
    network.load_state_dict(state.part("ema" if job.options.ema_decay else "network"))
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
        "training": job.options.without_places().model_dump(mode="json"),
        **({"trained_parts": job.parts.identity()} if job.parts.identity() else {}),
        "test_set_fingerprint": job.run_identity.get("test_set_fingerprint"),
        "data_fingerprint": job.run_identity.get("crop_statistics", {}).get("data_fingerprint"),
        "generated_sample": job.run_identity.get("crop_statistics", {}).get("generated", False),
        "fingerprint": job.fingerprint,
        "torch": torch.__version__,
        "posescope": __version__,
    }


def _describe_device(job: TrainingJob, device: torch.device) -> dict[str, Any]:
    """Return the device and the acceleration that was used, which options may leave open (`auto`)."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"name": name, **asdict(choose_acceleration(job.options, device))}

"""What a training run came to, read back from its checkpoints."""

import copy
from dataclasses import asdict, replace
from typing import Any

import torch

from posescope import __version__
from posescope.training.checkpoints import CheckpointError
from posescope.training.records import EpochRecord, TrainingOutcome, best_record
from posescope.training.run import TrainingJob
from posescope.training.speedups import choose_speedups

__all__ = ["read_outcome"]


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
        "test_people": job.made_of.get("test_people"),
        "data_fingerprint": job.made_of.get("crop_statistics", {}).get("data_fingerprint"),
        "generated_sample": job.made_of.get("crop_statistics", {}).get("generated", False),
        "fingerprint": job.fingerprint,
        "torch": torch.__version__,
        "posescope": __version__,
    }


def _describe_device(job: TrainingJob, device: torch.device) -> dict[str, Any]:
    """What was done on what: the options may leave it open (`auto`)."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"name": name, **asdict(choose_speedups(job.options, device))}

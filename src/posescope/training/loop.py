"""The training loop: epochs of steps, a validation and a checkpoint after each; the best epoch's weights are the result.

    crops ─ normalise ─ augment ─ network ─ every stack against codec.encode(joints) ─ optimiser
                                                    after each epoch: validate, save, log

The outcome depends on the model, the data and the options alone. A run that was killed and goes on from its last checkpoint ends
with the same weights, on the CPU to the bit.
"""

import copy
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from posescope import __version__
from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel, warn_of_missing_pairs
from posescope.crops.crop_set import CropSet
from posescope.errors import DataError, OptionsError, PosescopeError
from posescope.plugins import build
from posescope.training.augmentations import Flip
from posescope.training.averaging import WeightAverage
from posescope.training.batches import Batch, count_batches, iterate_batches, shuffled_order
from posescope.training.checkpoints import CheckpointStore
from posescope.training.options import TrainingOptions
from posescope.training.parts import encode_in_parts, normalise_in_parts
from posescope.training.plan import AugmentedBatch, apply_plan, start_plan
from posescope.training.progress import TrainingProgress
from posescope.training.records import EpochRecord, TrainingOutcome, best_record
from posescope.training.reproducible import reproducible, step_generator
from posescope.training.schedules import learning_rate_at
from posescope.training.sheets import SheetFolder, picture_predictions
from posescope.training.state import capture_state, restore_state
from posescope.training.supervision import supervise
from posescope.training.validation import validate

__all__ = ["NonFiniteLossError", "train"]

log = logging.getLogger(__name__)

OnEpoch = Callable[[EpochRecord], None]


class NonFiniteLossError(PosescopeError):
    """The loss or the gradient became NaN or infinite."""


def train(
    model: PoseModel,
    train_set: CropSet,
    val_set: CropSet,
    options: TrainingOptions,
    store: CheckpointStore,
    fingerprint: str,
    on_epoch: OnEpoch | None = None,
    *,
    made_of: Mapping[str, Any] | None = None,
    sheets: SheetFolder | None = None,
) -> TrainingOutcome:
    """Train a model, or go on with the unfinished run of the same fingerprint in `store`.

    The run is not marked as over: call `store.finish(fingerprint)` once the model is saved. Until then a second call takes the
    best weights from the checkpoints and trains nothing anew, so that a crash before the saving loses no training.

    Args:
        model: untrained (see `start.build_untrained`); it is not changed.
        train_set, val_set: crops of the model's size and skeleton.
        options: how.
        store: where checkpoints go.
        fingerprint: stands for the model's and these options and for the data.
        on_epoch: called after each epoch, when its checkpoint is on disk.
        made_of: JSON-like, what the fingerprint stands for: kept in the checkpoints, so that a refusal can tell what differs.
        sheets: where pictures of validation persons go; None: nowhere.

    Raises:
        DataError: if a set is empty, does not fit the model, or the validation set has no labelled joint.
        OptionsError: if the device does not exist, or cannot do mixed precision.
        CheckpointError: if the run named by `options.resume` is missing, finished, or of other options or data; or if there are
            checkpoints of this run and none of them is whole.
        NonFiniteLossError: if the loss or the gradient is NaN or infinite; it names the persons of the batch. Nothing of that
            step is kept: the last checkpoint is that of the epoch before.
    """
    device = resolve_device(options.device)
    _check_fit(model, train_set, val_set, options, device)
    with reproducible(options.seed, device, options.threads):
        run = _Run(model, train_set, val_set, options, fingerprint, device)
        run.made_of, run.sheets = made_of or {}, sheets
        run.resume_or_begin(store)
        for epoch in range(len(run.history) + 1, options.epochs + 1):
            run.run_epoch(epoch)
            state = capture_state(fingerprint, run.step, run.history, run.network, run.optimiser, run.average, run.made_of)
            store.save(state, options.keep_checkpoints)
            if on_epoch:
                on_epoch(run.history[-1])
        return TrainingOutcome(run.final_model(store), run.history)


class _Run:
    """One run's working state: what `train` changes epoch by epoch."""

    def __init__(
        self,
        model: PoseModel,
        train_set: CropSet,
        val_set: CropSet,
        options: TrainingOptions,
        fingerprint: str,
        device: torch.device,
    ) -> None:
        self.options, self.train_set, self.val_set, self.fingerprint = options, train_set, val_set, fingerprint
        network = copy.deepcopy(model.network).to(device)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model = replace(model, network=self.network)
        parameters = list(self.network.parameters())
        self.optimiser: torch.optim.Optimizer = build(
            "optimisers", options.optimiser, parameters=parameters, learning_rate=options.learning_rate
        )
        self.loss = build("losses", options.loss)
        self.augmentations = [build("augmentations", spec) for spec in options.augmentations]
        if any(isinstance(augmentation, Flip) for augmentation in self.augmentations):
            warn_of_missing_pairs(model.skeleton, "the augmentation flip")
        self.average = WeightAverage(self.network, options.ema_decay) if options.ema_decay else None
        self.history: tuple[EpochRecord, ...] = ()
        self.made_of: Mapping[str, Any] = {}
        self.sheets: SheetFolder | None = None
        self.step = 0
        self.steps_per_epoch = count_batches(len(train_set), options.batch_size)
        self.progress = TrainingProgress(options.epochs, len(train_set))

    def resume_or_begin(self, store: CheckpointStore) -> None:
        """Take up the last whole epoch of this run, or make room for a new one."""
        if self.options.resume:
            store.require(self.options.resume, self.fingerprint, self.made_of)
        store.clean(self.fingerprint)
        state = store.latest(self.fingerprint)
        if self.sheets:
            self.sheets.begin(self.fingerprint, state.epoch if state else 0)
        if state is None:
            store.begin(self.fingerprint)
            log.info("A new run, %s.", self.fingerprint)
            return
        store.prune(state, self.options.keep_checkpoints)  # the killed process may not have come to it
        restore_state(state, self.network, self.optimiser, self.average)
        self.history, self.step = state.history, state.step
        self.progress.note_pck(state.history[-1].val_pck_thesis)
        if state.epoch >= self.options.epochs:
            log.warning("Run %s has all its epochs, but its model was never saved: taken from its checkpoints.", self.fingerprint)
        log.info("Going on after epoch %d of %d (run %s).", state.epoch, self.options.epochs, self.fingerprint)

    def run_epoch(self, epoch: int) -> None:
        """Train, validate, draw, and note what came out."""
        started = time.perf_counter()
        train_loss = self._train_epoch(epoch)
        trained_s = time.perf_counter() - started
        model = replace(self.model, network=self.average.network if self.average else self.network)
        result = validate(model, self.val_set, self.loss, self.options.batch_size)
        self.progress.note_pck(result.pck_thesis)
        self._draw_sheet(model, epoch, result.pck_thesis)
        rate = self.optimiser.param_groups[0]["lr"]
        seconds = time.perf_counter() - started
        self.history = (*self.history, EpochRecord(epoch, train_loss, result.loss, result.pck_thesis, rate, seconds))
        log.info(
            "epoch %d/%d: loss %.4g, validation loss %.4g, validation PCK (thesis) %.4f, learning rate %.3g, %.0f persons/s",
            epoch, self.options.epochs, train_loss, result.loss, result.pck_thesis, rate, len(self.train_set) / trained_s,
        )  # fmt: skip

    def final_model(self, store: CheckpointStore) -> PoseModel:
        """The model with the weights that the options ask for, from their checkpoint."""
        chosen = best_record(self.history) if self.options.final_weights == "best" else self.history[-1]
        state = store.read(self.fingerprint, chosen.epoch)
        self.network.load_state_dict(state.part("average" if self.average else "network"))
        self.network.eval()
        return replace(self.model, provenance={**self.model.provenance, **self._describe(chosen)})

    def _draw_sheet(self, model: PoseModel, epoch: int, pck: float) -> None:
        every = self.options.sheet_every_epochs
        if self.sheets and every and (epoch % every == 0 or epoch == self.options.epochs):
            title = f"Validation persons after epoch {epoch} of {self.options.epochs}: PCK (thesis) {pck:.3f}"
            self.sheets.write(self.fingerprint, epoch, picture_predictions(model, self.val_set, title))

    def _train_epoch(self, epoch: int) -> float:
        self.network.train()
        order = shuffled_order(len(self.train_set), self.options.seed, epoch)
        batches = iterate_batches(self.train_set, order, self.options.batch_size, self.model.device)
        loss_sum = 0.0
        for batch in self.progress.watch(batches, epoch):
            loss = self._train_step(batch, epoch)
            loss_sum += loss * len(batch)
            self.progress.note_loss(loss)
        return loss_sum / len(self.train_set)

    def _train_step(self, batch: Batch, epoch: int) -> float:
        ready = self._augment(batch, epoch)
        targets = encode_in_parts(self.model.codec, ready.joints, ready.visibility)
        rate = self._learning_rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(ready.images.device.type, dtype=torch.bfloat16, enabled=self.options.amp == "bf16"):
            outputs = self.network(ready.images)
        loss = supervise(outputs, targets, self.loss)
        loss.backward()  # type: ignore[no-untyped-call]
        value = _finite_value(loss, self._clip_gradient(), batch, epoch, self.step)
        self.optimiser.step()
        if self.average:
            self.average.update(self.network, self.step)
        self.step += 1
        return value

    def _clip_gradient(self) -> Tensor:
        """Clip it if so asked; its norm before, over all weights."""
        if self.options.grad_clip:
            return nn.utils.clip_grad_norm_(self.network.parameters(), self.options.grad_clip)
        return nn.utils.get_total_norm([weight.grad for weight in self.network.parameters() if weight.grad is not None])

    def _augment(self, batch: Batch, epoch: int) -> AugmentedBatch:
        if not self.augmentations:
            return AugmentedBatch(normalise_in_parts(batch.images, self.model.mean_rgb), batch.joints, batch.visibility)
        generator = step_generator(self.options.seed, epoch, self.step)
        plan = start_plan(batch.targets, self.model.skeleton, self.train_set.crop_size)
        for augmentation in self.augmentations:
            plan = augmentation(generator, plan)
        return apply_plan(plan, batch.images, batch.joints, batch.visibility, self.model.mean_rgb)

    def _learning_rate(self) -> float:
        options, pcks = self.options, [record.val_pck_thesis for record in self.history]
        step_count = options.epochs * self.steps_per_epoch
        return learning_rate_at(options.schedule, options.learning_rate, self.step, step_count, pcks)

    def _describe(self, chosen: EpochRecord) -> dict[str, Any]:
        return {
            "epochs": len(self.history),
            "best_epoch": best_record(self.history).epoch,
            "epoch": chosen.epoch,
            "train_loss": chosen.train_loss,
            "val_loss": chosen.val_loss,
            "val_pck_thesis": chosen.val_pck_thesis,
            "train_persons": len(self.train_set),
            "val_persons": len(self.val_set),
            "training": self.options.model_dump(mode="json"),
            "fingerprint": self.fingerprint,
            "torch": torch.__version__,
            "posescope": __version__,
        }


def _finite_value(loss: Tensor, gradient_norm: Tensor, batch: Batch, epoch: int, step: int) -> float:
    """The loss as a number, once it and the gradient are known to be finite; one wait for the device, not two."""
    value, norm = torch.stack([loss.detach(), gradient_norm.detach()]).tolist()
    if not (math.isfinite(value) and math.isfinite(norm)):
        what = f"The loss is {value}" if not math.isfinite(value) else f"The loss is {value}, but the gradient's norm is {norm}"
        persons = ", ".join(str(person) for person in batch.person_ids)
        raise NonFiniteLossError(
            f"{what} in epoch {epoch}, step {step}. Persons of the batch: {persons}. "
            "Look at these crops and their labels; lower learning_rate or set grad_clip. Nothing of this epoch was saved."
        )
    return float(value)


def _check_fit(model: PoseModel, train_set: CropSet, val_set: CropSet, options: TrainingOptions, device: torch.device) -> None:
    for name, crop_set in (("training", train_set), ("validation", val_set)):
        if not len(crop_set):
            raise DataError(f"The {name} set holds no person.")
        found, expected = (*crop_set.crop_size, crop_set.joint_count), (*model.crop_size, len(model.skeleton))
        if found != expected:
            raise DataError(f"The {name} set has crops (height, width, joints) of {found}, but the model expects {expected}.")
    if not val_set.targets.visibility.any():
        raise DataError("The validation set has no labelled joint: there is no PCK by which to choose the best epoch.")
    if options.amp != "off" and device.type != "cuda":
        raise OptionsError(f"amp '{options.amp}' needs a CUDA device, but device '{options.device}' is {device}. Set amp: off.")

"""The epoch loop of one training process: training steps, a validation and a checkpoint per epoch."""

import copy
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from posescope.artifacts.pose_model import PoseModel, normalise_images
from posescope.codecs.base import encode_weighted
from posescope.core.data_folder import share_folder_lock
from posescope.core.plugins import build
from posescope.core.skeleton import warn_about_unpaired_joints
from posescope.data.crops.crop_set import CropSet
from posescope.training.acceleration import Acceleration, choose_acceleration, compile_parts, raise_recompile_limit
from posescope.training.augmentation.execution import AugmentedBatch, apply_plan
from posescope.training.augmentation.plan import start_plan
from posescope.training.augmentation.transforms import Flip
from posescope.training.batches import Batch, count_batches, iterate_batches, order_persons
from posescope.training.checkpoint_state import capture_state, restore_state, state_from_bytes, state_to_bytes
from posescope.training.checkpoint_store import CheckpointStore, TrainingState
from posescope.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from posescope.training.ema import ExponentialMovingAverage
from posescope.training.gradients import CudaGraphGradients, EagerGradients, Gradients
from posescope.training.loss_monitor import LossMonitor, NonFiniteLossError, StepLoss
from posescope.training.losses import build_loss
from posescope.training.observer import TrainingObserver
from posescope.training.options import TrainingOptions
from posescope.training.records import EpochRecord, epochs_without_better
from posescope.training.reproducibility import reproducible, step_generator
from posescope.training.schedules import learning_rate_at
from posescope.training.trained_parts import RATE_SCALE, TrainedParts, freeze_parts, group_parameters
from posescope.training.validation import validate
from posescope.training.validation_grids import ImageGridFolder, draw_predictions

__all__ = ["NonFiniteLossError", "OnEpoch", "TrainingJob", "run_epochs"]

log = logging.getLogger(__name__)

OnEpoch = Callable[[EpochRecord], None]


@dataclass(frozen=True)
class TrainingJob:
    """Arguments of a training run; see `trainer.train`."""

    model: PoseModel
    train_set: CropSet
    val_set: CropSet
    options: TrainingOptions
    store: CheckpointStore
    fingerprint: str
    run_identity: Mapping[str, Any] = field(default_factory=dict)
    image_grids: ImageGridFolder | None = None
    parts: TrainedParts = field(default_factory=TrainedParts)
    observer: TrainingObserver | None = None


def run_epochs(
    job: TrainingJob, device: torch.device, on_epoch: OnEpoch | None = None, process_group: ProcessGroup = SINGLE_PROCESS
) -> None:
    """Train until the last epoch or early stopping, from the last checkpoint if there is one. The checkpoints hold the results.

    Args:
        job: training job, the same in all processes.
        device: device of this process.
        on_epoch: function that is called after each epoch, when its checkpoint is written.
        process_group: the processes that train together.

    Raises:
        CheckpointError: The run `options.resume` is missing, finished, or has other options or data; or all checkpoints of this
            run are damaged.
        NonFiniteLossError: The loss or the gradient is NaN or infinite; it is raised in all processes.
    """
    acceleration = choose_acceleration(job.options, device)
    with (
        # A process on another node writes nothing, and may not see the folder.
        share_folder_lock(job.store.root) if process_group.node == 0 else nullcontext(),
        reproducible(job.options.seed, device, job.options.threads),
        torch.cuda.device(device) if device.type == "cuda" else nullcontext(),
        raise_recompile_limit() if acceleration.compiled else nullcontext(),
    ):
        run = _Run(job, device, process_group, acceleration)
        run.resume_or_begin()
        with run.observed():
            while not run.is_complete:
                run.run_epoch(len(run.history) + 1)
                if process_group.is_main:
                    run.save()
                run.update_observer()
                if on_epoch:
                    on_epoch(run.history[-1])


class _Run:
    """Working state of a run."""

    def __init__(self, job: TrainingJob, device: torch.device, process_group: ProcessGroup, acceleration: Acceleration) -> None:
        options = job.options
        self.job, self.options, self.process_group, self.acceleration = job, options, process_group, acceleration
        self.layout = torch.channels_last if options.channels_last else torch.contiguous_format
        network = process_group.convert_batch_norms(copy.deepcopy(job.model.network).to(device))
        self.network: Any = network.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.model = replace(job.model, network=self.network)
        self.frozen = freeze_parts(self.network, job.parts.freeze)
        self.optimiser: torch.optim.Optimizer = build(
            "optimisers",
            options.optimiser,
            parameters=group_parameters(self.network, job.parts.learning_rate_scale, options.learning_rate),
            learning_rate=options.learning_rate,
        )
        self.loss = build_loss(options.loss, job.model.codec, job.model.skeleton)
        self.augmentations = [build("augmentations", spec) for spec in options.augmentations]
        if process_group.is_main and any(isinstance(augmentation, Flip) for augmentation in self.augmentations):
            warn_about_unpaired_joints(job.model.skeleton, "the augmentation flip")
        self.ema = ExponentialMovingAverage(self.network, options.ema_decay) if options.ema_decay else None
        self.gradients = self._make_gradients(device)
        self.history: tuple[EpochRecord, ...] = ()
        self.step = 0
        self.steps_per_epoch = count_batches(len(job.train_set), options.persons_per_step)
        self.monitor = LossMonitor()
        self.observer_failed = False
        self.shown = {"loss": "?", "PCK": "?"}  # of the last step and of the last validation, beside the progress bar

    def _make_gradients(self, device: torch.device) -> Gradients:
        forward = self.process_group.wrap(self.network, device)
        if self.acceleration.compiled:
            compile_parts(self.network)
        if self.process_group.is_main and (description := self.acceleration.describe()):
            log.info("Training steps on %s: %s.", device, description)
        step = EagerGradients(forward, self.loss, self.acceleration.bf16, self.layout)
        return CudaGraphGradients(step, self.network) if self.acceleration.cuda_graph else step

    @property
    def is_complete(self) -> bool:
        """Whether no epoch is left; the history, and so the answer, is the same in all processes."""
        return len(self.history) >= self.options.epochs or self._has_stopped()

    def _has_stopped(self) -> bool:
        patience = self.options.patience
        return patience is not None and epochs_without_better(self.history) >= patience

    def resume_or_begin(self) -> None:
        """Restore the last complete epoch of this run, or prepare a new run."""
        state = self._share(self._find_state() if self.process_group.is_main else None)
        if self.job.image_grids and self.process_group.is_main:
            self.job.image_grids.begin(self.job.fingerprint, state.epoch if state else 0)
        if state is None:
            if self.process_group.is_main:
                self.job.store.begin(self.job.fingerprint)
                log.info("New run %s.", self.job.fingerprint)
            return
        restore_state(state, self.network, self.optimiser, self.ema)
        self.history, self.step = state.history, state.step
        self.shown["PCK"] = f"{state.history[-1].val_pck_thesis:.3f}"
        if self.is_complete:
            log.warning(
                "Run %s has all its epochs, but its model was not saved; it is read from the checkpoints.",
                self.job.fingerprint,
            )
        log.info("Resuming run %s after epoch %d of %d.", self.job.fingerprint, state.epoch, self.options.epochs)

    def run_epoch(self, epoch: int) -> None:
        """Train one epoch, validate, draw an image grid if it is due, and add to the history."""
        started = time.perf_counter()
        train_loss = self._train_epoch(epoch)
        trained_s = time.perf_counter() - started
        model = replace(self.model, network=self.ema.network if self.ema else self.network)
        # A validation has other batch sizes and is too short for a compilation.
        with torch.compiler.set_stance("force_eager") if self.acceleration.compiled else nullcontext():
            result = validate(model, self.job.val_set, self.loss, self.options.persons_per_step, self.process_group)
            self.shown["PCK"] = f"{result.pck_thesis:.3f}"
            if self.process_group.is_main:
                self._write_image_grid(model, epoch, result.pck_thesis)
        group = self.optimiser.param_groups[0]
        rate = group["lr"] / group.get(RATE_SCALE, 1.0)
        seconds = time.perf_counter() - started
        self.history = (*self.history, EpochRecord(epoch, train_loss, result.loss, result.pck_thesis, rate, seconds))
        log.info(
            "epoch %d/%d: loss %.4g, validation loss %.4g, validation PCK (thesis) %.4f, learning rate %.3g, %.0f persons/s",
            epoch, self.options.epochs, train_loss, result.loss, result.pck_thesis, rate, len(self.job.train_set) / trained_s,
        )  # fmt: skip
        if self.process_group.is_main and epoch < self.options.epochs and self._has_stopped():
            log.info(
                "Training stops after epoch %d of %d: no epoch since epoch %d had a higher validation PCK (patience %d).",
                epoch, self.options.epochs, epoch - epochs_without_better(self.history), self.options.patience,
            )  # fmt: skip

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Call the observer of the job, if there is one, at the start and at the end of the block."""
        self.update_observer()
        try:
            yield
        except BaseException as error:
            self.close_observer(error)
            raise
        self.close_observer()

    def close_observer(self, error: BaseException | None = None) -> None:
        """Close the observer; only the main process has one.

        Args:
            error: exception that ended the training; None: the training is complete.
        """
        if self.job.observer and self.process_group.is_main:
            self._call_observer(partial(self.job.observer.close, error))

    def update_observer(self) -> None:
        """Pass all epochs so far to the observer; only the main process has one."""
        if self.job.observer and self.process_group.is_main:
            grids = self.job.image_grids
            folder = grids.root / self.job.fingerprint if grids else None
            self._call_observer(partial(self.job.observer.update, self.job.fingerprint, self.history, folder))

    def _call_observer(self, call: Callable[[], None]) -> None:
        """Call the observer; its first error is a warning, since it must not end a training."""
        try:
            call()
        except Exception as error:
            level = logging.DEBUG if self.observer_failed else logging.WARNING
            self.observer_failed = True
            log.log(level, "The observer of the training failed; the training continues. %s: %s", type(error).__name__, error)

    def save(self) -> None:
        """Write a checkpoint of the last epoch."""
        job = self.job
        state = capture_state(job.fingerprint, self.step, self.history, self.network, self.optimiser, self.ema, job.run_identity)
        job.store.save(state, self.options.keep_checkpoints)

    def _share(self, state: TrainingState | None) -> TrainingState | None:
        """Return the state of the main process, which alone reads and writes checkpoints, in all processes."""
        if self.process_group.size == 1:
            return state
        content = self.process_group.broadcast(state_to_bytes(state), self.model.device)
        return state if self.process_group.is_main else state_from_bytes(content)

    def _find_state(self) -> TrainingState | None:
        store, fingerprint = self.job.store, self.job.fingerprint
        if self.options.resume:
            store.check_resumable(self.options.resume, fingerprint, self.job.run_identity)
        store.clean(fingerprint)
        store.log_others(fingerprint)
        state = store.latest(fingerprint)
        if state:
            store.prune(state, self.options.keep_checkpoints)  # a killed process may not have done it
        return state

    def _write_image_grid(self, model: PoseModel, epoch: int, pck: float) -> None:
        every, image_grids = self.options.image_grid_every_epochs, self.job.image_grids
        if image_grids and every and (epoch % every == 0 or epoch == self.options.epochs):
            title = f"Validation persons after epoch {epoch} of {self.options.epochs}: PCK (thesis) {pck:.3f}"
            image_grids.write(self.job.fingerprint, epoch, draw_predictions(model, self.job.val_set, title))

    def _train_epoch(self, epoch: int) -> float:
        self.network.train()
        for module in self.frozen:
            module.eval()
        train_set = self.job.train_set
        options = self.options
        order = order_persons(train_set, options.seed, epoch, options.shuffle_window_shards)
        batches = iterate_batches(
            train_set, order, options.persons_per_step, self.model.device, self.process_group,
            whole_shards=options.shuffle_window_shards is not None,
        )  # fmt: skip
        loss_sum = 0.0
        with self._progress_bar(epoch) as bar:
            for batch in batches:
                loss_sum += self._note(self._train_step(batch, epoch))
                bar.set_postfix(self.shown, refresh=False)
                bar.update(len(batch))
        loss_sum += self._note(self.monitor.finish())
        return loss_sum / len(train_set)

    def _progress_bar(self, epoch: int) -> "tqdm[Any]":
        """Return a bar over the persons of all epochs at the start of one, so that it shows the remaining time of the run."""
        persons = len(self.job.train_set)
        return tqdm(
            desc=f"epoch {epoch}/{self.options.epochs}",
            total=self.options.epochs * persons,
            initial=(epoch - 1) * persons,
            unit=" persons",
            smoothing=0,
            leave=False,
            disable=None if self.process_group.is_main else True,  # None: no bar where the output is no terminal
        )

    def _note(self, step: StepLoss | None) -> float:
        """Keep the loss of a step for the progress bar and return its sum over the persons."""
        if step is None:
            return 0.0
        self.shown["loss"] = f"{step.loss:.3g}"
        return step.loss * step.persons

    def _train_step(self, batch: Batch, epoch: int) -> StepLoss | None:
        """Run a training step and return the loss of the previous one."""
        ready = self._augment(batch, epoch)
        targets = encode_weighted(self.model.codec, ready.joints, ready.visibility, ready.weights)
        rate = self._learning_rate()
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group.get(RATE_SCALE, 1.0)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.gradients(ready.images, targets, self.process_group.loss_weight(len(batch)))
        mean, norm = self.process_group.all_reduce(loss) / self.process_group.size, self._clip_gradient()
        self.optimiser.step()
        if self.ema:
            self.ema.update(self.network, self.step)
        previous = self.monitor.record(mean, norm, batch, epoch, self.step)
        self.step += 1
        return previous

    def _clip_gradient(self) -> Tensor:
        """Clip the gradient if `grad_clip` is set, and return its norm over all weights before."""
        if self.options.grad_clip:
            return nn.utils.clip_grad_norm_(self.network.parameters(), self.options.grad_clip)
        return nn.utils.get_total_norm([weight.grad for weight in self.network.parameters() if weight.grad is not None])

    def _augment(self, batch: Batch, epoch: int) -> AugmentedBatch:
        if not self.augmentations:
            images = normalise_images(batch.images, self.model.mean_rgb)
            return AugmentedBatch(images, batch.joints, batch.visibility, batch.weights)
        generator = step_generator(self.options.seed, epoch, self.step)
        plan = start_plan(batch.targets, self.model.skeleton, self.job.train_set.crop_size)
        for augmentation in self.augmentations:
            plan = augmentation(generator, plan)
        own, mean_rgb = plan.part(batch.local), self.model.mean_rgb
        return apply_plan(own, batch.images, batch.joints, batch.visibility, mean_rgb, batch.weights)

    def _learning_rate(self) -> float:
        options, pcks = self.options, [record.val_pck_thesis for record in self.history]
        step_count = options.epochs * self.steps_per_epoch
        rate = learning_rate_at(options.schedule, options.learning_rate, self.step, step_count, pcks)
        return rate * min(1.0, (self.step + 1) / (options.warmup_steps + 1))

"""Training of a denoising autoencoder on bottleneck features, without the rest of the network.

    features ─ + noise x value ─ autoencoder ─ mean squared error against the features

Features are read batch by batch from their memory map. The images are split into three groups: training, validation, which
selects the epoch, and evaluation, on which the reconstruction is measured (`reconstruction_table`), since the loss of the
selected epoch is biased on the persons that selected it.
"""

import copy
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.core.plugins import build
from posescope.explainability.features.feature_store import FeatureSet
from posescope.improvement.errors import ImprovementError
from posescope.improvement.options import AutoencoderTraining
from posescope.models.hourglass_autoencoder import Autoencoder, AutoencoderOptions
from posescope.training.reproducibility import reproducible, step_generator

__all__ = [
    "AutoencoderEpoch",
    "FeatureSplit",
    "TrainedAutoencoder",
    "autoencoder_options",
    "reconstruct",
    "split_features",
    "train_autoencoder",
]

_log = logging.getLogger(__name__)

# The thesis's widths for its 256 channels.
_STUDY_CHANNELS, _STUDY_WIDTHS = 256, (192, 128, 64)
_BLOCK_PERSONS = 1024


@dataclass(frozen=True)
class AutoencoderEpoch:
    """One epoch.

    Attributes:
        epoch: 1-based.
        train_loss: mean over the training persons, of noisy features, during the epoch.
        val_loss: mean over the validation persons, without noise, after the epoch.
        learning_rate: learning rate of the epoch.
        seconds: wall time.
    """

    epoch: int
    train_loss: float
    val_loss: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class FeatureSplit:
    """Rows of features, ascending; all persons of an image are in one group.

    Attributes:
        train: (n,) rows of the training persons.
        validation: (m,) rows of the persons that select the epoch.
        evaluation: (k,) rows of the persons on which the reconstruction is measured.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    evaluation: NDArray[np.int64]


@dataclass(frozen=True)
class TrainedAutoencoder:
    """Result of the training.

    Attributes:
        autoencoder: autoencoder with the weights of the best epoch, on the device, in evaluation mode.
        history: one record per epoch.
    """

    autoencoder: Autoencoder
    history: tuple[AutoencoderEpoch, ...]

    @property
    def best(self) -> AutoencoderEpoch:
        """The epoch with the lowest validation loss."""
        return min(self.history, key=lambda record: record.val_loss)


def autoencoder_options(options: AutoencoderTraining, code_size: int, in_channels: int) -> AutoencoderOptions:
    """Return the architecture: the given widths, or the thesis's in proportion to the channels of the features.

    Args:
        options: training options.
        code_size: number of values of the code.
        in_channels: channels of the features.
    """
    scaled = tuple(max(1, round(width * in_channels / _STUDY_CHANNELS)) for width in _STUDY_WIDTHS)
    return AutoencoderOptions(
        channels=options.channels or scaled, code_size=code_size, code_activation=options.code_activation
    )  # fmt: skip


def split_features(
    image_groups: NDArray[np.int64], validation_fraction: float, evaluation_fraction: float, seed: int
) -> FeatureSplit:
    """Split persons by image into training, validation and evaluation, each of at least one image.

    Args:
        image_groups: (N,) the image of each person.
        validation_fraction: fraction of the images, 0..1.
        evaluation_fraction: fraction of the images, 0..1; together with validation_fraction below 1.
        seed: random seed of the split.

    Raises:
        ImprovementError: if there are fewer than three images, or fewer than two training persons.
    """
    groups = np.unique(image_groups)
    if len(groups) < 3:
        raise ImprovementError(
            "Expected persons of at least three images for an autoencoder (training, validation and evaluation), found "
            f"{len(groups)}. Use more persons."
        )
    validation = min(max(round(validation_fraction * len(groups)), 1), len(groups) - 2)
    evaluation = min(max(round(evaluation_fraction * len(groups)), 1), len(groups) - 1 - validation)
    shuffled = np.random.default_rng(seed).permutation(groups)
    parts = np.split(shuffled, [validation, validation + evaluation])
    validation_rows, evaluation_rows, train = (np.flatnonzero(np.isin(image_groups, part)) for part in parts)
    if len(train) < 2:
        raise ImprovementError(
            f"Expected at least two training persons for an autoencoder, found {len(train)} ({len(groups)} images, of which "
            f"{validation} are for validation and {evaluation} for evaluation). Use more persons, or lower "
            "improve.autoencoder.validation_fraction or evaluation_fraction."
        )
    return FeatureSplit(train, validation_rows, evaluation_rows)


def train_autoencoder(
    features: FeatureSet,
    split: FeatureSplit,
    architecture: AutoencoderOptions,
    options: AutoencoderTraining,
    device: torch.device,
    threads: int = 0,
) -> TrainedAutoencoder:
    """Train an autoencoder on the features of one stack.

    Args:
        features: features of N persons, (C, h, w) each.
        split: split of the persons; evaluation persons are not read.
        architecture: autoencoder architecture.
        options: training options.
        device: training device.
        threads: CPU threads of torch; 0: torch's default.

    Raises:
        ImprovementError: if the loss is NaN or infinite.
    """
    channels, *size = features.shape
    with reproducible(options.seed, device, threads):
        autoencoder = Autoencoder(architecture, channels, (size[0], size[1])).to(device)
        run = _Run(features, split, options, autoencoder)
        best, best_loss = autoencoder.state_dict(), math.inf
        history: list[AutoencoderEpoch] = []
        for epoch in tqdm(range(1, options.epochs + 1), desc=f"autoencoder of {features.layer}", unit=" epochs"):
            history.append(run.run_epoch(epoch))
            if history[-1].val_loss < best_loss:
                best, best_loss = copy.deepcopy(autoencoder.state_dict()), history[-1].val_loss
    autoencoder.load_state_dict(best)
    trained = TrainedAutoencoder(autoencoder.eval(), tuple(history))
    _log.info(
        "Autoencoder of %s, code size %d: validation loss %.4g after epoch %d of %d.",
        features.layer, architecture.code_size, trained.best.val_loss, trained.best.epoch, options.epochs,
    )  # fmt: skip
    return trained


@torch.no_grad()
def reconstruct(
    autoencoder: Autoencoder, features: FeatureSet, rows: NDArray[np.int64]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Encode and decode features block by block.

    Args:
        autoencoder: trained.
        features: features of N persons, (C, h, w) each.
        rows: rows of the persons.

    Yields:
        Features (n, C, h, w), code (n, D, 1, 1) and reconstruction (n, C, h, w).
    """
    device = next(autoencoder.parameters()).device
    for start in range(0, len(rows), _BLOCK_PERSONS):
        values = _read(features, rows[start : start + _BLOCK_PERSONS], device)
        code = autoencoder.encode(values)
        yield values, code, autoencoder.decode(code)


class _Run:
    """State of one training."""

    def __init__(self, features: FeatureSet, split: FeatureSplit, options: AutoencoderTraining, autoencoder: Autoencoder) -> None:
        self.features, self.split, self.options, self.autoencoder = features, split, options, autoencoder
        self.device = next(autoencoder.parameters()).device
        self.optimiser: torch.optim.Optimizer = build(
            "optimisers", options.optimiser, parameters=list(autoencoder.parameters()), learning_rate=options.learning_rate
        )

    def run_epoch(self, epoch: int) -> AutoencoderEpoch:
        started = time.perf_counter()
        rate = self._learning_rate(epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        train_loss, val_loss = self._train_epoch(epoch), self._validate()
        if not (math.isfinite(train_loss) and math.isfinite(val_loss)):
            raise ImprovementError(
                f"Autoencoder of '{self.features.layer}': expected finite losses, found {train_loss} (training) and {val_loss} "
                f"(validation) in epoch {epoch}. Lower improve.autoencoder.learning_rate (now {self.options.learning_rate:g})."
            )
        return AutoencoderEpoch(epoch, train_loss, val_loss, rate, time.perf_counter() - started)

    def _train_epoch(self, epoch: int) -> float:
        rows, size = self.split.train, self.options.batch_size
        order = np.random.default_rng((self.options.seed, epoch)).permutation(rows)
        total = torch.zeros((), device=self.device)
        for step, start in enumerate(range(0, len(order), size)):
            values = _read(self.features, np.sort(order[start : start + size]), self.device)
            noise = torch.randn(values.shape, generator=step_generator(self.options.seed, epoch, step)).to(self.device)
            self.optimiser.zero_grad(set_to_none=True)
            loss = (self.autoencoder(values * (1 + self.options.noise * noise)) - values).square().mean()
            loss.backward()
            self.optimiser.step()
            total += loss.detach() * len(values)
        return float(total) / len(order)

    def _validate(self) -> float:
        rows = self.split.validation
        found = reconstruct(self.autoencoder, self.features, rows)
        return sum(float((restored - values).square().flatten(1).mean(dim=1).sum()) for values, _, restored in found) / len(rows)

    def _learning_rate(self, epoch: int) -> float:
        every = self.options.halve_every_epochs
        return self.options.learning_rate * (0.5 ** ((epoch - 1) // every) if every else 1.0)


def _read(features: FeatureSet, rows: NDArray[np.int64], device: torch.device) -> Tensor:
    values = torch.from_numpy(features.values[rows].astype(np.float32))
    return values.view(len(rows), *features.shape).to(device)

"""Optuna samples the parameters of a trial and decides when to prune it. No other module imports it.

For each trial a study is created in memory from the records of the earlier trials, with a sampler seeded from the search and the
number of the trial, so an interrupted search samples the same parameters (docs/decisions/0011-tuning.md).
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from posescope.core.errors import PosescopeError
from posescope.core.extras import install_command
from posescope.training.observer import TrainingStoppedError
from posescope.training.records import EpochRecord
from posescope.tuning.options import Hyperband, Median, NoPruning, SearchDimension, TuneOptions
from posescope.tuning.records import TrialRecord, TrialState

if TYPE_CHECKING:
    from types import ModuleType

    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial, Trial

__all__ = ["LiveTrial", "MissingOptunaError", "TrialPrunedError", "load_optuna", "start_trial"]


class MissingOptunaError(PosescopeError):
    """Optuna is not installed."""


def load_optuna() -> "ModuleType":
    """Import Optuna and set its log level to warnings.

    Raises:
        MissingOptunaError: if it is not installed.
    """
    try:
        import optuna  # noqa: PLC0415 - optional dependency
    except ImportError as error:
        raise MissingOptunaError(
            f"The pipeline tune needs Optuna, which cannot be imported ({error}). Install it: {install_command('optuna')}"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class TrialPrunedError(TrainingStoppedError):
    """Ends the training of a pruned trial."""


class LiveTrial:
    """A running trial: callback of its training.

    Attributes:
        sampled: the sampled number, or the index of a choice, by dotted path.
        pcks: PCK on the validation persons after each epoch, 0..1.
        seconds: wall time of the epochs.
    """

    def __init__(self, trial: "Trial", epochs: int) -> None:
        self._trial, self._epochs = trial, epochs
        self.sampled: Mapping[str, int | float] = dict(trial.params)
        self.pcks: list[float] = []
        self.seconds = 0.0

    def __call__(self, record: EpochRecord) -> None:
        """Report an epoch to Optuna.

        Raises:
            TrialPrunedError: if the trial should end. Pruning after the last epoch would save nothing.
        """
        self.pcks.append(record.val_pck_thesis)
        self.seconds += record.seconds
        self._trial.report(record.val_pck_thesis, record.epoch)
        if self._trial.should_prune() and record.epoch < self._epochs:
            raise TrialPrunedError(f"pruned after epoch {record.epoch} of {self._epochs}")

    def finish(self, state: TrialState, reason: str = "") -> TrialRecord:
        """Return the record of the trial.

        Args:
            state: how it ended.
            reason: reason of a failure.
        """
        attributes = self._trial.study.get_trials(deepcopy=False)[-1].system_attrs
        return TrialRecord(self._trial.number + 1, state, self.sampled, tuple(self.pcks), self.seconds, reason, dict(attributes))


def start_trial(options: TuneOptions, name: str, past: Sequence[TrialRecord]) -> LiveTrial:
    """Sample the parameters of the next trial.

    Args:
        options: options of the search.
        name: name of the search; Hyperband assigns brackets by it.
        past: all earlier trials, in order.
    """
    optuna = load_optuna()
    space = {path: _distribution(entry) for path, entry in options.dimensions.items()}
    seed = int(np.random.SeedSequence((options.seed, len(past))).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(n_startup_trials=options.startup_trials, seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=_pruner(options), study_name=name)
    study.add_trials([_past_trial(record, space) for record in past])
    return LiveTrial(study.ask(space), options.epochs)


def _distribution(entry: SearchDimension) -> "BaseDistribution":
    kinds = load_optuna().distributions
    if entry.choices is not None:
        found = kinds.CategoricalDistribution(tuple(range(len(entry.choices))))
    elif entry.is_whole:
        found = kinds.IntDistribution(entry.low, entry.high, log=entry.log, step=entry.step or 1)
    else:
        found = kinds.FloatDistribution(entry.low, entry.high, log=entry.log, step=entry.step)
    return found  # type: ignore[no-any-return]


def _pruner(options: TuneOptions) -> "BasePruner":
    pruners = load_optuna().pruners
    match options.pruner:
        case NoPruning():
            found = pruners.NopPruner()
        case Median(options=median):
            found = pruners.MedianPruner(n_startup_trials=median.startup_trials, n_warmup_steps=median.warmup_epochs)
        case Hyperband(options=bands):
            found = pruners.HyperbandPruner(
                min_resource=min(bands.min_epochs, options.epochs),
                max_resource=options.epochs,
                reduction_factor=bands.reduction_factor,
            )
    return found  # type: ignore[no-any-return]


def _past_trial(record: TrialRecord, space: Mapping[str, "BaseDistribution"]) -> "FrozenTrial":
    trial = load_optuna().trial
    states = {"completed": trial.TrialState.COMPLETE, "pruned": trial.TrialState.PRUNED, "failed": trial.TrialState.FAIL}
    return trial.create_trial(  # type: ignore[no-any-return]
        state=states[record.state],
        value=None if record.state == "failed" or math.isnan(record.value) else record.value,
        params={path: record.sampled[path] for path in space},
        distributions=dict(space),
        intermediate_values=dict(enumerate(record.pcks, start=1)),
        system_attrs=dict(record.sampler_attrs),
    )

"""The search: trials one after another, each stored when it ends, until the budget is used."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tqdm import tqdm

from posescope.core.files import fingerprint
from posescope.training.observer import TrainingObserver
from posescope.tuning.options import SEARCHABLE, Recipe, TuneOptions
from posescope.tuning.optuna_sampler import load_optuna, start_trial
from posescope.tuning.records import TrialRecord, TuningRecord
from posescope.tuning.search_space import SearchSpaceError, check_space, recipe_with
from posescope.tuning.trial import TuningData, build_model, run_trial
from posescope.tuning.trial_store import SearchFolder, TuningStore

__all__ = ["search"]

_log = logging.getLogger(__name__)


Observe: TypeAlias = Callable[[int, Mapping[str, Any], str], TrainingObserver | None]


def search(
    recipe: Recipe, data: TuningData, options: TuneOptions, store: TuningStore, observe: Observe | None = None
) -> TuningRecord:
    """Run trials, continuing those of the same search in `store`.

    The result does not depend on how often the search was interrupted (unless `time_limit_s` ends it).

    Args:
        recipe: recipe from the parameters; a trial changes the searched parameters and `epochs`.
        data: training and validation persons.
        options: search space, budget, seed.
        store: store of the trials.
        observe: function of the number and the searched values of a trial and of the fingerprint of the search; it returns the
            observer of the training of the trial.

    Raises:
        MissingOptunaError: if Optuna is not installed.
        SearchSpaceError: if the space is empty or a value in it is invalid; before any training.
    """
    load_optuna()
    short = _recipe_of_trials(recipe, options)
    _check_space(short, data, options)
    search_id = _fingerprint(short, data, options)
    started = time.monotonic()
    folder = store.search(search_id)
    trials = list(folder.trials())
    if trials:
        _log.info("Continuing after %d of %d trials (search %s).", len(trials), options.trials, search_id)
    # disable=None: no bar without a terminal.
    for number in tqdm(range(len(trials) + 1, options.trials + 1), "trials", leave=False, disable=None):
        if options.time_limit_s is not None and time.monotonic() - started >= options.time_limit_s:
            _log.warning("Time limit reached, no further trial starts: %d of %d are finished.", number - 1, options.trials)
            break
        trials.append(_next_trial(short, data, options, folder, trials, observe))
        _log_trial(trials, options)
    return TuningRecord(search_id, data.statistics.data_fingerprint, recipe, options.dimensions, tuple(trials))


def _recipe_of_trials(recipe: Recipe, options: TuneOptions) -> Recipe:
    """Return the recipe of a trial that starts from scratch, draws no image grids and reports every epoch."""
    fixed = {"keep_checkpoints": 1, "resume": None, "image_grid_every_epochs": 0, "final_weights": "best", "processes": 1}
    values = {"epochs": options.epochs, **fixed}
    return recipe_with(recipe, {f"modelling.training.{name}": value for name, value in values.items()})


def _check_space(recipe: Recipe, data: TuningData, options: TuneOptions) -> None:
    if not options.dimensions:
        raise SearchSpaceError(
            "tune.space: expected at least one parameter, found none. Add one, for example modelling.training.learning_rate."
        )
    check_space(recipe, options.dimensions)
    _check_batch_size(recipe, options)
    # Codec and network must have heatmaps of the same size. Where both are searched, only a trial can check it.
    of_codec, of_model = (
        {path: entry for path, entry in options.dimensions.items() if f"{path}.".startswith(f"{SEARCHABLE[part]}.")}
        for part in ("codec", "model")
    )
    if not (of_codec and of_model):
        check_space(recipe, {**of_codec, **of_model}, lambda changed: build_model(changed, data))


def _check_batch_size(recipe: Recipe, options: TuneOptions) -> None:
    """Refuse `auto`, which depends on the memory that is free when a trial starts: trials must be comparable."""
    path = "modelling.training.batch_size"
    searched = options.dimensions.get(path)
    values = searched.values_to_check() if searched else (recipe.training.batch_size,)
    if "auto" in values:
        raise SearchSpaceError(
            f"{path}: expected numbers for a search, found 'auto'. Set a number, or search a range or choices."
        )


def _next_trial(
    recipe: Recipe,
    data: TuningData,
    options: TuneOptions,
    folder: SearchFolder,
    past: list[TrialRecord],
    observe: Observe | None,
) -> TrialRecord:
    number = len(past) + 1
    live = start_trial(options, folder.root.name, past)
    if folder.begin(number) > options.max_attempts:
        record = live.finish("failed", f"its process died {options.max_attempts} times")
    else:
        values = {path: entry.value_of(live.sampled[path]) for path, entry in options.dimensions.items()}
        _log.info("Trial %d of %d: %s", number, options.trials, _as_text(values))
        observer = observe(number, values, folder.root.name) if observe else None
        record = run_trial(recipe_with(recipe, values), data, live, folder.checkpoints(number), observer)
    folder.finish(record)
    return record


def _fingerprint(recipe: Recipe, data: TuningData, options: TuneOptions) -> str:
    """Fingerprint of all that affects a trial; not of the budget, so that more trials continue the same search."""
    budget = {"trials", "time_limit_s", "max_attempts", "space"}
    space = [[path, entry.model_dump(mode="json")] for path, entry in options.dimensions.items()]
    chosen = options.model_dump(mode="json", exclude=budget)
    return fingerprint([recipe.model_dump(mode="json"), data.to_dict(), chosen, space])


def _log_trial(trials: list[TrialRecord], options: TuneOptions) -> None:
    record = trials[-1]
    best = max((trial for trial in trials if trial.state == "completed"), key=lambda trial: trial.value, default=None)
    _log.info(
        "Trial %d of %d %s after %d epochs: validation PCK (thesis) %s; the best so far is %s",
        record.number, options.trials, record.state, len(record.pcks),
        "none" if math.isnan(record.value) else f"{record.value:.4f}",
        f"{best.value:.4f}, of trial {best.number}." if best else "none.",
    )  # fmt: skip
    if record.reason:
        _log.warning("Trial %d failed: %s", record.number, record.reason)


def _as_text(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{path}={value:.4g}" if isinstance(value, float) else f"{path}={value}" for path, value in values.items())

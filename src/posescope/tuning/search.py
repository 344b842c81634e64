"""The search: trials one after another, each stored when it ends, until the budget is used."""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from posescope.core.errors import OptionsError
from posescope.core.files import fingerprint
from posescope.tuning.options import Recipe, TuneOptions
from posescope.tuning.optuna_sampler import load_optuna, start_trial
from posescope.tuning.records import TrialRecord, TuningRecord
from posescope.tuning.search_space import SearchSpaceError, check_space, recipe_with
from posescope.tuning.trial import TuningData, build_model, run_trial
from posescope.tuning.trial_store import TuningStore

__all__ = ["search"]

_log = logging.getLogger(__name__)

# Both determine the size of the heatmaps.
_HEATMAP_SIZE_PATHS = ("data_engineering.codec", "modelling.model")


def search(recipe: Recipe, data: TuningData, options: TuneOptions, store: TuningStore) -> TuningRecord:
    """Run trials, continuing those of the same search in `store`.

    The result does not depend on how often the search was interrupted (unless `time_limit_s` ends it).

    Args:
        recipe: recipe from the parameters; a trial changes the searched parameters and `epochs`.
        data: training and validation persons.
        options: search space, budget, seed.
        store: store of the trials.

    Raises:
        MissingOptunaError: if Optuna is not installed.
        SearchSpaceError: if the space is empty or a value in it is invalid; before any training.
    """
    load_optuna()
    short = recipe_with(recipe, {f"modelling.training.{name}": value for name, value in _fixed_options(options).items()})
    check_space(short, options.dimensions)
    _check_fit(short, data, options)
    search_id = _fingerprint(short, data, options)
    started = time.monotonic()
    trials = list(store.trials(search_id))
    if trials:
        _log.info("Continuing after %d of %d trials (search %s).", len(trials), options.trials, search_id)
    # disable=None: no bar without a terminal.
    for number in tqdm(range(len(trials) + 1, options.trials + 1), "trials", leave=False, disable=None):
        if options.time_limit_s is not None and time.monotonic() - started >= options.time_limit_s:
            _log.warning("Time limit reached, no further trial starts: %d of %d are finished.", number - 1, options.trials)
            break
        trials.append(_next_trial(short, data, options, store, search_id, trials))
        _log_trial(trials, options)
    return TuningRecord(search_id, data.statistics.data_fingerprint, recipe, options.dimensions, tuple(trials))


def _fixed_options(options: TuneOptions) -> dict[str, Any]:
    """Training options that the search sets: a trial starts from scratch, draws no image grids and reports every epoch."""
    fixed = {"keep_checkpoints": 1, "resume": None, "image_grid_every_epochs": 0, "final_weights": "best", "processes": 1}
    return {"epochs": options.epochs, **fixed}


def _next_trial(
    recipe: Recipe, data: TuningData, options: TuneOptions, store: TuningStore, search_id: str, past: list[TrialRecord]
) -> TrialRecord:
    number = len(past) + 1
    live = start_trial(options, search_id, past)
    if store.begin(search_id, number) > options.max_attempts:
        reason = f"its process died {options.max_attempts} times"
        record = TrialRecord(number, "failed", live.sampled, (), 0.0, reason, live.sampler_attrs)
    else:
        values = {path: entry.value_of(live.sampled[path]) for path, entry in options.dimensions.items()}
        _log.info("Trial %d of %d: %s", number, options.trials, _as_text(values))
        record = run_trial(number, recipe_with(recipe, values), data, live, store.checkpoints(search_id, number))
    store.finish(search_id, record)
    return record


def _check_fit(recipe: Recipe, data: TuningData, options: TuneOptions) -> None:
    """Refuse codecs and networks with different heatmap sizes. Where both are searched, only a trial can check it."""
    sides = {side: [path for path in options.dimensions if f"{path}.".startswith(f"{side}.")] for side in _HEATMAP_SIZE_PATHS}
    if all(sides.values()):
        return
    faults = []
    for path in (path for paths in sides.values() for path in paths):
        for value in options.dimensions[path].values_to_check():
            try:
                build_model(recipe_with(recipe, {path: value}), data)
            except OptionsError as error:
                faults.append(f"{path}, value {value!r}: {error}")
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise SearchSpaceError(f"{len(faults)} values in tune.space do not match the other parameters:\n{lines}")


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

"""The search: trial after trial, each on disk when it is over, until there are enough or the time is up."""

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

log = logging.getLogger(__name__)

# Both say how large the heatmaps are.
_SIDES = ("data_engineering.codec", "modelling.model")


def search(recipe: Recipe, data: TuningData, options: TuneOptions, store: TuningStore) -> TuningRecord:
    """Run trials, or go on with those of the same search in `store`.

    The outcome depends on the recipe, the data and the options alone, not on how often the search was interrupted (unless
    `time_limit_s` ends it).

    Args:
        recipe: as the parameters stand; a trial changes what is searched, and `epochs`.
        data: training and validation persons.
        options: the space, the budget, the seed.
        store: where trials are kept.

    Raises:
        MissingOptunaError: if Optuna is not installed.
        SearchSpaceError: if the space is empty or a value in it is wrong; nothing has been trained then.
    """
    load_optuna()
    short = recipe_with(recipe, {f"modelling.training.{name}": value for name, value in _of_every_trial(options).items()})
    check_space(short, options.dimensions)
    _check_fit(short, data, options)
    mark = _mark(short, data, options)
    started = time.monotonic()
    trials = list(store.trials(mark))
    if trials:
        log.info("Going on after %d of %d trials (search %s).", len(trials), options.trials, mark)
    # disable=None: no bar where nobody watches (a log file).
    for number in tqdm(range(len(trials) + 1, options.trials + 1), "trials", leave=False, disable=None):
        if options.time_limit_s is not None and time.monotonic() - started >= options.time_limit_s:
            log.warning("The time is up, no further trial begins: %d of %d are over.", number - 1, options.trials)
            break
        trials.append(_next_trial(short, data, options, store, mark, trials))
        _tell(trials, options)
    return TuningRecord(mark, data.statistics.data_fingerprint, recipe, options.dimensions, tuple(trials))


def _of_every_trial(options: TuneOptions) -> dict[str, Any]:
    """Training options that the search sets, whatever the recipe says.

    A trial is short, begins anew, draws nothing, and is watched epoch by epoch, which takes a single process.
    """
    fixed = {"keep_checkpoints": 1, "resume": None, "image_grid_every_epochs": 0, "final_weights": "best", "processes": 1}
    return {"epochs": options.epochs, **fixed}


def _next_trial(
    recipe: Recipe, data: TuningData, options: TuneOptions, store: TuningStore, mark: str, past: list[TrialRecord]
) -> TrialRecord:
    number = len(past) + 1
    live = start_trial(options, mark, past)
    if store.begin(mark, number) > options.max_attempts:
        reason = f"its process died {options.max_attempts} times"
        record = TrialRecord(number, "failed", live.sampled, (), 0.0, reason, live.sampler_attrs)
    else:
        values = {path: entry.value_of(live.sampled[path]) for path, entry in options.dimensions.items()}
        log.info("Trial %d of %d: %s", number, options.trials, _in_words(values))
        record = run_trial(number, recipe_with(recipe, values), data, live, store.checkpoints(mark, number))
    store.finish(mark, record)
    return record


def _check_fit(recipe: Recipe, data: TuningData, options: TuneOptions) -> None:
    """Codec and network must agree on the size of heatmaps. Where both are searched, only a trial can tell."""
    sides = {side: [path for path in options.dimensions if f"{path}.".startswith(f"{side}.")] for side in _SIDES}
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
        raise SearchSpaceError(f"{len(faults)} values in tune.space do not fit the rest:\n{lines}")


def _mark(recipe: Recipe, data: TuningData, options: TuneOptions) -> str:
    """Stands for all that shapes a trial: more trials or more time go on with the same search."""
    budget = {"trials", "time_limit_s", "max_attempts", "space"}
    space = [[path, entry.model_dump(mode="json")] for path, entry in options.dimensions.items()]
    chosen = options.model_dump(mode="json", exclude=budget)
    return fingerprint([recipe.model_dump(mode="json"), data.to_dict(), chosen, space])


def _tell(trials: list[TrialRecord], options: TuneOptions) -> None:
    record = trials[-1]
    best = max((trial for trial in trials if trial.state == "completed"), key=lambda trial: trial.value, default=None)
    log.info(
        "Trial %d of %d %s after %d epochs: validation PCK (thesis) %s; the best so far is %s",
        record.number, options.trials, record.state, len(record.pcks),
        "none" if math.isnan(record.value) else f"{record.value:.4f}",
        f"{best.value:.4f}, of trial {best.number}." if best else "none.",
    )  # fmt: skip
    if record.reason:
        log.warning("Trial %d failed: %s", record.number, record.reason)


def _in_words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{path}={value:.4g}" if isinstance(value, float) else f"{path}={value}" for path, value in values.items())

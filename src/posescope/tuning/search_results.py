"""Results of a search: the table of trials, and the best parameters as a parameters file."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from posescope.core.parameters import merge_parameters
from posescope.core.tables import Trials
from posescope.tuning.records import TuningRecord
from posescope.tuning.search_space import as_parameters, nest_values

__all__ = ["tabulate_trials", "format_best_parameters"]


def tabulate_trials(record: TuningRecord) -> pd.DataFrame:
    """Return a row per trial with a column per searched parameter; choices that are no number or string are JSON."""
    rows = [
        {
            "number": trial.number,
            "state": trial.state,
            "value": trial.value,
            "epochs": len(trial.pcks),
            "seconds": trial.seconds,
            "reason": trial.reason,
            **{path: _as_cell(value) for path, value in record.values_of(trial).items()},
        }
        for trial in record.trials
    ]
    columns = [*Trials.to_schema().columns, *record.space]
    return pd.DataFrame(Trials.validate(pd.DataFrame(rows, columns=columns)))


def format_best_parameters(record: TuningRecord) -> str:
    """Return the searched parameters of the best trial as the text of a `parameters.yml` of an environment.

    Raises:
        NoCompletedTrialError: if no trial was completed.
    """
    best = record.best_trial
    values = nest_values(record.values_of(best))
    complete = merge_parameters(_names_for(values, as_parameters(record.recipe)), values)
    head = (
        f"# Trial {best.number} of {len(record.trials)} of the search {record.fingerprint}:"
        f" validation PCK (thesis) {best.value:.4f} after {len(best.pcks)} epochs.\n"
        f"# Data: {record.data_fingerprint}.\n"
        "# Found with the other parameters of the search. The test set was not used.\n"
    )
    return head + OmegaConf.to_yaml(OmegaConf.create(complete))


def _names_for(values: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names of the components of which options were searched, since options are of a component."""
    found: dict[str, Any] = {"name": below["name"]} if "options" in values and "name" in below else {}
    for key, value in values.items():
        lower = below.get(key)
        if isinstance(value, Mapping) and isinstance(lower, Mapping):
            found[key] = _names_for(value, lower)
    return {key: value for key, value in found.items() if value != {}}


def _as_cell(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else json.dumps(value)

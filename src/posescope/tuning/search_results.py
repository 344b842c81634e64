"""What people take from a search: the table of trials, and the winner as a parameters file."""

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
    """A row a trial, with a column for each searched parameter.

    Values of a range are numbers; a choice stands as it would in JSON where it is no plain number or word.
    """
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
    """The searched parameters of the best trial as the text of a `parameters.yml`, to be put into an environment.

    Only what was searched stands in it: the rest comes from the environment, as it did in the search.

    Raises:
        NoWinnerError: if no trial had all its epochs.
    """
    best_trial = record.best_trial
    values = nest_values(record.values_of(best_trial))
    complete = merge_parameters(_names_for(values, as_parameters(record.recipe)), values)
    head = (
        f"# Trial {best_trial.number} of {len(record.trials)} of the search {record.fingerprint}:"
        f" validation PCK (thesis) {best_trial.value:.4f} after {len(best_trial.pcks)} epochs.\n"
        f"# Data: {record.data_fingerprint}.\n"
        "# It was found on top of the parameters that the search ran with. The test set had no part in it.\n"
    )
    return head + OmegaConf.to_yaml(OmegaConf.create(complete))


def _names_for(values: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    """The name of every component of which an option was searched: an option without its component says little."""
    found: dict[str, Any] = {"name": below["name"]} if "options" in values and "name" in below else {}
    for key, value in values.items():
        lower = below.get(key)
        if isinstance(value, Mapping) and isinstance(lower, Mapping):
            found[key] = _names_for(value, lower)
    return {key: value for key, value in found.items() if value != {}}


def _as_cell(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else json.dumps(value)

"""Records of trials and of a search."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import TypeAdapter, ValidationError

from posescope.core.errors import DataError
from posescope.core.plugins import describe_validation_error
from posescope.tuning.options import Recipe, SearchDimension

__all__ = ["NoCompletedTrialError", "TrialRecord", "TuningRecord"]

TrialState = Literal["completed", "pruned", "failed"]


class NoCompletedTrialError(DataError):
    """No trial was completed."""


class _Record:
    """A dataclass that is stored as JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like content."""
        return dict(TypeAdapter(type(self)).dump_python(self, mode="json"))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`.

        Raises:
            DataError: if it is no such record.
        """
        try:
            return TypeAdapter(cls).validate_python(content)
        except ValidationError as error:
            faults = "; ".join(describe_validation_error(error))
            raise DataError(
                f"Expected a {cls.__name__}, found other content: {faults}. Remove the folder of the search to start it again."
            ) from error


@dataclass(frozen=True)
class TrialRecord(_Record):
    """One finished trial.

    Attributes:
        number: number of the trial, from 1.
        state: completed (all epochs), pruned, or failed (for `reason`).
        sampled: the sampled number, or the index of a choice, by dotted path.
        pcks: 0..1, the thesis's PCK on the validation persons after each epoch.
        seconds: wall time of its epochs.
        reason: reason of a failure, else ''.
        sampler_attrs: attributes that sampler and pruner store with it.
    """

    number: int
    state: TrialState
    sampled: Mapping[str, int | float]
    pcks: tuple[float, ...]
    seconds: float
    reason: str = ""
    sampler_attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The best PCK of its epochs, since training keeps the best epoch; NaN without an epoch."""
        return max(self.pcks, default=float("nan"))


@dataclass(frozen=True)
class TuningRecord(_Record):
    """State of a search.

    Attributes:
        fingerprint: fingerprint of space, recipe, data and all options but the budget.
        data_fingerprint: fingerprint of crops, joints and splits.
        recipe: recipe from the parameters.
        space: searched parameters by dotted path.
        trials: trials in order.
    """

    fingerprint: str
    data_fingerprint: str
    recipe: Recipe
    space: Mapping[str, SearchDimension]
    trials: tuple[TrialRecord, ...]

    @property
    def best_trial(self) -> TrialRecord:
        """The completed trial with the highest value; of several, the first.

        Raises:
            NoCompletedTrialError: if no trial was completed.
        """
        completed = [trial for trial in self.trials if trial.state == "completed"]
        if not completed:
            reasons = sorted({trial.reason for trial in self.trials if trial.reason})
            raise NoCompletedTrialError(
                f"Expected a completed trial, found none among {len(self.trials)}. Raise tune.trials, or change tune.space or "
                f"tune.pruner. Reasons of failures: {'; '.join(reasons) or 'none'}."
            )
        return max(completed, key=lambda trial: (trial.value, -trial.number))

    def values_of(self, trial: TrialRecord) -> dict[str, Any]:
        """Return the parameter values of a trial by dotted path."""
        return {path: entry.value_of(trial.sampled[path]) for path, entry in self.space.items()}

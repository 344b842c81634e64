"""Records of trials and of a search."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from posescope.core.errors import DataError
from posescope.tuning.options import Recipe, SearchDimension

__all__ = ["NoCompletedTrialError", "TrialRecord", "TuningRecord"]

TrialState = Literal["completed", "pruned", "failed"]


class NoCompletedTrialError(DataError):
    """No trial was completed."""


@dataclass(frozen=True)
class TrialRecord:
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
    sampled: Mapping[str, float]
    pcks: tuple[float, ...]
    seconds: float
    reason: str = ""
    sampler_attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The best PCK of its epochs, since training keeps the best epoch; NaN without an epoch."""
        return max(self.pcks, default=float("nan"))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like content."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "TrialRecord":
        """Inverse of `to_dict`.

        Raises:
            DataError: if it is no record of a trial.
        """
        try:
            return cls(**{**content, "pcks": tuple(content["pcks"])})
        except (KeyError, TypeError) as error:
            raise DataError(
                f"Expected the record of a trial, found {content!r}. Remove the folder of the search to start it again."
            ) from error


@dataclass(frozen=True)
class TuningRecord:
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

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like content."""
        return {
            "fingerprint": self.fingerprint,
            "data_fingerprint": self.data_fingerprint,
            "recipe": self.recipe.model_dump(mode="json"),
            "space": {path: entry.model_dump(mode="json") for path, entry in self.space.items()},
            "trials": [trial.to_dict() for trial in self.trials],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "TuningRecord":
        """Inverse of `to_dict`."""
        try:
            return cls(
                fingerprint=content["fingerprint"],
                data_fingerprint=content["data_fingerprint"],
                recipe=Recipe.model_validate(content["recipe"]),
                space={path: SearchDimension.model_validate(entry) for path, entry in content["space"].items()},
                trials=tuple(TrialRecord.from_dict(trial) for trial in content["trials"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"Expected the record of a search, found other content ({error!r}).") from error

"""What a search leaves behind: a record of each trial, and of the whole."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from posescope.core.errors import DataError
from posescope.tuning.options import Recipe, SearchDimension

__all__ = ["NoCompletedTrialError", "TrialRecord", "TuningRecord"]

TrialState = Literal["completed", "pruned", "failed"]


class NoCompletedTrialError(DataError):
    """No trial came to its end."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial that is over.

    Attributes:
        number: 1-based.
        state: completed: it had all its epochs; pruned: it was given up; failed: `reason` says why.
        sampled: by dotted path: the number that was drawn, or the index of a choice.
        pcks: 0..1, the study's PCK on the validation persons after each epoch.
        seconds: wall time of its epochs. Nothing depends on it.
        reason: why it failed; '' otherwise.
        sampler_attrs: what sampler and pruner remember of it.
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
        """The best PCK of its epochs, for training keeps the best epoch; NaN where there was none."""
        return max(self.pcks, default=float("nan"))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-like content."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "TrialRecord":
        """Inverse of `to_dict`.

        Raises:
            DataError: if it holds something else.
        """
        try:
            return cls(**{**content, "pcks": tuple(content["pcks"])})
        except (KeyError, TypeError) as error:
            raise DataError(f"Expected the record of a trial, found {content!r}.") from error


@dataclass(frozen=True)
class TuningRecord:
    """A search so far.

    Attributes:
        fingerprint: of space, recipe, data and everything else but the number of trials and the time.
        data_fingerprint: of crops, joints and splits.
        recipe: as the parameters stood.
        space: what was searched.
        trials: in order.
    """

    fingerprint: str
    data_fingerprint: str
    recipe: Recipe
    space: Mapping[str, SearchDimension]
    trials: tuple[TrialRecord, ...]

    @property
    def best_trial(self) -> TrialRecord:
        """The trial with the highest value among those with all their epochs; of several, the first.

        Raises:
            NoWinnerError: if there is none.
        """
        completed = [trial for trial in self.trials if trial.state == "completed"]
        if not completed:
            reasons = sorted({trial.reason for trial in self.trials if trial.reason})
            raise NoCompletedTrialError(
                f"None of {len(self.trials)} trials had all its epochs, so there is no winner. Raise tune.trials, or choose "
                f"another tune.space or tune.pruner. Why trials failed: {'; '.join(reasons) or 'none did'}."
            )
        return max(completed, key=lambda trial: (trial.value, -trial.number))

    def values_of(self, trial: TrialRecord) -> dict[str, Any]:
        """What was drawn for a trial, by dotted path."""
        return {path: entry.value_of(trial.sampled[path]) for path, entry in self.space.items()}

    def to_dict(self) -> dict[str, Any]:
        """As JSON-like content."""
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
            raise DataError(f"Not the record of a search ({error!r}).") from error

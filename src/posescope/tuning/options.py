"""Parameters of the namespace `tune`: search space, budget and pruning; and the recipe that a trial changes."""

from collections.abc import Mapping
from itertools import combinations
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from posescope.core.plugins import ComponentSpec, Options, component_validator
from posescope.training.options import TrainingOptions

CodecSpec = Annotated[ComponentSpec, component_validator("codecs")]
ModelSpec = Annotated[ComponentSpec, component_validator("models")]

__all__ = ["SEARCHABLE", "Hyperband", "Median", "NoPruning", "Recipe", "SearchDimension", "TuneOptions"]

# Parameter path of each field of `Recipe`. Other parameters would change the crops.
SEARCHABLE: Mapping[str, str] = {
    "codec": "data_engineering.codec",
    "model": "modelling.model",
    "training": "modelling.training",
}
_NOT_SEARCHED: Mapping[str, str] = {
    "modelling.training": "name the parameters below it",
    "modelling.training.epochs": "`tune.epochs` sets it for all trials",
    "modelling.training.seed": "the best of several seeds is chance",
    "modelling.training.device": "it does not change the model",
    "modelling.training.threads": "it does not change the model",
    "modelling.training.keep_checkpoints": "it does not change the score",
    "modelling.training.image_grid_every_epochs": "it does not change the score",
    "modelling.training.final_weights": "a trial is scored by its best epoch",
    "modelling.training.resume": "every trial starts from scratch",
}


class Recipe(Options):
    """Parameters of a training that a trial may change."""

    codec: CodecSpec = Field(description="`data_engineering.codec`")
    model: ModelSpec = Field(description="`modelling.model`")
    training: TrainingOptions = Field(description="`modelling.training`")


class SearchDimension(Options):
    """Values of one parameter: a range from `low` to `high`, or `choices`."""

    low: int | float | None = Field(None, description="Smallest value; integers if both ends and step are integers (8, not 8.0)")
    high: int | float | None = Field(None, description="Largest value")
    log: bool = Field(False, description="Sample on a logarithmic scale: 0.001 to 0.01 as often as 0.01 to 0.1")
    step: int | float | None = Field(None, gt=0, description="Step between values; null: continuous")
    choices: tuple[Any, ...] | None = Field(None, min_length=1, description="Any values: numbers, components, lists of them")

    @model_validator(mode="after")
    def _check(self) -> "SearchDimension":
        if self.choices is not None:
            if self.low is not None or self.high is not None or self.log or self.step is not None:
                raise ValueError("expected `low` and `high`, or `choices`; found both")
            return self
        if self.low is None or self.high is None:
            raise ValueError("expected `low` and `high`, or `choices`; found neither complete")
        if not self.low < self.high:
            raise ValueError(f"expected `low` below `high`, found {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"`log` needs a `low` above 0, found {self.low}")
        if self.log and self.step is not None:
            raise ValueError("expected `log` or `step`; found both")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether the range is of integers."""
        return isinstance(self.low, int) and isinstance(self.high, int) and isinstance(self.step, int | None)

    def value_of(self, sampled: float) -> Any:
        """Return the value of a sampled number: itself, or the choice with this index."""
        return sampled if self.choices is None else self.choices[int(sampled)]

    def values_to_check(self) -> tuple[Any, ...]:
        """Return all choices, or both ends of the range."""
        return (self.low, self.high) if self.choices is None else self.choices


class NoPruning(Options):
    """No trial is pruned."""

    name: Literal["none"] = "none"


class MedianOptions(Options):
    """Options of `median`."""

    startup_trials: int = Field(4, ge=0, description="Completed trials before any is pruned")
    warmup_epochs: int = Field(1, ge=0, description="Minimum number of epochs of a trial")


class Median(Options):
    """Prune a trial whose best PCK so far is below the median of the earlier trials at the same epoch."""

    name: Literal["median"]
    options: MedianOptions = MedianOptions()


class HyperbandOptions(Options):
    """Options of `hyperband`."""

    min_epochs: int = Field(1, ge=1, description="Minimum number of epochs of a trial")
    reduction_factor: int = Field(3, ge=2, description="One in so many trials is continued at each decision")


class Hyperband(Options):
    """Successive halving in brackets with different minimum budgets (Li et al., "Hyperband", 2018)."""

    name: Literal["hyperband"]
    options: HyperbandOptions = HyperbandOptions()


Pruner = Annotated[NoPruning | Median | Hyperband, Field(discriminator="name")]


class TuneOptions(Options):
    """All parameters of the pipeline."""

    space: dict[str, SearchDimension | None] = Field(
        default_factory=dict, description="Values by dotted path of the parameter, as for --params; null: not searched"
    )
    trials: int = Field(12, ge=1, description="Number of trials, including those of earlier runs of the same search")
    epochs: int = Field(3, ge=1, description="Epochs per trial, instead of `modelling.training.epochs`")
    time_limit_s: float | None = Field(
        None, gt=0, description="Time limit of a run in s, after which no further trial starts; null: none"
    )
    startup_trials: int = Field(4, ge=1, description="Trials with random parameters before the sampler uses earlier results")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the sampler; training has its own seed")
    pruner: Pruner = Field(default=Median(name="median"), description="When a trial is pruned: none, median or hyperband")
    max_attempts: int = Field(3, ge=1, description="A trial whose process died this often counts as failed")

    @field_validator("space")
    @classmethod
    def _check_space(cls, space: dict[str, SearchDimension | None]) -> dict[str, SearchDimension | None]:
        faults = [fault for path in space if (fault := _fault_of(path))]
        dimensions = [path for path, entry in space.items() if entry is not None]
        faults += [fault for first, second in combinations(dimensions, 2) if (fault := _fault_of_pair(first, second))]
        if faults:
            raise ValueError("; ".join(faults))
        return space

    @property
    def dimensions(self) -> dict[str, SearchDimension]:
        """The search space without parameters that are not searched."""
        return {path: entry for path, entry in self.space.items() if entry is not None}


def _fault_of(path: str) -> str:
    if path in _NOT_SEARCHED:
        return f"'{path}' is not searched: {_NOT_SEARCHED[path]}"
    if any(path == outer or path.startswith(f"{outer}.") for outer in SEARCHABLE.values()):
        return ""
    return f"'{path}' cannot be searched: expected a path in {', '.join(SEARCHABLE.values())}, since the crops must not change"


def _fault_of_pair(first: str, second: str) -> str:
    for outer, inner in ((first, second), (second, first)):
        if inner.startswith(f"{outer}."):
            return f"'{outer}' contains '{inner}': search only one of them, with the inner values in the choices of the outer"
        component = outer.removesuffix(".name")
        if component != outer and inner.startswith(f"{component}.options"):
            return f"'{outer}' and '{inner}': another component has other options; use choices of the whole '{component}'"
    return ""

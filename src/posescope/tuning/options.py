"""What is searched, for how long, and when a trial is given up; and the recipe of which a trial changes a few parameters."""

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from posescope.core.plugins import ComponentSpec, Options, component_field
from posescope.training.options import TrainingOptions

if TYPE_CHECKING:
    CodecSpec: TypeAlias = ComponentSpec
    ModelSpec: TypeAlias = ComponentSpec
else:
    CodecSpec = component_field("codecs")
    ModelSpec = component_field("models")

__all__ = ["SEARCHABLE", "Hyperband", "Median", "NoPruning", "Recipe", "SearchDimension", "TuneOptions"]

# Where a field of `Recipe` stands among the parameters. Whatever else is changed, the crops would have to be cut again.
SEARCHABLE: Mapping[str, str] = {
    "codec": "data_engineering.codec",
    "model": "modelling.model",
    "training": "modelling.training",
}
_NOT_SEARCHED: Mapping[str, str] = {
    "modelling.training": "name the parameters below it",
    "modelling.training.epochs": "`tune.epochs` says it, the same for all trials",
    "modelling.training.seed": "the best of several seeds is luck",
    "modelling.training.device": "it is no property of a model",
    "modelling.training.threads": "it is no property of a model",
    "modelling.training.keep_checkpoints": "it changes no score",
    "modelling.training.image_grid_every_epochs": "it changes no score",
    "modelling.training.final_weights": "a trial is judged by its best epoch",
    "modelling.training.resume": "every trial begins anew",
}


class Recipe(Options):
    """What a model is trained by: everything that a trial may change."""

    codec: CodecSpec = Field(description="`data_engineering.codec`")
    model: ModelSpec = Field(description="`modelling.model`")
    training: TrainingOptions = Field(description="`modelling.training`")


class SearchDimension(Options):
    """The values that one parameter may take: `low` to `high`, or one of `choices`."""

    low: int | float | None = Field(None, description="Smallest value; with both ends whole (8, not 8.0), so are all")
    high: int | float | None = Field(None, description="Largest value")
    log: bool = Field(False, description="Draw by orders of magnitude: 0.001 to 0.01 as often as 0.01 to 0.1")
    step: int | float | None = Field(None, gt=0, description="Distance of the values from one another; null: any between")
    choices: tuple[Any, ...] | None = Field(None, min_length=1, description="Any values: numbers, components, lists of them")

    @model_validator(mode="after")
    def _check(self) -> "SearchDimension":
        if self.choices is not None:
            if self.low is not None or self.high is not None or self.log or self.step is not None:
                raise ValueError("expected `low` and `high`, or `choices`; found both")
            return self
        if self.low is None or self.high is None:
            raise ValueError("expected `low` and `high`, or `choices`; found neither whole")
        if not self.low < self.high:
            raise ValueError(f"expected `low` below `high`, found {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"`log` needs a `low` above 0, found {self.low}")
        if self.log and self.step is not None:
            raise ValueError("`log` and `step` do not go together")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether a range holds whole numbers alone."""
        return isinstance(self.low, int) and isinstance(self.high, int) and isinstance(self.step, int | None)

    def value_of(self, sampled: float) -> Any:
        """What a drawn number stands for: itself, or the index of a choice."""
        return sampled if self.choices is None else self.choices[int(sampled)]

    def values_to_check(self) -> tuple[Any, ...]:
        """All choices, or both ends."""
        return (self.low, self.high) if self.choices is None else self.choices


class NoPruning(Options):
    """Every trial has all its epochs."""

    name: Literal["none"] = "none"


class MedianOptions(Options):
    """Options of `median`."""

    startup_trials: int = Field(4, ge=0, description="Trials that must have all their epochs before any is given up")
    warmup_epochs: int = Field(1, ge=0, description="Epochs that every trial has")


class Median(Options):
    """A trial is given up whose best PCK so far is below the median of the earlier trials at the same epoch."""

    name: Literal["median"]
    options: MedianOptions = MedianOptions()


class HyperbandOptions(Options):
    """Options of `hyperband`."""

    min_epochs: int = Field(1, ge=1, description="Epochs that every trial has")
    reduction_factor: int = Field(3, ge=2, description="One in so many trials goes on at each decision")


class Hyperband(Options):
    """Trials compete in brackets of different patience (Li et al., "Hyperband", 2018)."""

    name: Literal["hyperband"]
    options: HyperbandOptions = HyperbandOptions()


Pruner = Annotated[NoPruning | Median | Hyperband, Field(discriminator="name")]


class TuneOptions(Options):
    """All parameters of the pipeline."""

    space: dict[str, SearchDimension | None] = Field(
        default_factory=dict, description="Dotted path of a parameter, as for --params, and its values; null: not searched"
    )
    trials: int = Field(12, ge=1, description="Trials in all, those of earlier runs of the same search included")
    epochs: int = Field(3, ge=1, description="Epochs of a trial, in the place of `modelling.training.epochs`")
    time_limit_s: float | None = Field(None, gt=0, description="After so many seconds a run begins no further trial; null: none")
    startup_trials: int = Field(4, ge=1, description="Trials drawn at random, before the sampler learns from them")
    seed: int = Field(0, ge=0, lt=2**32, description="Of what is drawn; training keeps its own seed")
    pruner: Pruner = Field(default=Median(name="median"), description="When a trial is given up: none, median or hyperband")
    max_attempts: int = Field(3, ge=1, description="A trial whose process died so often counts as failed")

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
        """The space, without what is not searched."""
        return {path: entry for path, entry in self.space.items() if entry is not None}


def _fault_of(path: str) -> str:
    if path in _NOT_SEARCHED:
        return f"'{path}' is not searched: {_NOT_SEARCHED[path]}"
    if any(path == place or path.startswith(f"{place}.") for place in SEARCHABLE.values()):
        return ""
    return f"'{path}' cannot be searched: only {', '.join(SEARCHABLE.values())} and what is below them, for the crops must stay"


def _fault_of_pair(first: str, second: str) -> str:
    for outer, inner in ((first, second), (second, first)):
        if inner.startswith(f"{outer}."):
            return f"'{outer}' holds '{inner}': search the one or the other, with the inner values among the outer's choices"
        component = outer.removesuffix(".name")
        if component != outer and inner.startswith(f"{component}.options"):
            return f"'{outer}' and '{inner}': another component has other options; make choices of '{component}' as a whole"
    return ""

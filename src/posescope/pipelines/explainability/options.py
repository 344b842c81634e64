"""The parameters of the namespace `explainability`."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator, field_validator

from posescope.core.plugins import ComponentSpec, Options, component_field, installed
from posescope.explainability.features.feature_store import Pooling
from posescope.prediction.options import PredictionOptions


def _check_has_node(spec: ComponentSpec) -> ComponentSpec:
    # The flow is made before the parameters are read: one node for every entry point, none for a dotted path.
    names = [row.name for row in installed("analyses")]
    if spec.name not in names:
        raise ValueError(
            f"'{spec.name}' is no installed analysis and would never run: a dotted path is not enough here, register it as an "
            f"entry point of posescope.analyses. Installed: {', '.join(names) or 'none'}."
        )
    return spec


def _count_or_all(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    # One fault for the field, where pydantic would name one for each of its two types.
    try:
        return check(value)
    except ValidationError as error:
        raise ValueError("expected a whole number from 1, or 'all'") from error


if TYPE_CHECKING:
    ReducerSpec = ComponentSpec
    AnalysisSpec = ComponentSpec
else:
    ReducerSpec = component_field("reducers")
    AnalysisSpec = Annotated[component_field("analyses"), AfterValidator(_check_has_node)]

CountOrAll = Annotated[Annotated[int, Field(ge=1)] | Literal["all"], WrapValidator(_count_or_all)]

__all__ = ["AnalysesOptions", "ExplainabilityOptions", "PersonsOptions"]


class PersonsOptions(Options):
    """Whom the network is asked about, and where it is read."""

    split: Literal["train", "val"] = Field("train", description="split of the persons")
    max_persons: int = Field(100_000_000, ge=3, description="at most so many, drawn at random")
    min_labelled_joints: CountOrAll = Field(1, description="only persons with so many labelled joints; all: of the skeleton's")
    layer: str | None = Field(None, description="named place in the network; null: its bottleneck")
    dtype: Literal["float16", "float32"] = Field(
        "float16", description="of the features on disk; float16 halves the file, its largest number is 65,504"
    )
    pooling: Pooling = Field(
        "none",
        description="over space: mean or max keeps one number a channel; none keeps all, which analyses that decode need",
    )
    seed: int = Field(0, ge=0, description="seed of the draw")

    def in_words(self) -> str:
        """Whom the findings are of."""
        count = self.min_labelled_joints
        needed = "all joints labelled" if count == "all" else f"at least {count} labelled joint{'s' if count > 1 else ''}"
        return f"persons of {self.split} with {needed}"


class AnalysesOptions(Options):
    """Which analyses run, and with what."""

    selected: tuple[AnalysisSpec, ...] = Field((), description="installed components of posescope.analyses, each once at most")
    seed: int = Field(0, ge=0, description="seed of every analysis")

    @field_validator("selected")
    @classmethod
    def _each_once(cls, selected: tuple[ComponentSpec, ...]) -> tuple[ComponentSpec, ...]:
        names = [spec.name for spec in selected]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"each analysis runs once at most; selected more than once: {', '.join(twice)}")
        return selected

    def find(self, name: str) -> ComponentSpec | None:
        """The analysis of that name, if it is selected."""
        return next((spec for spec in self.selected if spec.name == name), None)


class ExplainabilityOptions(Options):
    """All parameters of the pipeline."""

    persons: PersonsOptions = Field(default_factory=PersonsOptions, description="whom to ask about")
    prediction: PredictionOptions = Field(default_factory=PredictionOptions, description="how the model is run")
    reducer: ReducerSpec = Field(ComponentSpec(name="pca"), description="a component of posescope.reducers")
    analyses: AnalysesOptions = Field(default_factory=AnalysesOptions, description="what is asked")

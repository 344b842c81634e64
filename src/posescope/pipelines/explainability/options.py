"""Parameters of the pipeline `explainability`."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator, field_validator

from posescope.core.plugins import ComponentSpec, Options, component_validator, installed
from posescope.explainability.features.feature_store import Pooling
from posescope.prediction.options import PredictionOptions


def _check_has_node(spec: ComponentSpec) -> ComponentSpec:
    # The pipeline has one node per entry point, and is built before the parameters are read.
    names = [row.name for row in installed("analyses")]
    if spec.name not in names:
        raise ValueError(
            f"expected an installed analysis ({', '.join(names) or 'none'}), found '{spec.name}'. A dotted path has no node; "
            "register the analysis as an entry point of posescope.analyses."
        )
    return spec


def _count_or_all(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    # One error for the field instead of one for each of its two types.
    try:
        return check(value)
    except ValidationError as error:
        raise ValueError("expected an integer >= 1 or 'all'") from error


ReducerSpec = Annotated[ComponentSpec, component_validator("reducers")]
AnalysisSpec = Annotated[ComponentSpec, component_validator("analyses"), AfterValidator(_check_has_node)]

CountOrAll = Annotated[Annotated[int, Field(ge=1)] | Literal["all"], WrapValidator(_count_or_all)]

__all__ = ["AnalysesOptions", "ExplainabilityOptions", "PersonsOptions"]


class PersonsOptions(Options):
    """Persons, layer and storage of the features."""

    fit_split: Literal["train", "val"] = Field(
        "train", description="split of the persons from which components, clusters, probes and rules are fitted"
    )
    judge_split: Literal["train", "val"] = Field(
        "val",
        description="split of the persons on which everything is judged; if it is fit_split, its images are dealt into halves",
    )
    max_persons: int = Field(100_000_000, ge=3, description="maximum number of fitted and of judged persons, drawn at random")
    min_labelled_joints: CountOrAll = Field(
        1, description="minimum number of labelled joints of a person; all: all joints of the skeleton"
    )
    layer: str | None = Field(
        None,
        description="layer whose activations are the features: a short name such as stack1.bottleneck, or the path of a module "
        "in the network, such as hourglasses.0.downs.1; null: the last bottleneck",
    )
    dtype: Literal["float16", "float32"] = Field(
        "float16", description="dtype of the features on disk; the largest float16 number is 65,504"
    )
    pooling: Pooling = Field(
        "none", description="pooling over space to one number per channel; none is needed by analyses that decode features"
    )
    seed: int = Field(0, ge=0, description="seed of the halves and of the random choice of persons")

    def in_words(self) -> str:
        """Describe the judged persons for the findings."""
        count = self.min_labelled_joints
        needed = "all joints labelled" if count == "all" else f"at least {count} labelled joint{'s' if count > 1 else ''}"
        half = "half of the images of " if self.fit_split == self.judge_split else ""
        return f"persons of {half}{self.judge_split} with {needed}"


class AnalysesOptions(Options):
    """The analyses and their options."""

    selected: tuple[AnalysisSpec, ...] = Field(
        (), description="installed analyses (posescope.analyses) with their options, each at most once"
    )
    seed: int = Field(0, ge=0, description="seed of all analyses")

    @field_validator("selected")
    @classmethod
    def _each_once(cls, selected: tuple[ComponentSpec, ...]) -> tuple[ComponentSpec, ...]:
        names = [spec.name for spec in selected]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"expected each analysis at most once, found several of {', '.join(twice)}")
        return selected

    def find(self, name: str) -> ComponentSpec | None:
        """Return the spec of the analysis of that name; None if it is not selected."""
        return next((spec for spec in self.selected if spec.name == name), None)


class ExplainabilityOptions(Options):
    """Parameters of the pipeline `explainability`."""

    persons: PersonsOptions = Field(default_factory=PersonsOptions, description="persons and layer")
    prediction: PredictionOptions = Field(default_factory=PredictionOptions, description="batch size, device and flip test")
    reducer: ReducerSpec = Field(
        ComponentSpec(name="pca"), description="component of posescope.reducers that computes the components"
    )
    analyses: AnalysesOptions = Field(default_factory=AnalysesOptions, description="the analyses")

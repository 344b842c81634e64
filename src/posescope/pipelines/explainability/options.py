"""The parameters of the namespace `explainability`."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from posescope.inference.crop_predictions import PredictionOptions
from posescope.plugins import ComponentSpec, Options, component_of

if TYPE_CHECKING:
    ReducerSpec = ComponentSpec
    AnalysisSpec = ComponentSpec
else:
    ReducerSpec = component_of("reducers")
    AnalysisSpec = component_of("analyses")

__all__ = ["AnalysesOptions", "ExplainabilityOptions", "PersonsOptions"]


class PersonsOptions(Options):
    """Whom the network is asked about, and where it is read."""

    split: Literal["train", "val"] = Field("train", description="split of the persons")
    max_persons: int = Field(100_000_000, ge=2, description="at most so many, drawn at random")
    min_labelled_joints: int = Field(1, ge=1, description="only persons with so many labelled joints")
    tap: str | None = Field(None, description="named place in the network; null: its bottleneck")
    seed: int = Field(0, ge=0, description="seed of the draw")


class AnalysesOptions(Options):
    """Which analyses run, and with what."""

    selected: tuple[AnalysisSpec, ...] = Field((), description="components of posescope.analyses")
    seed: int = Field(0, ge=0, description="seed of every analysis")

    def find(self, name: str) -> ComponentSpec | None:
        """The analysis of that name, if it is selected."""
        return next((spec for spec in self.selected if spec.name == name), None)


class ExplainabilityOptions(Options):
    """All parameters of the pipeline."""

    persons: PersonsOptions = Field(default_factory=PersonsOptions, description="whom to ask about")
    prediction: PredictionOptions = Field(default_factory=PredictionOptions, description="how the model is run")
    reducer: ReducerSpec = Field(ComponentSpec(name="pca"), description="a component of posescope.reducers")
    analyses: AnalysesOptions = Field(default_factory=AnalysesOptions, description="what is asked")

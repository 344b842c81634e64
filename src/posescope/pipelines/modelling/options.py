"""Parameters of the pipeline `modelling`."""

from typing import Annotated

from pydantic import Field

from posescope.core.plugins import ComponentSpec, Options, component_validator
from posescope.evaluation.conformal import UncertaintyOptions
from posescope.training.options import TrainingOptions

ModelSpec = Annotated[ComponentSpec, component_validator("models")]

__all__ = ["ModellingOptions"]


class ModellingOptions(Options):
    """Parameters of the pipeline `modelling`."""

    model: ModelSpec = Field(ComponentSpec(name="hourglass"), description="the network: a component of posescope.models")
    training: TrainingOptions = Field(default_factory=TrainingOptions, description="options of the training")
    uncertainty: UncertaintyOptions = Field(
        default_factory=UncertaintyOptions, description="calibration of the radii of the joints, after the training"
    )

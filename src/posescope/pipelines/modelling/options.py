"""Parameters of the pipeline `modelling`."""

from typing import Annotated

from pydantic import Field

from posescope.core.plugins import ComponentSpec, Options, component_validator
from posescope.evaluation.conformal import UncertaintyOptions
from posescope.training.options import TrainingOptions
from posescope.training.weight_transfer import InitialiseOptions

ModelSpec = Annotated[ComponentSpec, component_validator("models")]

__all__ = ["ModellingOptions"]


class ModellingOptions(Options):
    """Parameters of the pipeline `modelling`."""

    model: ModelSpec = Field(ComponentSpec(name="hourglass"), description="the network: a component of posescope.models")
    initialise: InitialiseOptions = Field(
        default_factory=InitialiseOptions, description="initial weights from a trained model, and the parts that are trained"
    )
    training: TrainingOptions = Field(default_factory=TrainingOptions, description="options of the training")
    uncertainty: UncertaintyOptions = Field(
        default_factory=UncertaintyOptions, description="calibration of the radii of the joints, after the training"
    )

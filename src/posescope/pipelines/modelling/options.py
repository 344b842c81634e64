"""Parameters of the pipeline `modelling`."""

from typing import TYPE_CHECKING

from pydantic import Field

from posescope.core.plugins import ComponentSpec, Options, component_field
from posescope.training.options import TrainingOptions

if TYPE_CHECKING:
    ModelSpec = ComponentSpec
else:
    ModelSpec = component_field("models")

__all__ = ["ModellingOptions"]


class ModellingOptions(Options):
    """Parameters of the pipeline `modelling`."""

    model: ModelSpec = Field(ComponentSpec(name="hourglass"), description="the network: a component of posescope.models")
    training: TrainingOptions = Field(default_factory=TrainingOptions, description="options of the training")

"""The parameters of the namespace `improve`. With the defaults the autoencoder is trained by the study's recipe.

The study's description leaves open how many features make a batch, and for how many epochs.
"""

from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from posescope.core.plugins import ComponentSpec, Options, component_field
from posescope.training.options import TrainingOptions

if TYPE_CHECKING:
    OptimiserSpec: TypeAlias = ComponentSpec
else:
    OptimiserSpec = component_field("optimisers")

__all__ = ["AutoencoderTraining", "ComparisonOptions", "FineTuning", "ImproveOptions"]

Width = Annotated[int, Field(ge=1, le=1024)]


class AutoencoderTraining(Options):
    """How large the autoencoder is, and how it is trained, alone, on bottleneck features."""

    code_size: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Numbers of the code; null: as many as the truncation curve needs components (analysis `truncation`), or, "
        "without one, as many as hold 95 % of the variance",
    )
    smallest_code: int = Field(default=2, ge=1, le=4096, description="Numbers of the code at least, where it is chosen")
    largest_code: int = Field(default=512, ge=1, le=4096, description="Numbers of the code at most, where it is chosen")
    channels: tuple[Width, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=6,
        description="Channels after each 3x3 convolution; null: the study's 192, 128 and 64 for 256, in the same proportion",
    )
    code_activation: Literal["relu", "none"] = Field(default="relu", description="What follows the layer that makes the code")
    epochs: int = Field(default=100, ge=1, description="Passes over the features")
    batch_size: int = Field(default=16, ge=1, description="Persons a step")
    optimiser: OptimiserSpec = Field(default=ComponentSpec(name="sgd"), description="A component of `optimisers`")
    learning_rate: float = Field(default=5e-4, gt=0, description="Of the first epochs")
    halve_every_epochs: int = Field(default=25, ge=0, description="Epochs after which the learning rate is halved; 0: never")
    noise: float = Field(
        default=0.1, ge=0, le=10, description="Standard deviation of the noise on a feature, as a share of its value"
    )
    validation_fraction: float = Field(
        default=0.1, gt=0, lt=1, description="Share of the photographs whose persons are held out, to choose the best epoch by"
    )
    evaluation_fraction: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Share of the photographs whose persons are neither learned from nor chosen by, to measure on what is kept; "
        "with held_out_share below 1",
    )
    seed: int = Field(
        default=0, ge=0, lt=2**32, description="Of the weights, the order, the noise, and who is held out and measured on"
    )

    @model_validator(mode="after")
    def _somebody_is_learned_from(self) -> Self:
        if self.validation_fraction + self.evaluation_fraction >= 1:
            raise ValueError(
                f"held_out_share ({self.validation_fraction:g}) and measured_share ({self.evaluation_fraction:g}) leave no photographs to "
                "learn from: together they must be below 1"
            )
        return self


class FineTuning(Options):
    """How the whole network is trained afterwards: as `modelling.training` says, but for this."""

    epochs: int = Field(default=50, ge=1, description="Passes over the training persons, of either network")
    learning_rate_factor: float = Field(
        default=1.0, gt=0, le=10, description="The schedule's highest rate, as a share of that of `modelling.training`"
    )

    def apply_to(self, training: TrainingOptions) -> TrainingOptions:
        """The options of the first training with these in their place."""
        rate = training.learning_rate * self.learning_rate_factor
        return training.model_copy(update={"epochs": self.epochs, "learning_rate": rate, "resume": None})


class ComparisonOptions(Options):
    """How the networks are compared; they are run and scored as `evaluation` says."""

    persons: int = Field(default=2000, ge=3, le=12_000, description="Training persons whose bottlenecks are looked at, at most")
    seed: int = Field(default=0, ge=0, description="Of the draws of images, and of these persons")
    resamples: int = Field(default=1000, ge=2, le=100_000, description="Draws of images that the intervals are made from")


class ImproveOptions(Options):
    """All parameters of the pipeline."""

    autoencoder: AutoencoderTraining = Field(default_factory=AutoencoderTraining, description="the autoencoder and its training")
    fine_tuning: FineTuning = Field(default_factory=FineTuning, description="the training of the whole afterwards")
    comparison: ComparisonOptions = Field(default_factory=ComparisonOptions, description="how it is seen what came out")

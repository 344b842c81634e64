"""Parameters of the namespace `improve`. The defaults of the autoencoder are the thesis's recipe.

The thesis does not state the batch size and the number of epochs.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from posescope.core.plugins import ComponentSpec, Options
from posescope.training.options import OptimiserSpec, TrainingOptions

__all__ = ["AutoencoderTraining", "ComparisonOptions", "FineTuning", "ImproveOptions"]

Width = Annotated[int, Field(ge=1, le=1024)]


class AutoencoderTraining(Options):
    """Architecture of the autoencoder and its training on bottleneck features."""

    code_size: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Numbers of the code; null: the sufficient number of components by the analysis `truncation` or, without it, "
        "the number of components with 95 % of the variance",
    )
    smallest_code: int = Field(default=2, ge=1, le=4096, description="Minimum code size, where it is selected")
    largest_code: int = Field(default=512, ge=1, le=4096, description="Maximum code size, where it is selected")
    channels: tuple[Width, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=6,
        description="Channels after each 3x3 convolution; null: the thesis's 192, 128 and 64 for 256, in the same proportion",
    )
    code_activation: Literal["relu", "none"] = Field(default="relu", description="Activation after the layer of the code")
    epochs: int = Field(default=100, ge=1, description="Passes over the features")
    batch_size: int = Field(default=16, ge=1, description="Persons per step")
    optimiser: OptimiserSpec = Field(default=ComponentSpec(name="sgd"), description="A component of `optimisers`")
    learning_rate: float = Field(default=5e-4, gt=0, description="Learning rate of the first epochs")
    halve_every_epochs: int = Field(default=25, ge=0, description="Epochs after which the learning rate is halved; 0: never")
    noise: float = Field(
        default=0.1, ge=0, le=10, description="Standard deviation of the noise on a feature, as a fraction of its value"
    )
    validation_fraction: float = Field(
        default=0.1, gt=0, lt=1, description="Fraction of the images whose persons select the best epoch"
    )
    evaluation_fraction: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Fraction of the images whose persons neither train the autoencoder nor select the epoch, to measure its "
        "reconstruction; together with validation_fraction below 1",
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="Seed of the weights, the order, the noise and the split")

    @model_validator(mode="after")
    def _training_images_are_left(self) -> Self:
        if self.validation_fraction + self.evaluation_fraction >= 1:
            raise ValueError(
                f"validation_fraction ({self.validation_fraction:g}) and evaluation_fraction ({self.evaluation_fraction:g}) "
                "leave no images for training: together they must be below 1"
            )
        return self


class FineTuning(Options):
    """Fine-tuning of the whole network: `modelling.training` with these changes."""

    epochs: int = Field(default=50, ge=1, description="Passes over the training persons, for both networks")
    learning_rate_factor: float = Field(
        default=1.0, gt=0, le=10, description="Factor on the learning rate of `modelling.training`"
    )

    def apply_to(self, training: TrainingOptions, resolved: Mapping[str, Any] | None = None) -> TrainingOptions:
        """Return the options of the first training with these changes; all networks train for all epochs, to be comparable.

        Args:
            training: options of the first training, as in the parameters.
            resolved: the same options in the provenance of the model, where `auto` is resolved, so that all networks are
                fine-tuned with its batch size; None: unknown.
        """
        known = resolved or {}
        rate = training.learning_rate * self.learning_rate_factor
        chosen = {name: known[name] for name in ("batch_size", "amp") if getattr(training, name) == "auto" and name in known}
        fixed = {"epochs": self.epochs, "learning_rate": rate, "resume": None, "patience": None}
        return training.model_copy(update={**fixed, **chosen})


class ComparisonOptions(Options):
    """Comparison of the networks; `evaluation` defines predictions and metrics."""

    persons: int = Field(
        default=2000, ge=3, le=12_000, description="Maximum number of training persons for the dimensionality of the bottlenecks"
    )
    seed: int = Field(default=0, ge=0, description="Seed of the bootstrap and of the sample of persons")
    resamples: int = Field(default=1000, ge=2, le=100_000, description="Bootstrap samples of images for the intervals")


class ImproveOptions(Options):
    """All parameters of the pipeline."""

    autoencoder: AutoencoderTraining = Field(default_factory=AutoencoderTraining, description="Autoencoder and its training")
    fine_tuning: FineTuning = Field(default_factory=FineTuning, description="Fine-tuning of the whole network")
    comparison: ComparisonOptions = Field(default_factory=ComparisonOptions, description="Comparison of the networks")

"""Options of a training run. With the defaults, and the codec `thesis`, it is the later recipe of the study's author."""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field, field_validator

from posescope.artifacts.devices import DEVICE_PATTERN
from posescope.core.plugins import ComponentSpec, Options, component_field
from posescope.training.schedules import ReduceOnPlateau, Schedule

if TYPE_CHECKING:
    OptimiserSpec: TypeAlias = ComponentSpec
    LossSpec: TypeAlias = ComponentSpec
    AugmentationSpec: TypeAlias = ComponentSpec
else:
    OptimiserSpec = component_field("optimisers")
    LossSpec = component_field("losses")
    AugmentationSpec = component_field("augmentations")

__all__ = ["TrainingOptions"]


class TrainingOptions(Options):
    """How a network is trained."""

    epochs: int = Field(default=50, ge=1, description="Passes over the training persons")
    batch_size: int = Field(default=16, ge=1, description="Persons a step, at most")
    learning_rate: float = Field(default=2.5e-4, gt=0, description="The schedule's highest rate")
    seed: int = Field(default=0, ge=0, lt=2**32, description="Of the order of the data and of the augmentations")
    device: str = Field(default="auto", pattern=DEVICE_PATTERN, description="auto, cpu, cuda or cuda:<index>")
    threads: int = Field(
        default=0, ge=0, description="CPU threads of torch, in each process; 0: its own number, at most one per available CPU"
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that share every batch: on the CPU its cores, else a CUDA device each (device: cuda or auto)",
    )
    optimiser: OptimiserSpec = Field(default=ComponentSpec(name="rmsprop"), description="A component of `optimisers`")
    loss: LossSpec = Field(default=ComponentSpec(name="mse"), description="A component of `losses`")
    augmentations: tuple[AugmentationSpec, ...] = Field(default=(), description="Components of `augmentations`, in order")
    schedule: Schedule = Field(
        default=ReduceOnPlateau(name="reduce_on_plateau"),
        description="Learning rate: constant, reduce_on_plateau or one_cycle, with its options",
    )
    warmup_steps: int = Field(
        default=0, ge=0, description="First steps, in which the rate rises evenly to the schedule's; 0: none"
    )
    grad_clip: float | None = Field(default=None, gt=0, description="Largest norm of the gradient of all weights; null: any")
    ema_decay: float | None = Field(
        default=None, gt=0, lt=1, description="Decay a step of an average of the weights that is validated and kept; null: none"
    )
    amp: Literal["off", "bf16", "auto"] = Field(
        default="off", description="bf16: mixed precision in the forward pass, on CUDA only; auto: where the device has it"
    )
    channels_last: bool = Field(
        default=True, description="Keep the channels of a cell side by side in memory, where convolutions are faster"
    )
    compile: bool | Literal["auto"] = Field(
        default=False,
        description="Compile the training step's parts by torch.compile: a minute or two at the start, faster steps; auto: on a "
        "CUDA device that can, not elsewhere",
    )
    cuda_graph: bool = Field(
        default=False,
        description="On a CUDA device, in one process: record a step once and replay it, so that no time goes into asking for "
        "its parts; network and loss must not read values on the host",
    )
    keep_checkpoints: int = Field(
        default=2, ge=1, le=100, description="How many of the last epochs stay on disk, beside the best one"
    )
    final_weights: Literal["best", "last"] = Field(
        default="best",
        description="Which epoch becomes the model: that of the highest validation PCK, or the last; with ema_decay its average",
    )
    resume: str | None = Field(
        default=None,
        pattern=r"^\w+$",
        description="Name of a run among the checkpoints that must be gone on with: refused if it is of other options or data; "
        "null: the unfinished run of these options and data if there is one, else a new one",
    )
    image_grid_every_epochs: int = Field(
        default=5, ge=0, description="Epochs between two sheets of validation crops with predictions; 0: none"
    )

    @field_validator("amp", mode="before")
    @classmethod
    def _read_off(cls, value: Any) -> Any:
        """YAML, and so the command line, takes `off` without quotes for false."""
        return "off" if value is False else value

    def identity(self) -> dict[str, Any]:
        """As JSON-like content without what changes no weight: two runs that differ in that alone are the same run."""
        return self.model_dump(mode="json", exclude={"keep_checkpoints", "resume", "image_grid_every_epochs"})

"""Options of a training run. The defaults with the codec `thesis` are the later recipe of the author of the thesis."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from posescope.artifacts.devices import DEVICE_PATTERN
from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, Options, component_validator
from posescope.training.schedules import ReduceOnPlateau, Schedule

OptimiserSpec = Annotated[ComponentSpec, component_validator("optimisers")]
LossSpec = Annotated[ComponentSpec, component_validator("losses")]
AugmentationSpec = Annotated[ComponentSpec, component_validator("augmentations")]

__all__ = ["OptimiserSpec", "TrainingOptions"]

# Options that were added later. With their defaults they are left out of dumps, so that runs keep their fingerprints and models
# their files.
_LATER_OPTIONS = ("patience", "nodes", "rendezvous", "rendezvous_timeout_s", "lost_after_s", "shuffle_window_shards")


class TrainingOptions(Options):
    """Options of `modelling.training`."""

    epochs: int = Field(default=50, ge=1, description="Passes over the training persons")
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        default=16,
        description="Largest number of persons per step, over all processes; auto: the largest power of two that fits in the "
        "memory of the device, at most 256 on a GPU and 64 on a CPU, with at least 10 steps per epoch. The learning rate is not "
        "scaled with it",
    )
    learning_rate: float = Field(default=2.5e-4, gt=0, description="Highest learning rate of the schedule")
    seed: int = Field(default=0, ge=0, lt=2**32, description="Seed of the weights, of the data order and of the augmentations")
    shuffle_window_shards: int | None = Field(
        default=None,
        ge=1,
        description="Number of shards whose persons are shuffled together, so that a disk, or a local copy of a store, that does "
        "not hold all crops in memory reads whole shards; null: all persons together",
    )
    device: str = Field(default="auto", pattern=DEVICE_PATTERN, description="auto, cpu, cuda or cuda:<index>")
    threads: int = Field(
        default=0, ge=0, description="CPU threads per process; 0: torch's default, at most one per available CPU"
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that share each batch, of each node, each with its own CUDA device (device: cuda or auto); on a "
        "CPU several are slower than one and meant for tests",
    )
    nodes: int = Field(
        default=1, ge=1, le=1024, description="Machines that train together; the same command runs on each of them"
    )
    rendezvous: str | None = Field(
        default=None,
        pattern=r"^([^\s:/\[\]]+|\[[0-9a-fA-F:]+\]):\d{1,5}$",
        description="Address host:port of node 0, where the nodes meet; needed if nodes > 1. The port must be closed to other "
        "machines",
    )
    rendezvous_timeout_s: int = Field(
        default=900, ge=1, le=604_800, description="Longest time in s that nodes wait for one another before the training"
    )
    lost_after_s: int = Field(
        default=60, ge=5, le=3600, description="Time in s without a sign of life after which another node counts as lost"
    )
    optimiser: OptimiserSpec = Field(default=ComponentSpec(name="rmsprop"), description="Component of `optimisers`")
    loss: LossSpec = Field(default=ComponentSpec(name="mse"), description="Component of `losses`")
    augmentations: tuple[AugmentationSpec, ...] = Field(default=(), description="Components of `augmentations`, applied in order")
    schedule: Schedule = Field(
        default=ReduceOnPlateau(name="reduce_on_plateau"),
        description="Learning-rate schedule: constant, reduce_on_plateau or one_cycle, with its options",
    )
    warmup_steps: int = Field(default=0, ge=0, description="First steps, over which the rate rises linearly; 0: none")
    grad_clip: float | None = Field(default=None, gt=0, description="Largest norm of the gradient of all weights; null: no limit")
    ema_decay: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Decay per step of the EMA of the weights, which is validated and saved; null: no EMA",
    )
    amp: Literal["off", "bf16", "auto"] = Field(
        default="off",
        description="bf16: mixed precision in the forward pass, on a device that computes bf16 natively; auto: on a CUDA device "
        "that does, and on a CPU that does if a measured step is faster",
    )
    channels_last: bool = Field(default=True, description="Channels-last memory format, in which convolutions are faster")
    compile: bool | Literal["auto"] = Field(
        default=False,
        description="Compile the network with torch.compile: a minute or two at the start, then faster steps; auto: on a CUDA "
        "device that supports it",
    )
    cuda_graph: bool = Field(
        default=False,
        description="Capture the step as a CUDA graph and replay it, which saves launch time; on a CUDA device in one process; "
        "network and loss must not read values on the host",
    )
    keep_checkpoints: int = Field(default=2, ge=1, le=100, description="Latest checkpoints to keep, besides the best one")
    final_weights: Literal["best", "last"] = Field(
        default="best",
        description="Epoch of the final weights: the one with the highest validation PCK, or the last; with ema_decay its EMA",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="Early stopping: epochs without a higher validation PCK after which the training ends; null: all epochs. A "
        "schedule one_cycle assumes all epochs, so that the rate has not fallen when it stops",
    )
    resume: str | None = Field(
        default=None,
        pattern=r"^\w+$",
        description="Name of the run to resume, refused if its options or data differ; null: the unfinished run of these options "
        "and data, or a new one",
    )
    image_grid_every_epochs: int = Field(
        default=5, ge=0, description="Epochs between two image grids of validation crops with predictions; 0: none"
    )

    @field_validator("amp", mode="before")
    @classmethod
    def _read_off(cls, value: Any) -> Any:
        """Read false as `off`: YAML, and so the command line, reads an unquoted off as false."""
        return "off" if value is False else value

    @model_validator(mode="after")
    def _nodes_have_a_rendezvous(self) -> "TrainingOptions":
        if self.nodes > 1 and self.rendezvous is None:
            raise ValueError(f"nodes is {self.nodes}, which needs rendezvous: host:port, an address of node 0")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_later_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = dump(self)
        fields = type(self).model_fields
        return {name: value for name, value in content.items() if name not in _LATER_OPTIONS or value != fields[name].default}

    @property
    def persons_per_step(self) -> int:
        """The batch size as a number.

        Raises:
            OptionsError: It is still `auto`.
        """
        if self.batch_size == "auto":
            raise OptionsError(
                "modelling.training.batch_size: expected a number here, found 'auto', which only the trainings of the pipelines "
                "modelling and improve resolve. Set a number, or call posescope.training.automatic_options.resolve_automatic."
            )
        return self.batch_size

    @property
    def process_count(self) -> int:
        """Number of processes of all nodes."""
        return self.nodes * self.processes

    def on_one_node(self, processes: int | None = None) -> "TrainingOptions":
        """Return the options of a training whose processes are all counted on one node.

        Args:
            processes: number of processes; None: as many as one of several nodes has.
        """
        return self.model_copy(update={"nodes": 1, "processes": processes or self.processes, "rendezvous": None})

    def without_places(self) -> "TrainingOptions":
        """Return the options with all processes on one node: where a process runs does not change the weights."""
        defaults = {name: type(self).model_fields[name].default for name in ("rendezvous_timeout_s", "lost_after_s")}
        return self.on_one_node(self.process_count).model_copy(update=defaults)

    def identity(self) -> dict[str, Any]:
        """Return the options that change the weights, as JSON-like content: the part of a run's fingerprint."""
        return self.without_places().model_dump(mode="json", exclude={"keep_checkpoints", "resume", "image_grid_every_epochs"})

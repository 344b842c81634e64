"""Parameters of the namespace `tracking`."""

from typing import Annotated, Any

from pydantic import Field, field_validator

from posescope.core.plugins import ComponentSpec, Options, component_validator

__all__ = ["TrackingOptions"]

LoggerSpec = Annotated[ComponentSpec, component_validator("experiment_loggers")]


class TrackingOptions(Options):
    """Parameters of the namespace `tracking`."""

    loggers: tuple[LoggerSpec, ...] = Field(
        (), description="Components of `experiment_loggers`, or their names, all of which log; empty: none"
    )
    timeout_s: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="How long the end of a training, and the end of a run, wait for loggers that have not finished, in seconds",
    )

    @field_validator("loggers", mode="before")
    @classmethod
    def _accept_names(cls, loggers: Any) -> Any:
        """Accept `[tensorboard]`, which `--params` can hold."""
        is_list = isinstance(loggers, list | tuple)
        return [{"name": one} if isinstance(one, str) else one for one in loggers] if is_list else loggers
